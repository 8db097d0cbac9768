"""Memory of a process is never written to a disk: it holds keys and personal data in clear."""

from __future__ import annotations

import sys

_PR_SET_DUMPABLE = 4
"""``prctl`` (Linux); 0 also keeps other programs of the same user from reading the process's memory."""


def forbid_core_dumps() -> None:
    """From here on a crash of this process leaves no core dump; first thing in every program that sees personal data.

    The limit passes on to child processes. On Windows nothing is done: there the policy of the computer decides about
    Windows Error Reporting (docs/security.md).
    """
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
