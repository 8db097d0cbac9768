"""Every operation of the OpenAPI description, asked by schemathesis as an administrator and as a clerk, with what the
description allows and with what it does not: no fault of the server, and no status that the description does not name.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import status_code_conformance
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server_stub.app import create_app
from sync.protocol import PATHS, STATEMENT_HEADER
from tests.support.central import QUICK, Central, central
from tests.support.devices import showing, shown
from tests.support.servers import postgres

ROLES = ("sysadmin", "secadmin", "clerk")
SETTINGS = replace(
    QUICK, sign_ins_per_minute_device=10**6, sign_ins_per_minute_address=10**6, lock_failures=10**6, min_free_mib=0
)


class Enough(Exception):
    """The head of an answer without end has been seen."""


def brief(app: ASGIApp) -> ASGIApp:
    """``app``, but what would go on for ever (nudges) ends with its head."""

    async def cut(scope: Scope, receive: Receive, send: Send) -> None:
        async def ending(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start" and (b"text/event-stream" in dict(message["headers"]).values()):
                await send({"type": "http.response.body", "body": b""})
                raise Enough

        with contextlib.suppress(Enough):
            await app(scope, receive, ending)

    return cut


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.full)])
def office(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Central]:
    folder = tmp_path_factory.mktemp("server")
    if request.param == "sqlite":
        with central(folder, settings=SETTINGS) as made:
            yield made
    else:
        with postgres() as url, central(folder, url, SETTINGS) as made:
            yield made


def operations(description: dict[str, Any]) -> list[APIOperation]:
    """All of them. What ``default`` says of statuses that nobody named does not count."""
    plain = deepcopy(description)
    for methods in plain["paths"].values():
        for operation in methods.values():
            del operation["responses"]["default"]
    return [found.ok() for found in schemathesis.openapi.from_dict(plain).get_all_operations()]


SHORT = [(role, GenerationMode.POSITIVE, 2) for role in ROLES] + [("clerk", GenerationMode.NEGATIVE, 1)]
LONG = [pytest.param(role, mode, 12, marks=pytest.mark.full) for role in ROLES for mode in GenerationMode]


@pytest.mark.parametrize(("role", "mode", "examples"), SHORT + LONG)
def test_no_answer_is_a_surprise(office: Central, role: str, mode: GenerationMode, examples: int) -> None:
    app = create_app(office.services)
    surprises: dict[str, str] = {}
    asked = set()
    with asyncio.Runner() as runner:
        for operation in operations(app.openapi()):
            # anew for each: some end the session that they are asked in
            counter = office.counter(role)
            sent = {**shown(counter.certificate), STATEMENT_HEADER: counter.statement}
            try:
                ask(operation, mode, examples, lambda case, sent=sent: runner.run(answer_to(app, case, sent)))
                asked.add(operation.label)
            except Unsatisfiable:
                assert mode is GenerationMode.NEGATIVE  # nothing can be wrong where any text will do
            except FailureGroup as error:
                surprises[operation.label] = "; ".join(str(each).replace("\n", " ") for each in error.exceptions)
    described = app.openapi()["paths"]
    assert not surprises, "\n\n".join(f"{label}: {words}" for label, words in surprises.items())
    if mode is GenerationMode.POSITIVE:
        assert len(asked) == sum(map(len, described.values()))
    assert PATHS["push"] in " ".join(asked)


def ask(operation: APIOperation, mode: GenerationMode, examples: int, answer: Callable[[Case], httpx.Response]) -> None:
    """Raise what schemathesis finds in the answers to ``examples`` questions."""

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode))
    def one(case: Case) -> None:
        case.validate_response(answer(case), checks=[not_a_server_error, status_code_conformance])

    one()


async def answer_to(app: ASGIApp, case: Case, sent: dict[str, str]) -> httpx.Response:
    import requests

    prepared = requests.Request(**case.as_transport_kwargs("https://server", sent)).prepare()
    body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
    async with httpx.AsyncClient(transport=httpx.ASGITransport(showing(brief(app)))) as session:
        return await session.request(prepared.method, prepared.url, headers=dict(prepared.headers), content=body)
