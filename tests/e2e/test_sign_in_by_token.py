"""A clerk with a token at the real window: its first use, pulled out, and put back."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from client.driver.client import Driven
from client.driver.parts import PROJECT, program, screen
from tests.support.certificates import Authority
from tests.support.halls import PASSWORD, PATIENCE, Hall
from tests.support.softhsm import PIN, SoftToken, soft_token

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SoftHSM's place is Linux's")


def window_with(hall: Hall, profile: Path, soft: SoftToken, folder: Path) -> Driven:
    """A client whose bindings name the token's library."""
    bindings = folder / "devices.json"
    bindings.write_text(json.dumps({"token": {"library": soft.library}}), "utf-8")
    arguments = ["--profile", str(profile), "--server", hall.central.url, "--no-keyring", "--devices", str(bindings)]
    env = {**screen(hall.folder), "PYTHONPATH": str(PROJECT), **soft.environment}
    return Driven.launch(*arguments, "--enrol", hall.code(), program=program("client"), env=env, log=hall._log)


def test_a_token_lets_in_locks_when_it_goes_and_unlocks_when_it_is_back(
    hall: Hall, profile: Path, tmp_path: Path
) -> None:
    soft = soft_token(tmp_path / "token", Authority("某市电子认证", datetime.now(UTC)))
    with window_with(hall, profile, soft, tmp_path) as window:
        window.click("证书", role="radio", timeout=PATIENCE)
        window.wait("PIN 码", "enabled", role="field", timeout=PATIENCE)
        window.type(f"{PIN}\n", into="PIN 码")
        window.wait("用户名", "enabled", role="field", timeout=PATIENCE)
        window.type("zhangsan\n", into="用户名")
        window.type(f"{PASSWORD}\n", into="密码", role="field")
        window.wait("首页", role="part", timeout=PATIENCE)
        soft.pull_out()
        window.wait("解锁", "enabled", role="button", timeout=PATIENCE)
        soft.put_in()
        window.type(f"{PIN}\n", into="PIN 码")
        window.wait("换人登录", "gone", role="button", timeout=PATIENCE)
        assert window.quit() == 0
