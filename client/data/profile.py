"""The profile: the folder that holds what this computer knows, for one running copy of the program."""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from modules.common.errors import GovDeskError
from modules.common.text import tr

log = logging.getLogger(__name__)

SERVICE = "govdesk"
"""The name under which secrets are kept in the system keyring."""


@dataclass(frozen=True, slots=True)
class Device:
    """What the enrolment made of this computer. ``series`` is the hall's sequence of case numbers."""

    server: str
    device: str
    name: str
    hall_id: str
    series: str


class Vault(Protocol):
    """The system keyring, as far as it is used here."""

    def get_password(self, service: str, username: str) -> str | None: ...

    def set_password(self, service: str, username: str, password: str) -> None: ...

    def delete_password(self, service: str, username: str) -> None: ...


_REAL_VAULTS = (
    ("keyring.backends.SecretService", "Keyring"),
    ("keyring.backends.Windows", "WinVaultKeyring"),
    ("keyring.backends.kwallet", "DBusKeyring"),
)


def real_vault(backend: Any) -> Vault | None:
    """The keyring backend if it is one that encrypts; of a chain its first real member; else None.

    Backends are allowed by name, never by trust: ``keyrings.alt`` would write plain files, and the
    chainer would use it silently.
    """
    if type(backend).__module__ == "keyring.backends.chainer":
        return next((real for link in backend.backends if (real := real_vault(link)) is not None), None)
    known = (type(backend).__module__, type(backend).__name__) in _REAL_VAULTS
    vault: Vault | None = backend if known else None
    return vault


def system_vault() -> Vault | None:
    """This computer's keyring, or None where there is no real one."""
    import keyring

    backend = real_vault(keyring.get_keyring())
    return None if backend is None else SpokenVault(backend)


class SpokenVault:
    """A keyring whose failures are words: ``GovDeskError`` DATA-040 when it is locked, or does not answer."""

    def __init__(self, backend: Vault) -> None:
        self._backend = backend

    def get_password(self, service: str, username: str) -> str | None:
        with _keyring_in_words():
            return self._backend.get_password(service, username)

    def set_password(self, service: str, username: str, password: str) -> None:
        with _keyring_in_words():
            self._backend.set_password(service, username, password)

    def delete_password(self, service: str, username: str) -> None:
        with _keyring_in_words():
            self._backend.delete_password(service, username)


@contextmanager
def _keyring_in_words() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # whatever it is of the many that D-Bus, its libraries and Windows raise: it must not end the program
        raise GovDeskError(
            "DATA-040",
            tr("系统密钥环已锁定，或没有回答。"),
            fix=tr("请解锁系统密钥环后再登录；不解锁也可以登录，设备密钥另封在本机加密数据里。"),
        ) from error


def write_atomically(path: Path, data: bytes) -> None:
    """Replace ``path`` so that after a power cut it holds the old bytes or the new ones, readable by its owner only.

    Raises ``GovDeskError`` DATA-010 when the disk is full.
    """
    with written_atomically(path, path.with_name(path.name + ".new")) as file:
        file.write(data)


@contextmanager
def written_atomically(path: Path, scratch: Path) -> Iterator[IO[bytes]]:
    """A file to be written, which becomes ``path`` at the end of the block, as ``write_atomically`` says; when the
    block raises, nothing has happened.
    """
    with disk_full_in_words():
        # without O_BINARY Windows would change line ends inside the bytes
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
        descriptor = os.open(scratch, flags, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(path)
        except BaseException:
            scratch.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make ``folder``, for its owner only, so that it and what is put into it are still there after a power cut.

    Raises ``GovDeskError`` DATA-010 when the disk is full.
    """
    with disk_full_in_words():
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            return
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return  # NTFS journals the rename; a folder cannot be opened there
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def disk_full(error: BaseException | None) -> bool:
    """Whether ``error``, or what brought it about, says that the disk is full."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if "database or disk is full" in str(error):
            return True
        error = error.__cause__
    return False


@contextmanager
def disk_full_in_words() -> Iterator[None]:
    """Turn a full disk inside the block into ``GovDeskError`` DATA-010."""
    try:
        yield
    except Exception as error:
        if not disk_full(error):
            raise
        raise GovDeskError(
            "DATA-010", tr("磁盘空间不足，这一步没有保存；输入已保留。"), fix=tr("请清理磁盘后再试一次。")
        ) from error


class Profile:
    """A profile folder, held by this process until ``close``.

    The folder is readable by its owner only. Raises ``GovDeskError`` DATA-002 when another copy of the
    program holds it: two writers of one outbox would send the same work twice.
    """

    def __init__(self, path: Path, *, vault: Vault | None = None) -> None:
        self.path = path
        self.vault = vault
        with disk_full_in_words():
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            if sys.platform != "win32":
                path.chmod(0o700)
            for folder in (self.logs, self.prints):
                folder.mkdir(exist_ok=True, mode=0o700)
            self._lock: IO[bytes] | None = _hold(path / "lock")

    @property
    def database(self) -> Path:
        """The encrypted store."""
        return self.path / "store.db"

    @property
    def keys(self) -> Path:
        """The wrapped store key."""
        return self.path / "keys.json"

    @property
    def ca(self) -> Path:
        """The certificate of the server's authority, checked at enrolment."""
        return self.path / "ca.pem"

    @property
    def certificate(self) -> Path:
        """The device's encrypted key and its certificate."""
        return self.path / "device.pem"

    @property
    def pins(self) -> Path:
        """Public keys by which the server is known."""
        return self.path / "pins.json"

    @property
    def attempts(self) -> Path:
        """Failed sign-ins."""
        return self.path / "attempts.json"

    @property
    def settings(self) -> Path:
        return self.path / "settings.json"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def prints(self) -> Path:
        """Where papers go while no printer is chosen."""
        return self.path / "print"

    def device(self) -> Device | None:
        """The enrolment, or None before it. Raises ``GovDeskError`` DATA-005 for a damaged file."""
        data = read_json(self.path / "device.json")
        if data is None:
            return None
        try:
            return Device(**{name: str(data[name]) for name in Device.__dataclass_fields__})
        except KeyError as error:
            raise damaged("device.json") from error

    def token(self) -> str:
        """What a device enrolled before there were certificates was known by; empty for every other."""
        device = self.device()
        if device is None or self.certificate.exists():
            return ""
        path = self.path / "device.token"
        if path.exists():
            return path.read_text("ascii")
        return (self.vault.get_password(SERVICE, f"device:{device.device}") if self.vault else None) or ""

    def forget_token(self) -> None:
        """Destroy the token of old: there is a certificate now."""
        (self.path / "device.token").unlink(missing_ok=True)
        device = self.device()
        if self.vault is None or device is None:
            return
        try:
            if self.vault.get_password(SERVICE, f"device:{device.device}"):
                self.vault.delete_password(SERVICE, f"device:{device.device}")
        except GovDeskError as error:
            log.warning("keyring: %s", error.code)

    def save_device(self, device: Device) -> None:
        """Keep the enrolment. Its presence says that all else is there."""
        write_json(self.path / "device.json", asdict(device))

    def close(self) -> None:
        """Let another copy of the program in."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Profile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file, or None when there is no file. Raises ``GovDeskError`` DATA-005."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise damaged(path.name) from error
    if not isinstance(data, dict):
        raise damaged(path.name)
    return data


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Replace a JSON file (see ``write_atomically``)."""
    write_atomically(path, json.dumps(data, ensure_ascii=False, indent=1).encode())


def damaged(name: str) -> GovDeskError:
    """The error for a profile file that cannot be read."""
    return GovDeskError(
        "DATA-005", tr("本机文件 {name} 已损坏，无法读取。", name=name), fix=tr("请保留现场并联系系统管理员。")
    )


def _hold(path: Path) -> IO[bytes]:
    """An exclusive lock on ``path``, which the system drops when the process ends, however it ends."""
    file = path.open("a+b")
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise GovDeskError(
            "DATA-002", tr("本程序已经在运行，同一台电脑上不能再开一份。"), fix=tr("请切换到已打开的窗口。")
        ) from error
    return file
