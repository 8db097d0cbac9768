"""SM2 keys on a token. SoftHSM keeps keys of this curve but signs by ECDSA alone: what is proven here is finding
the key, the way to the token and back, and its errors; not that any maker's SM2 mechanism signs rightly.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.clean_env import clean_env
from tests.support.softhsm import LIBRARIES, PIN

ECDSA, VENDOR = 0x1041, 0x80000100
SCRIPT = """
import json, sys
import pkcs11
from pkcs11 import Attribute, KeyType
from modules.common.errors import GovDeskError
from modules.common.gm import curve, der
from modules.common.gm.tokens import find_key
library, pin, curve_oid, mechanism = sys.argv[1:5]
[token] = [slot.get_token() for slot in pkcs11.lib(library).get_slots(token_present=True)
           if slot.get_token().label == "sm2"]
digest = bytes(range(32))
with token.open(user_pin=pin, rw=True) as session:
    parameters = session.create_domain_parameters(KeyType.EC, {Attribute.EC_PARAMS: der.oid(curve_oid)}, local=True)
    parameters.generate_keypair(store=True, label="seal", id=b"1")
    try:
        key = find_key(session, int(mechanism), "seal")
        r, s = key.sign_digest(digest)
        inverse = pow(s, -1, curve.N)
        e = int.from_bytes(digest)
        point = curve.multiply_two(e * inverse % curve.N, r * inverse % curve.N, curve.decode(key.point))
        print(json.dumps({"r": hex(r), "x": hex(point[0] % curve.N), "constant_time": key.constant_time}))
    except GovDeskError as error:
        print(json.dumps({"code": error.code}))
"""


@pytest.fixture
def ask(tmp_path: Path) -> Any:
    library = next((path for path in LIBRARIES if Path(path).exists()), "")
    if not library or not shutil.which("softhsm2-util"):
        pytest.skip("SoftHSM 2 is not installed: nothing is proven about tokens here")
    (tmp_path / "tokens").mkdir()
    configuration = tmp_path / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tmp_path / 'tokens'}\nlog.level = ERROR\n", "utf-8")
    env = clean_env(tmp_path / "home", SOFTHSM2_CONF=str(configuration))
    command = ["softhsm2-util", "--init-token", "--free", "--label", "sm2", "--pin", PIN, "--so-pin", "12345678"]
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)

    def run(curve: str, mechanism: int) -> dict[str, Any]:
        words = [sys.executable, "-W", "ignore", "-c", SCRIPT, library, PIN, curve, str(mechanism)]
        done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60)
        if "FunctionFailed" in done.stderr or "CurveNotSupported" in done.stderr or "DomainParams" in done.stderr:
            pytest.skip("this SoftHSM keeps no keys of the SM2 curve: nothing is proven about tokens here")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return run


def test_a_key_of_the_curve_is_found_and_used(ask: Any) -> None:
    said = ask("1.2.156.10197.1.301", ECDSA)
    assert said["r"] == said["x"]
    assert said["constant_time"]


def test_a_token_without_the_makers_mechanism_says_so(ask: Any) -> None:
    assert ask("1.2.156.10197.1.301", VENDOR) == {"code": "GM-002"}


def test_a_token_with_other_keys_says_so(ask: Any) -> None:
    assert ask("1.2.840.10045.3.1.7", ECDSA) == {"code": "GM-001"}
