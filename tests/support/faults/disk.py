"""A disk that can be full: a small file system in memory, in a mount namespace of this process and its children."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

INSIDE = "GOVDESK_OWN_MOUNTS"
ROOMY = "4g"
"""As much as it may take, and takes only when it is written."""


def enter(module: str, arguments: list[str]) -> str:
    """Start this program again where it may mount a disk of its own; returns why it can't, or an empty text inside."""
    if os.environ.get(INSIDE):
        return ""
    if sys.platform != "linux" or not shutil.which("unshare"):
        return "no mount namespaces here"
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    tried = subprocess.run(
        [*unshare, "sh", "-c", "mount -t tmpfs none /mnt && mount -o remount,size=4k /mnt"],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode:
        return f"no disk of our own may be mounted here ({tried.stderr.strip()})"
    command = [*unshare, sys.executable, "-m", module, *arguments]
    os.execvpe(command[0], command, {**os.environ, INSIDE: "1"})
    raise AssertionError("another program runs here")


class Disk:
    """A folder that is a disk. Without ``own`` it is a plain folder, and never full."""

    def __init__(self, path: Path, *, own: bool) -> None:
        self.path = path
        self.own = own
        path.mkdir(parents=True)
        if own:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOMY},mode=700", "none", str(path)], check=True)

    def fill(self) -> bool:
        """Leave no room; False when that could not be done just now."""
        room = os.statvfs(self.path)
        used = (room.f_blocks - room.f_bfree) * room.f_frsize
        return self.own and self._resize(str(used))

    def clear(self) -> None:
        """Make room again."""
        if self.own:
            assert self._resize(ROOMY)

    def _resize(self, size: str) -> bool:
        command = ["mount", "-o", f"remount,size={size}", str(self.path)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def close(self) -> None:
        if self.own:
            subprocess.run(["umount", "--lazy", str(self.path)], check=False)
