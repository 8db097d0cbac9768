"""Single sign-on by OpenID Connect: this server is the relying party, the counter's browser only carries the answer.

Authorization code with PKCE (RFC 7636) over a loopback redirect (RFC 8252, 7.3); the client secret, the exchange of
the code and every check of the identity token stay here (OpenID Connect Core 1.0, 3.1.3.7).
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sqlalchemy import exists, insert, select
from sqlalchemy.orm import Session

from modules.common.clock import Clock, iso
from modules.common.errors import GovDeskError
from modules.common.text import tr
from server_stub import audit
from server_stub.config import Settings
from server_stub.tables import PersonIdentity
from server_stub.writer import Writer

if TYPE_CHECKING:
    from authlib.integrations.requests_client import OAuth2Session

log = logging.getLogger("govdesk.server.oidc")
ALGORITHMS = ("RS256", "ES256", "PS256")
"""Signatures of an identity token that are accepted: never ``none``, never one whose key is our own secret."""
SECONDS = 10.0
LEEWAY = 60
"""Seconds by which the provider's clock may be off."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the provider says it is: ``subject`` is the SHA-256 of its own name for the person, which is for ever."""

    issuer: str
    subject: str
    login: str
    """What ``oidc_login_claim`` names, or empty."""


class Oidc:
    """One provider, found by its issuer's address."""

    def __init__(self, data: Path, writer: Writer, clock: Clock, settings: Settings) -> None:
        self._data = data
        self._writer = writer
        self._clock = clock
        self._settings = settings
        self._lock = threading.Lock()
        self._known: dict[str, Any] = {}

    @property
    def offered(self) -> bool:
        """Whether a provider is set up."""
        return bool(self._settings.oidc_issuer)

    def begin(self, state: str, redirect: str) -> tuple[str, dict[str, Any]]:
        """The address that the browser opens, and what has to be kept until it comes back.

        Raises AUTH-043 when the provider can't be asked, AUTH-049 where the redirect is none of the counter's own.
        """
        try:
            parts = urlsplit(redirect)
            own = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1") and not parts.query
        except ValueError:
            own = False  # brackets that hold no address
        if not own:
            raise GovDeskError("AUTH-049", tr("浏览器的返回地址不在本机。"), fix=tr("请重新开始登录。"))
        kept = {"nonce": secrets.token_urlsafe(32), "verifier": secrets.token_urlsafe(48), "redirect": redirect}
        with self._session(redirect) as session:
            url, _ = session.create_authorization_url(
                self._metadata(session)["authorization_endpoint"],
                state=state,
                nonce=kept["nonce"],
                code_verifier=kept["verifier"],
            )
        return str(url), kept

    def finish(self, kept: dict[str, Any], code: str) -> Identity:
        """Who came back with ``code``. Raises AUTH-043 when the provider can't be asked, AUTH-044 when it or its
        answer says no.
        """
        from authlib.common.errors import AuthlibBaseError

        with self._session(kept["redirect"]) as session:
            metadata = self._metadata(session)
            try:
                token = session.fetch_token(
                    metadata["token_endpoint"],
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=kept["verifier"],
                    timeout=SECONDS,
                )
            except AuthlibBaseError as error:
                log.warning("the provider refused a code: %s", error.error)
                raise _refused() from error
            except (OSError, ValueError) as error:
                raise _unreachable() from error
            claims = self._claims(session, metadata, token, kept["nonce"])
        name = self._settings.oidc_login_claim
        subject = hashlib.sha256(claims["sub"].encode()).hexdigest()
        return Identity(claims["iss"], subject, str(claims.get(name, "")).strip().lower() if name else "")

    def owner(self, session: Session, found: Identity) -> str | None:
        """The person that an identity stands for, or None."""
        row = session.get(PersonIdentity, (found.issuer, found.subject))
        return row.person_id if row is not None else None

    def bind(self, by: str, device_id: str, person_id: str, found: Identity) -> None:
        """Let an identity stand for a person. Raises AUTH-045 when it stands for another, or another for the person:
        a login name that the provider gave away anew must not open what its first holder had.
        """

        def store(session: Session) -> None:
            now = iso(self._clock.now())
            row = session.get(PersonIdentity, (found.issuer, found.subject))
            if row is not None and row.person_id == person_id:
                return
            others = select(
                exists().where(PersonIdentity.issuer == found.issuer, PersonIdentity.person_id == person_id)
            )
            if row is not None or session.execute(others).scalar_one():
                raise GovDeskError("AUTH-045", tr("这个统一身份账号和这个人不是一对。"), fix=tr("请联系安全管理员。"))
            session.execute(
                insert(PersonIdentity).values(
                    issuer=found.issuer, subject=found.subject, person_id=person_id, bound_at=now, bound_by=by
                )
            )
            audit.append(session, now, [audit.Entry("identity.bind", by, device_id, person_id)])

        self._writer.do(store)

    # -- the provider

    def _session(self, redirect: str) -> OAuth2Session:
        from authlib.integrations.requests_client import OAuth2Session

        settings = self._settings
        session = OAuth2Session(
            settings.oidc_client_id,
            settings.oidc_client_secret or None,
            scope=settings.oidc_scope,
            redirect_uri=redirect,
            code_challenge_method="S256",
            default_timeout=SECONDS,
        )
        session.trust_env = False
        if settings.oidc_ca:
            session.verify = str(self._data / settings.oidc_ca)
        return session

    def _get(self, session: OAuth2Session, url: str) -> Any:
        if not _safe(url):
            raise _unreachable()
        try:
            answer = session.get(url, withhold_token=True, timeout=SECONDS, allow_redirects=False)
            answer.raise_for_status()
            return answer.json()
        except (OSError, ValueError) as error:
            raise _unreachable() from error

    def _metadata(self, session: OAuth2Session) -> dict[str, Any]:
        """What the provider says of itself (OpenID Connect Discovery 1.0), which must name the issuer that was set."""
        with self._lock:
            known = dict(self._known)
        if not known:
            issuer = self._settings.oidc_issuer
            known = self._get(session, issuer.rstrip("/") + "/.well-known/openid-configuration")
            ends = ("authorization_endpoint", "token_endpoint", "jwks_uri")
            if (
                not isinstance(known, dict)
                or known.get("issuer") != issuer
                or not all(_safe(str(known.get(end, ""))) for end in ends)
            ):
                raise _unreachable()
            with self._lock:
                self._known = known
        return known

    def _keys(self, session: OAuth2Session, metadata: dict[str, Any]) -> Any:
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        try:
            return KeySet.import_key_set(self._get(session, metadata["jwks_uri"]))
        except (JoseError, KeyError, TypeError, ValueError) as error:
            raise _unreachable() from error

    def _claims(self, session: OAuth2Session, metadata: dict[str, Any], token: Any, nonce: str) -> dict[str, Any]:
        """What the identity token says, once everything about it has been checked. Raises AUTH-044."""
        from authlib.common.errors import AuthlibBaseError
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import JoseError

        # keys are asked for each time: a provider may change them, and sign-ins are rare
        keys = self._keys(session, metadata)
        try:
            decoded = jwt.decode(str(token["id_token"]), keys, algorithms=ALGORITHMS)
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                {
                    "iss": {"essential": True, "value": self._settings.oidc_issuer},
                    "aud": {"essential": True, "value": self._settings.oidc_client_id},
                },
                {
                    "nonce": nonce,
                    "client_id": self._settings.oidc_client_id,
                    "access_token": token.get("access_token"),
                },
            )
            claims.validate(now=int(self._clock.now().timestamp()), leeway=LEEWAY)
        except (AuthlibBaseError, JoseError, KeyError, TypeError, ValueError) as error:
            log.warning("an identity token was refused: %s", type(error).__name__)
            raise _refused() from error
        if not isinstance(claims.get("sub"), str) or not claims["sub"]:
            raise _refused()
        return dict(claims)


def _safe(url: str) -> bool:
    """Whether what is sent to ``url`` stays secret on the way: by TLS, or inside this computer."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost"))


def _unreachable() -> GovDeskError:
    return GovDeskError("AUTH-043", tr("统一身份认证暂时联系不上。"), fix=tr("请稍后再试，或改用密码登录。"))


def _refused() -> GovDeskError:
    return GovDeskError(
        "AUTH-044", tr("统一身份认证没有确认您的身份。"), fix=tr("请重新登录；反复出现时请联系系统管理员。")
    )
