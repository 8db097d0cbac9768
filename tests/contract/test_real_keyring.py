"""SecretService by gnome-keyring, in a session of its own: kept there and nowhere in clear; locked is no crash."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.clean_env import clean_env
from tests.support.servers import PROJECT

PASSWORD = "the-login-password"
NEEDED = ("gnome-keyring-daemon", "dbus-run-session")


@pytest.mark.skipif(
    not all(map(shutil.which, NEEDED)), reason="gnome-keyring is not installed: nothing is proven about a real keyring"
)
def test_a_real_keyring_keeps_the_devices_secret(tmp_path: Path) -> None:
    env = clean_env(tmp_path / "home")
    env.pop("PYTHON_KEYRING_BACKEND", None)
    env["PYTHONPATH"] = str(PROJECT)
    profile = tmp_path / "profile"
    # the daemon in front, so that it ends with its session
    script = """
        for day in 1 2; do
            printf %s "$2" | gnome-keyring-daemon --foreground --unlock --components=secrets & keyring=$!
            for i in $(seq 100); do
                dbus-send --session --dest=org.freedesktop.DBus --print-reply /org/freedesktop/DBus \\
                    org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets | grep -q 'boolean true' && break
                sleep 0.1
            done
            "$0" -m tests.support.keyring_day "$1"; status=$?
            kill $keyring; wait $keyring
            [ $status = 0 ] || exit $status
        done
    """
    command = ["dbus-run-session", "--", "bash", "-c", script, sys.executable, str(profile), PASSWORD]
    ran = subprocess.run(command, env=env, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    first, second = (json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{"))
    seen = {**first, **second}
    secret = seen.pop("secret")
    words = seen.pop("locked: words")
    assert seen == {
        "keyring": True,
        "opens at the start": True,
        "locked: says its name": "d1",
        "locked: opens by signing in": True,
        "unlocked: opens at the start": True,
    }
    assert "DATA-040" in words
    assert "解锁" in words
    for path in (*profile.rglob("*"), *(tmp_path / "home").rglob("*")):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
    assert list((tmp_path / "home").rglob("*.keyring")), "the keyring is where this test has looked"
