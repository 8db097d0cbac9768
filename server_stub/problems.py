"""Every answer that is not 2xx is a ``Problem``: a code, a sentence, what to do; never a traceback."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from modules.common.errors import GovDeskError, Refused
from modules.common.text import tr
from server_stub.log import incident
from sync.protocol import CODE_HEADER, Problem, to_wire

STATUS = {
    "AUTH-001": 401,
    "AUTH-002": 401,
    "AUTH-003": 423,
    "AUTH-004": 403,
    "AUTH-006": 401,
    "AUTH-007": 401,
    "AUTH-008": 401,
    "AUTH-010": 401,
    "AUTH-011": 401,
    "AUTH-012": 403,
    "AUTH-013": 403,
    "AUTH-014": 429,
    "AUTH-016": 401,
    "AUTH-021": 409,
    "AUTH-022": 409,
    "AUTH-023": 404,
    "AUTH-024": 403,
    "AUTH-025": 403,
    "AUTH-026": 404,
    "AUTH-027": 404,
    "AUTH-028": 404,
    "AUTH-070": 403,
    "AUTH-071": 401,
    "AUTH-032": 401,
    "AUTH-033": 401,
    "AUTH-034": 401,
    "AUTH-035": 409,
    "AUTH-036": 403,
    "AUTH-037": 401,
    "AUTH-038": 403,
    "AUTH-039": 403,
    "AUTH-040": 409,
    "AUTH-041": 404,
    "AUTH-043": 502,
    "AUTH-044": 401,
    "AUTH-045": 409,
    "AUTH-046": 404,
    "AUTH-052": 403,
    "AUTH-060": 409,
    "AUTH-061": 409,
    "AUTH-062": 409,
    "AUTH-063": 403,
    "AUTH-403": 403,
    "NUM-005": 403,
    "NUM-007": 409,
    "SRV-043": 409,
    "SRV-061": 404,
    "SRV-062": 422,
    "SRV-063": 415,
    "SRV-064": 507,
    "SRV-066": 429,
    "SRV-067": 429,
    "SRV-068": 423,
    "SRV-069": 404,
    "SRV-070": 410,
    "SRV-071": 409,
    "SRV-072": 413,
    "SRV-073": 412,
    "SRV-074": 415,
    "SRV-075": 500,
    "SRV-404": 404,
    "SRV-405": 405,
    "SRV-413": 413,
    "SRV-500": 500,
    "SRV-503": 503,
    "SRV-504": 503,
    "SRV-505": 503,
}
"""The HTTP status of a code; every other code is a 400."""
_WHY = {
    400: "refused by a rule, or not understood",
    401: "not signed in, or not proved who it is",
    403: "may not",
    404: "not there, or not for the caller",
    409: "does not fit what is there",
    410: "no longer there",
    412: "another version of the protocol",
    413: "too large",
    415: "of a type that is not taken",
    422: "not what it says it is",
    423: "locked for a while",
    429: "too often, or too much at once",
    502: "another server does not answer",
    503: "not fit for work just now",
    507: "no room",
}


def told(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of routes that may answer so, for the description: each with a ``Problem``."""
    return {status: {"model": Problem, "description": _WHY[status]} for status in statuses}


def problem(code: str, message: str, fix: str = "", fields: dict[str, str] | None = None) -> Response:
    """The answer for a code; it stands in a header, too, for the answer to a HEAD has no body."""
    said = to_wire(Problem(code, message, fix, fields or {}))
    return JSONResponse(said, STATUS.get(code, 400), headers={CODE_HEADER: code})


def unforeseen(request_id: str, error: Exception) -> Response:
    """The answer for an error that nobody foresaw; the log knows more under its incident id."""
    event = incident("request failed", error, request=request_id)
    if isinstance(error, SQLAlchemyError):
        return problem(
            "SRV-505",
            tr("服务器暂时无法存取数据，事件编号 {event}。", event=event),
            tr("请稍后再试，已填写的内容不会丢失。"),
        )
    return problem("SRV-500", tr("服务器内部错误，事件编号 {event}。", event=event), tr("请把事件编号告诉系统管理员。"))


def install(app: FastAPI) -> None:
    """Answer every kind of error with a ``Problem``."""
    app.add_exception_handler(GovDeskError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    # text that is not UTF-8, or a NUL, or a number that no column holds: it came from whoever asks
    app.add_exception_handler(UnicodeEncodeError, _senseless)
    app.add_exception_handler(DataError, _senseless)
    app.add_exception_handler(HTTPException, _http)


def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, GovDeskError)
    fields = dict(error.refusal.fields) if isinstance(error, Refused) else {}
    return problem(error.code, error.message, error.fix, fields)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = {_path(fault["loc"]): _sentence(fault) for fault in error.errors()}
    return problem("SRV-400", tr("请求的内容不符合要求。"), tr("请升级程序后再试；仍不行请联系系统管理员。"), fields)


def _senseless(request: Request, error: Exception) -> Response:
    return problem("SRV-400", tr("请求的内容不符合要求。"))


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    match error.status_code:
        case 404:
            return problem("SRV-404", tr("服务器上没有这个地址。"), tr("请检查服务器版本。"))
        case 405:
            return problem("SRV-405", tr("这个地址不接受这种请求。"))
        case 413:
            return problem("SRV-413", tr("上传的内容过大。"))
        case _:
            return _senseless(request, error)


def _path(place: Iterable[Any]) -> str:
    return ".".join(str(part) for part in place if part not in ("body", "query", "path", "header"))


def _sentence(fault: dict[str, Any]) -> str:
    kind = str(fault["type"])
    if kind == "missing":
        return tr("缺少此项。")
    if kind == "json_invalid":
        return tr("不是有效的 JSON。")
    if kind.endswith(("_type", "_parsing")):
        return tr("类型不正确。")
    return tr("取值不正确。")
