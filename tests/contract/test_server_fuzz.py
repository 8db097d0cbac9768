"""Every address against texts and numbers that no honest program sends, though the description does not forbid them.

Half characters, NUL, numbers beyond every column, on both databases, and each refusal in words; statuses that the
description does not name are looked for in ``test_server_described``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from modules.common.permissions import BUILTIN_ROLES
from server_stub.app import create_app
from sync.protocol import CODE_HEADER, PATHS, STATEMENT_HEADER, Problem, from_wire
from tests.support.central import QUICK, Central, Counter, central
from tests.support.devices import showing, shown
from tests.support.servers import postgres

UNLIMITED = replace(
    QUICK, sign_ins_per_minute_device=10**6, sign_ins_per_minute_address=10**6, lock_failures=10**6, min_free_mib=0
)
NASTY: list[Any] = [
    *("", "\0", "a\0b", "\ud800", "'; DROP TABLE person;--", "%_", "张三" * 500, "../../etc/passwd", "\u202e"),
    *("0001-01-01T00:00:00+14:00", "hall:other", "ref", "NaN"),
    *(-1, 0, 2**31, 2**62, 2**63, 10**30, 1.5, float("nan"), float("inf"), True, None, [], {}, [[]], {"\0": "\0"}),
]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def office(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Central]:
    folder = tmp_path_factory.mktemp("server")
    if request.param == "sqlite":
        with central(folder, settings=UNLIMITED) as made:
            yield made
    else:
        with postgres() as url, central(folder, url, UNLIMITED) as made:
            yield made


@pytest.fixture(scope="module")
def counters(office: Central) -> list[Counter]:
    return [office.counter(role.id) for role in BUILTIN_ROLES]


def guesses(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema describes, with nasty ones anywhere among them."""
    schema = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    nasty = st.sampled_from(NASTY)
    if "anyOf" in schema:
        return st.one_of(nasty, *(guesses(option, schemas) for option in schema["anyOf"]))
    match schema.get("type"):
        case "object":
            fields = {name: guesses(part, schemas) for name, part in schema.get("properties", {}).items()}
            return st.one_of(st.fixed_dictionaries(fields), st.fixed_dictionaries({}, optional=fields), nasty)
        case "array":
            return st.one_of(st.lists(guesses(schema.get("items", {}), schemas), max_size=3), nasty)
        case "integer":
            return st.one_of(st.integers(-2, 600), nasty)
        case "boolean":
            return st.one_of(st.booleans(), nasty)
    return st.one_of(st.text(max_size=20), nasty)


async def answers(app: FastAPI, asked: list[httpx.Request]) -> list[httpx.Response]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(showing(app))) as session:
        return [await session.send(request) for request in asked]


@settings(
    max_examples=24,
    deadline=None,
    derandomize=True,
    database=None,
    # a fault is told as it was found: to make it smaller takes longer than a test may
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_nothing_that_is_sent_breaks_the_server(office: Central, counters: list[Counter], data: st.DataObject) -> None:
    app = create_app(office.services)
    spec = app.openapi()
    schemas = spec["components"]["schemas"]
    asked = []
    for path, methods in spec["paths"].items():
        if path == PATHS["nudges"]:
            continue  # a good answer to this one has no end
        for method, operation in methods.items():
            role = data.draw(st.sampled_from(counters))
            address, params = path, {}
            for parameter in operation.get("parameters", ()):
                text = str(data.draw(guesses(parameter["schema"], schemas))).encode("utf-8", "replace").decode()
                if parameter["in"] == "path":
                    address = address.replace(f"{{{parameter['name']}}}", quote(text or "x", safe=""))
                else:
                    params[parameter["name"]] = text
            content = b""
            if "requestBody" in operation:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                content = json.dumps(data.draw(guesses(schema, schemas))).encode()
            sent = {**shown(role.certificate), STATEMENT_HEADER: role.statement}
            sent["content-type"] = "application/json"
            asked.append(
                httpx.Request(method, f"https://server{address}", params=params, headers=sent, content=content)
            )
    for request, answer in zip(asked, asyncio.run(answers(app, asked)), strict=True):
        assert answer.status_code < 500, (request.url, request.content, answer.text)
        if answer.status_code >= 400:
            assert answer.headers[CODE_HEADER]
            if request.method == "HEAD":
                continue  # its answer has no body
            said = from_wire(Problem, answer.json())
            assert said.code == answer.headers[CODE_HEADER]
            assert any("一" <= char <= "鿿" for char in said.message), said


def test_all_of_it_left_the_chain_whole(office: Central) -> None:
    assert office.services.audit.verify().broken_at is None
