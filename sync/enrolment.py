"""How a computer becomes a device of a server, or becomes it again without losing its work."""

from __future__ import annotations

import base64
from collections.abc import Callable

from client.data.credential import Credential
from client.data.keys import KeyRing
from client.data.profile import Device, Profile, write_atomically
from modules.common.errors import GovDeskError
from modules.common.text import tr
from sync.protocol import EnrolRequest
from sync.transport import Transport


def enrol(
    profile: Profile,
    keys: KeyRing,
    credential: Credential,
    url: str,
    code: str,
    name: str,
    *,
    get_ca: Callable[[str, str], bytes],
    ask: Callable[[str], Transport],
) -> Device:
    """See ``sync.accounts.Accounts.enrol``. ``ask`` makes the way to a server whose authority lies in the profile."""
    before = profile.device()
    secret, _, pin = code.strip().partition(".")
    if not url.startswith("https://") or not secret or not pin:
        raise GovDeskError(
            "NET-008", tr("服务器地址或登记码不完整。"), fix=tr("地址以 https:// 开头；登记码请整段粘贴。")
        )
    url = url.rstrip("/")
    ca = get_ca(url, pin)
    if before is None:
        write_atomically(profile.ca, ca)
    elif ca != profile.ca.read_bytes():
        # what waits here to be sent was given to the server of that authority
        raise GovDeskError("DATA-006", tr("这台电脑已经登记过。"), fix=tr("要换服务器，请使用新的资料目录。"))
    again = before.device if before else ""
    transport = ask(url)
    try:
        made = transport.enrol(EnrolRequest(code.strip(), credential.request(), name, again, credential.keyless))
    finally:
        transport.close()
    if before is None and not profile.database.exists():
        # of an enrolment that was cut off: nothing has been stored under it
        profile.keys.unlink(missing_ok=True)
    if not keys.exists() and made.escrow:
        credential.opened(keys.create(base64.b64decode(made.escrow)))
    credential.accept(made.certificate)
    credential.learn(made.pins)
    device = Device(url, made.device, made.name, made.hall_id, made.series)
    profile.save_device(device)
    credential.named()
    return device
