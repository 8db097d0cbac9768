"""What the sign-in window needs of the synchronisation is light."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("sqlalchemy", "sqlcipher3", "requests", "alembic", "cryptography", "argon2", "keyring", "modules.acceptance")


def test_the_sign_in_window_loads_nothing_heavy() -> None:
    code = (
        "import sys, sync.accounts, sync.loop, client.data.profile, client.data.keys, client.data.feed\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
