"""The server's addresses. Every one declares who may ask, through ``Guard``, or stands in ``PUBLIC``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from pydantic import FailFast
from starlette.responses import Response

from modules.common.clock import iso
from modules.common.errors import GovDeskError
from modules.common.manifest import installed
from modules.common.server_ports import Caller
from modules.common.statement import Statement
from modules.common.text import tr
from modules.common.version import VERSION
from server_stub import feed, problems
from server_stub.blobs import routes as blobs
from server_stub.middleware import PUSH_BODY_LIMIT, Surround
from server_stub.seeding import demo_people
from server_stub.services import Services
from sync.protocol import (
    PATHS,
    PROTOCOL,
    PROTOCOL_MIN,
    PULL_LIMIT,
    UPLOAD_PATH,
    CertificateReply,
    CertificateRequest,
    Challenge,
    ChallengeRequest,
    ChangesReply,
    Enrolment,
    EnrolRequest,
    Hello,
    Lease,
    LeaseRequest,
    OwnSignIn,
    PasswordChange,
    Problem,
    PushReply,
    RecoveryCodes,
    SessionEnd,
    SessionInfo,
    SignInReply,
    SignInRequest,
    TotpBegin,
    TotpConfirm,
    TotpRemove,
    TotpSecret,
    WireCommand,
    to_wire,
)
from sync.protocol import PushRequest as WholePush

PRODUCT = "GovDesk"
PUBLIC = frozenset({"/health", "/ready", PATHS["hello"], PATHS["ca"], PATHS["enrol"]})
"""Addresses that anyone may ask: nothing in their answers is anybody's."""
_ANYWHERE: dict[int | str, dict[str, Any]] = {
    **problems.told(400, 413),
    "default": {"model": Problem, "description": "code and sentence for people"},
}


@dataclass(frozen=True, slots=True)
class PushRequest(WholePush):
    """A push as it comes in. The first command that is none ends the reading: to tell each fault of a million would
    take gigabytes.
    """

    cmds: Annotated[list[WireCommand], FailFast()]


def create_app(services: Services) -> FastAPI:
    """The application; it starts the scheduler with its life and closes ``services`` at its end."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        services.scheduler.start()
        services.nudges.start()
        yield
        services.close()

    app = FastAPI(
        title=PRODUCT,
        version=VERSION,
        lifespan=life,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        responses=_ANYWHERE,
    )
    problems.install(app)
    large = {PATHS["push"]: PUSH_BODY_LIMIT, UPLOAD_PATH: services.uploads.largest}
    app.add_middleware(Surround, large=large)
    app.add_middleware(blobs.Tus)
    app.include_router(_public(services))
    app.include_router(_accounts(services))
    app.include_router(_sync(services))
    app.include_router(blobs.router(services))
    for manifest in installed():
        if manifest.server.routes is not None:
            routes = manifest.server.routes.load()
            told = problems.told(401, 403, 404, 409)
            app.include_router(routes(services), prefix=f"/v1/m/{manifest.id}", tags=[manifest.id], responses=told)
    return app


def _json(value: Any) -> Response:
    return JSONResponse(to_wire(value))


def _public(services: Services) -> APIRouter:
    router = APIRouter(tags=["public"])
    settings = services.config.settings

    @router.get("/health")
    def health() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @router.get("/ready", responses=problems.told(503))
    def ready() -> Response:
        """Database, writer and disk are fit for work; 503 names what is not."""
        faults = services.ready()
        if faults:
            return problems.problem("SRV-504", tr("服务器暂时不能办理业务。"), tr("请联系系统管理员。"), faults)
        return JSONResponse({"status": "ready"})

    @router.get(PATHS["hello"], response_model=Hello)
    def hello() -> Response:
        """Which server this is, and which protocol it speaks."""
        return _json(
            Hello(
                product=PRODUCT,
                version=VERSION,
                name=settings.name,
                proto=PROTOCOL,
                proto_min=PROTOCOL_MIN,
                epoch=services.identity.epoch,
                server_time=iso(services.clock.now()),
                ca_sha256=services.tls.ca_sha256,
                demo=demo_people() if services.config.demo else [],
                pins=list(services.tls.pins),
                methods=services.door.methods,
                oidc_name=settings.oidc_name if settings.oidc_issuer else "",
            )
        )

    @router.get(PATHS["ca"], response_class=PlainTextResponse)
    def ca() -> Response:
        """The certificate of the private authority, to be pinned by an enrolment code."""
        return PlainTextResponse(services.tls.ca.read_text("ascii"), media_type="application/x-pem-file")

    @router.post(PATHS["enrol"], response_model=Enrolment, responses=problems.told(403, 409, 429))
    def enrol(request: Request, body: EnrolRequest) -> Response:
        """Make a device of whoever holds a one-time code."""
        services.guard.limit_address(request)
        return _json(services.devices.enrol(body))

    return router


# dependencies are defaults, not ``Annotated``: an annotation is text here, and could not name what a closure holds


def _accounts(services: Services) -> APIRouter:
    router = APIRouter(tags=["accounts"], responses=problems.told(401, 403, 409, 423, 429))
    door, sessions = services.door, services.sessions
    device = Depends(services.guard.limited_device())
    certified = Depends(services.guard.certified_device())
    signed_in = Depends(services.guard.signed_in())
    renewing = Depends(services.guard.renewing())

    @router.post(PATHS["challenge"], response_model=Challenge, responses=problems.told(502))
    def challenge(body: ChallengeRequest, device: str = device) -> Response:
        """Something to sign, or to bring back from a browser."""
        return _json(door.challenge(device, body))

    @router.post(PATHS["certificate"], response_model=CertificateReply)
    def certificate(body: CertificateRequest, device: str = certified) -> Response:
        """The device's next certificate."""
        return _json(services.devices.renew(device, body))

    @router.post(PATHS["sign_in"], response_model=SignInReply, responses=problems.told(502))
    def sign_in(body: SignInRequest, device: str = device) -> Response:
        """A statement for whoever proves who they are."""
        return _json(door.sign_in(device, body))

    @router.post(PATHS["password"], status_code=204)
    def password(request: Request, body: PasswordChange, device: str = device) -> None:
        """Change one's own password. Of one's sessions the one goes on whose statement is shown, if any is."""
        door.change_password(device, body, services.guard.session_shown(request))

    @router.post(PATHS["sign_out"], status_code=204)
    def sign_out(request: Request, caller: Caller = signed_in) -> None:
        """End the session that the statement names."""
        sessions.end(caller, request.state.said.session_id)

    @router.post(PATHS["renew"], response_model=SignInReply)
    def renew(said: Statement = renewing) -> Response:
        """A fresh statement of the same session."""
        return _json(sessions.renew(said))

    @router.get(PATHS["sessions"], response_model=list[SessionInfo])
    def own_sessions(request: Request, caller: Caller = signed_in) -> Response:
        """The caller's own sessions."""
        return JSONResponse([to_wire(each) for each in sessions.of(request.state.said)])

    @router.post(PATHS["end_session"], status_code=204, responses=problems.told(404))
    def end_session(body: SessionEnd, request: Request, caller: Caller = signed_in) -> None:
        """Take trust from one of the caller's own sessions, or from all others."""
        sessions.revoke(caller, caller.actor.id, only=body.session, keep=request.state.said.session_id)

    @router.get(PATHS["own"], response_model=OwnSignIn)
    def ways_in(caller: Caller = signed_in) -> Response:
        """How the caller may sign in."""
        return _json(door.own(caller))

    @router.post(PATHS["totp_begin"], response_model=TotpSecret)
    def begin_totp(body: TotpBegin, caller: Caller = signed_in) -> Response:
        """A new secret for one-time codes."""
        return _json(door.begin_totp(caller, body.password))

    @router.post(PATHS["totp_confirm"], response_model=RecoveryCodes)
    def confirm_totp(body: TotpConfirm, caller: Caller = signed_in) -> Response:
        """Let the secret count; recovery codes."""
        return _json(RecoveryCodes(door.confirm_totp(caller, body.code)))

    @router.post(PATHS["totp_remove"], status_code=204)
    def remove_totp(body: TotpRemove, caller: Caller = signed_in) -> None:
        """Do without one-time codes."""
        door.remove_totp(caller, body.password, body.code)

    return router


def _sync(services: Services) -> APIRouter:
    router = APIRouter(tags=["sync"], responses=problems.told(401, 403, 409))
    pushing = Depends(services.guard.device(revoked_too=True))
    device = Depends(services.guard.device())
    signed_in = Depends(services.guard.signed_in())

    @router.post(PATHS["push"], response_model=PushReply)
    def push(body: PushRequest, device: str = pushing) -> Response:
        """Commands, answered one by one. A revoked device may still hand in what it did before."""
        if not PROTOCOL_MIN <= body.proto <= PROTOCOL:
            raise feed.protocol_too_old(body.proto)
        return _json(services.processor.push(device, body))

    @router.get(PATHS["changes"], response_model=ChangesReply)
    def changes(
        request: Request,
        scope: str,
        since: Annotated[int, Query(ge=0, lt=2**62)] = 0,
        limit: Annotated[int, Query(ge=1, le=PULL_LIMIT)] = PULL_LIMIT,
        epoch: str = "",
        floor: Annotated[int, Query(ge=-1, lt=2**62)] = -1,
        caller: Caller = signed_in,
    ) -> Response:
        """A page of a feed that the caller's statement names."""
        if scope not in request.state.said.scopes:
            raise GovDeskError("AUTH-013", tr("您无权读取“{scope}”的业务。", scope=scope))
        with services.database.read() as session:
            now = iso(services.clock.now())
            text = feed.page(session, services.identity.epoch, now, scope, since, limit, epoch, floor)
        return Response(text, media_type="application/json")

    @router.get(PATHS["nudges"], response_class=StreamingResponse)
    def nudges(request: Request, caller: Caller = signed_in) -> Response:
        """Server-sent events: each names a feed of the caller's statement and its newest number, and nothing else."""
        said: Statement = request.state.said
        stands = partial(services.guard.stands, said)
        events = services.nudges.stream(caller.device, said.person, said.scopes, stands)
        return StreamingResponse(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    @router.post(PATHS["lease"], response_model=Lease)
    def lease(body: LeaseRequest, device: str = device) -> Response:
        """A block of numbers for offline work."""
        return _json(services.numbers.lease(device, body))

    return router
