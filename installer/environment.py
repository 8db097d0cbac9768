"""What ``run`` and ``test`` stand on: the system libraries, and a virtual environment from a hash-locked list.

Standard library only, because it runs before anything is installed.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = ROOT / ".venv"
WINDOWS = sys.platform == "win32"

# shared library → the Debian package that brings it
QT = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
}
XCB = {
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
}
# what only some tests need → the programs that show it is there, and the Debian packages that bring it
FOR_TESTS = {
    "a C compiler (power-cut tests)": (("gcc", "/usr/include/sqlite3ext.h"), ("gcc", "libc6-dev", "libsqlite3-dev")),
    "a software token (certificate sign-in tests)": (("softhsm2-util",), ("softhsm2",)),
    "a system keyring (keyring tests)": (
        ("gnome-keyring-daemon", "dbus-run-session"),
        ("gnome-keyring", "dbus", "libsecret-1-0"),
    ),
}
NO_INDEX = """
No package index answered. Behind a firewall, name your mirror:   PIP_INDEX_URL=… ./run
With no network at all, on a machine that has one:   pip download -r {lock} -d wheels
and then here:   PIP_NO_INDEX=1 PIP_FIND_LINKS=/path/to/wheels ./run"""


class SetupError(Exception):
    """Why the environment cannot be made, in words that say what to do."""


@contextmanager
def step(text: str) -> Iterator[None]:
    """Say what is being done, and how long it took, on one line."""
    print(f"· {text} …", end="", flush=True)
    started = time.monotonic()
    try:
        yield
    except BaseException:
        print(" failed", flush=True)
        raise
    print(f" {time.monotonic() - started:.1f} s", flush=True)


@contextmanager
def alone(lock: Path, *, wait: bool) -> Iterator[None]:
    """Hold ``lock`` against other processes, for as long as the block runs or the process lives.

    Raises ``BlockingIOError`` when another process holds it and ``wait`` is false.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+b") as file:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
            except OSError as error:
                raise BlockingIOError(str(lock)) from error
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def has_display() -> bool:
    """Whether a window can be shown here."""
    return sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _has_postgresql() -> bool:
    """Whether the programs of a PostgreSQL server, 15 or newer, are installed."""
    versions = [int(path.parts[-3]) for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(versions, default=0) >= 15 or bool(shutil.which("initdb"))


def _wanted(packages: str) -> list[str]:
    """The Debian packages that are missing for ``packages``: ``run``, ``test`` (adds a database server), ``build``."""
    if sys.platform != "linux":
        return []
    libraries = dict(QT)
    if packages == "build" or os.environ.get("DISPLAY"):
        libraries |= XCB
    missing = [package for library, package in libraries.items() if not _loads(library)]
    if not shutil.which("uv") and not importlib.util.find_spec("ensurepip"):
        missing.append("python3-venv")
    if packages == "build":
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        if not shutil.which("objcopy"):
            missing.append("binutils")
        if not _loads(f"libpython{version}.so.1.0"):
            missing.append(f"libpython{version}")
    return missing


def _apt(missing: Sequence[str]) -> None:
    """Install Debian packages where this is allowed; raises ``SetupError`` with the one line that does it."""
    line = f"sudo apt-get update && sudo apt-get install -y --no-install-recommends {' '.join(missing)}"
    if not shutil.which("apt-get"):
        raise SetupError(f"These system packages (Debian's names) are missing: {' '.join(missing)}")
    if os.geteuid() != 0:
        raise SetupError(f"Some system packages are missing. This line installs them:\n\n    {line}")
    # a package's service has no business starting: the tests start their own database
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    with step(f"system packages: {' '.join(missing)}"):
        for command in (["update"], ["install", "-y", "--no-install-recommends", *missing]):
            done = subprocess.run(
                ["apt-get", "-q", *command], env=quiet, stdin=subprocess.DEVNULL, capture_output=True, text=True
            )
            if done.returncode:
                raise SetupError(f"{done.stdout[-2000:]}{done.stderr[-2000:]}\nTried as root:\n\n    {line}")


def _system(packages: str) -> None:
    if missing := _wanted(packages):
        _apt(missing)
        if still := _wanted(packages):
            raise SetupError(f"Installed, but still not usable: {' '.join(still)}")
    if packages == "test" and sys.platform == "linux":
        _system_of_tests()


def _system_of_tests() -> None:
    """What single tests need; without it, and without the right to install it, they are skipped and say so."""
    missing: dict[str, tuple[str, ...]] = {} if _has_postgresql() else {"PostgreSQL": ("postgresql",)}
    for name, (signs, wanted) in FOR_TESTS.items():
        if not all(shutil.which(sign) or Path(sign).is_file() for sign in signs):
            missing[name] = wanted
    if missing:
        try:
            _apt([package for wanted in missing.values() for package in wanted])
        except SetupError as trouble:
            print(f"· without {', '.join(missing)}: their tests will be skipped. {trouble}", flush=True)


def interpreter(folder: Path) -> Path:
    """The Python of a virtual environment."""
    return folder / "Scripts/python.exe" if WINDOWS else folder / "bin/python"


def _command(*command: str | Path) -> None:
    subprocess.run(list(map(str, command)), check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def _with_uv(folder: Path, lock: Path) -> None:
    _command("uv", "venv", "-q", "--clear", "--python", sys.executable, folder)
    _command("uv", "pip", "install", "-q", "--python", interpreter(folder), "--require-hashes", "-r", lock)


def _with_pip(folder: Path, lock: Path) -> None:
    _command(sys.executable, "-m", "venv", "--clear", folder)
    pip = (interpreter(folder), "-m", "pip", "--disable-pip-version-check", "--no-input")
    _command(*pip, "install", "-q", "--only-binary", ":all:", "--require-hashes", "-r", lock)


def _install(folder: Path, lock: Path) -> None:
    """Fill ``folder`` from ``lock``: with uv where it is, else (or where its index differs from pip's) with pip."""
    if shutil.which("uv"):
        try:
            with step(f"{lock.name} with uv"):
                _with_uv(folder, lock)
        except subprocess.CalledProcessError as error:
            print(error.stderr[-1000:].rstrip(), flush=True)
        else:
            return
    try:
        with step(f"{lock.name} with pip"):
            _with_pip(folder, lock)
    except subprocess.CalledProcessError as error:
        said = (error.stdout + error.stderr)[-3000:].rstrip()
        unreachable = ("No matching distribution", "NewConnectionError", "Max retries", "name resolution")
        hint = NO_INDEX.format(lock=lock.name) if any(words in said for words in unreachable) else ""
        raise SetupError(f"{said}\n{hint}") from error


def _try_qt(python: Path) -> None:
    """Really open Qt's platform plugin, on the screen too where there is one."""
    platforms = ["offscreen", "xcb"] if os.environ.get("DISPLAY") and sys.platform == "linux" else ["offscreen"]
    code = "from PySide6.QtWidgets import QApplication; QApplication([])"
    for name in platforms:
        environ = {**os.environ, "QT_QPA_PLATFORM": name}
        done = subprocess.run([str(python), "-c", code], env=environ, capture_output=True, text=True)
        if done.returncode:
            raise SetupError(f"Qt does not start ({name}):\n{(done.stdout + done.stderr)[-2000:]}")


def prepare(packages: str = "run") -> Path:
    """The Python that has all that ``packages`` (``run``, ``test`` or ``build``) needs; made now where it is missing.

    Idempotent; a folder that was left half made is made again. Raises ``SetupError``.
    """
    lock = ROOT / ("requirements.lock" if packages == "run" else "requirements-dev.lock")
    made_of = (
        lock.read_bytes() + f"{sys.implementation.cache_tag} {platform.machine()} {sys.base_prefix} {ROOT}".encode()
    )
    folder = ENVIRONMENTS / hashlib.sha256(made_of).hexdigest()[:16]
    complete = folder / ".complete"
    with alone(ENVIRONMENTS / ".lock", wait=True):
        _system(packages)
        if not complete.exists():
            _install(folder, lock)
            with step("Qt starts"):
                _try_qt(interpreter(folder))
            complete.touch()
    return interpreter(folder)


def clean_environ(home: Path) -> dict[str, str]:
    """An environment in which a run depends on nothing of the person at the machine: for tests and benchmarks."""
    kept = ("PATH", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "CI", "SOURCE_DATE_EPOCH")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "APPDATA": str(home / "AppData/Roaming"),
        "LOCALAPPDATA": str(home / "AppData/Local"),
        "XDG_DATA_HOME": str(home / ".local/share"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_RUNTIME_DIR": str(home),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONPATH": str(ROOT),
        "PYTHONSAFEPATH": "1",
        "PYTHONUTF8": "1",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        "QT_QPA_PLATFORM": "offscreen",
    }
