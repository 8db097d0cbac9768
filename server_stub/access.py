"""Who may ask what: every address of the server against every role, read off the routes themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modules.common.manifest import permissions_of
from modules.common.permissions import BUILTIN_ROLES

if TYPE_CHECKING:
    from fastapi import FastAPI

    from server_stub.guard import Guard

HEAD = """# Who may ask what

Made from the server's routes by `python -m server_stub access`; a test says so when it is not true any more, and
another asks every address as every role. ● may ask; · is refused with AUTH-403. What somebody gets to see is narrower
still: feeds, documents and page images are those of the person's own hall, department or self.

"""
ASKS = {"": "anyone", ":device": "an enrolled device", ":signed-in": "whoever is signed in"}


@dataclass(frozen=True, slots=True)
class Address:
    """One address: what a caller must be (a permission, ``:device``, ``:signed-in``, or nothing)."""

    method: str
    path: str
    asks: frozenset[str]


def addresses(app: FastAPI, guard: Guard) -> list[Address]:
    """Every address by its whole path. Raises ``TypeError`` for a route of a kind that is not known here."""
    asked = {route.endpoint: _declared(guard, route.dependant) for route in _routes(app.routes)}
    made = []
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            (endpoint,) = [call for call in asked if operation["operationId"].startswith(call.__name__ + "_")]
            made.append(Address(method.upper(), path, frozenset(asked[endpoint])))
    if len(made) != len(asked):
        raise TypeError("an address is missing from the description")
    return made


def table(app: FastAPI, guard: Guard) -> str:
    """The text of ``docs/access.md``."""
    roles = [role.id for role in BUILTIN_ROLES]
    held = {role: permissions_of({role}) for role in roles}
    lines = [f"| address | asks for | {' | '.join(roles)} |", "| --- | --- |" + " --- |" * len(roles)]
    for address in sorted(addresses(app, guard), key=lambda each: (each.path, each.method)):
        needed = next(iter(address.asks), "")
        marks = ["●" if needed in ASKS or needed in held[role] else "·" for role in roles]
        lines.append(f"| {address.method} {address.path} | {ASKS.get(needed, needed)} | {' | '.join(marks)} |")
    return HEAD + "\n".join(lines) + "\n"


def _routes(items: Any) -> Iterator[Any]:
    from fastapi.routing import APIRoute

    for item in items:
        inner = getattr(item, "routes", None) or getattr(getattr(item, "original_router", None), "routes", None)
        if isinstance(item, APIRoute):
            yield item
        elif inner is not None:
            yield from _routes(inner)
        else:
            raise TypeError(f"{item!r} is a route of a kind that nothing is known of here")


def _declared(guard: Guard, dependant: Any) -> set[str]:
    calls = {guard.declared[sub.call] for sub in dependant.dependencies if sub.call in guard.declared}
    return calls.union(*(_declared(guard, sub) for sub in dependant.dependencies))
