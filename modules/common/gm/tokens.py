"""SM2 keys that stay in a token (PKCS #11; GM/T 0016's SKF would be another ``sm2.Key``).

PKCS #11 has no number for SM2 of its own: every maker has one among those for vendors, so it is asked for
(``mechanism``). What is handed to the token is the digest that ``sm2.message_digest`` makes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modules.common.errors import GovDeskError
from modules.common.gm import curve, der
from modules.common.gm.certificates import SM2_CURVE
from modules.common.text import tr


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A private key in an open session of ``python-pkcs11``; the session is its owner's."""

    point: bytes
    handle: Any
    mechanism: int

    @property
    def constant_time(self) -> bool:
        """See ``sm2.Key``: the key never is in this computer."""
        return True

    def sign_digest(self, digest: bytes) -> tuple[int, int]:
        """See ``sm2.Key``. Raises ``GovDeskError`` GM-002 when the token does not sign."""
        import pkcs11

        try:
            made = bytes(self.handle.sign(digest, mechanism=_mechanism(self.mechanism)))
            r, s = der.signature(made)
        except (pkcs11.PKCS11Error, der.DerError) as error:
            raise GovDeskError(
                "GM-002",
                tr("证书介质没有签名。文件没有改动。"),
                fix=tr("请检查介质是否插好、是否支持国密 SM2，再试一次。"),
            ) from error
        if not (0 < r < curve.N and 0 < s < curve.N):
            raise GovDeskError("GM-002", tr("证书介质没有签名。文件没有改动。"), fix=tr("请换一个介质。"))
        return r, s


def _mechanism(number: int) -> Any:
    """A mechanism by its number, also one of those for vendors, which the library does not name."""
    from pkcs11 import Mechanism

    try:
        return Mechanism(number)
    except ValueError:
        made = int.__new__(Mechanism, number)
        made._name_, made._value_ = f"CKM_{number:#x}", number
        return made


def find_key(session: Any, mechanism: int, label: str = "", identifier: bytes = b"") -> TokenKey:
    """The SM2 key of this label or identifier in an open, logged-in session.

    Raises ``GovDeskError``: GM-001 when the token holds none.
    """
    import pkcs11
    from pkcs11 import Attribute, ObjectClass

    wanted: dict[Any, Any] = {Attribute.CLASS: ObjectClass.PRIVATE_KEY}
    if label:
        wanted[Attribute.LABEL] = label
    if identifier:
        wanted[Attribute.ID] = identifier
    for key in list(session.get_objects(wanted)):  # one search at a time is all that a session does
        try:
            same = {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.ID: key[Attribute.ID]}
            public = list(session.get_objects(same))
            parameters, point = (public[0][name] for name in (Attribute.EC_PARAMS, Attribute.EC_POINT))
        except (pkcs11.PKCS11Error, IndexError, KeyError):  # a key of another kind
            continue
        if parameters == der.oid(SM2_CURVE):
            body = der.read(point).body if point[:1] == b"\x04" and len(point) == 67 else point
            return TokenKey(curve.encode(curve.decode(body)), key, mechanism)
    raise GovDeskError("GM-001", tr("证书介质中没有国密 SM2 密钥。"), fix=tr("请插入正确的介质。"))
