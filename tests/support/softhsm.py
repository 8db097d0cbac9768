"""A software token (SoftHSM 2) with keys and certificates, in a folder of the test's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.clean_env import clean_env

PIN = "24681357"
_SO_PIN = "87654321"
LIBRARIES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
_MAKE = """
import json, sys
import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, CertificateType
from pkcs11.util.ec import encode_named_curve_parameters, encode_ec_public_key
from pkcs11.util.rsa import encode_rsa_public_key
library, pin, label, kind, derives = sys.argv[1:6]
[token] = [slot.get_token() for slot in pkcs11.lib(library).get_slots(token_present=True)
           if slot.get_token().label == label]
id = b"\\x01"
with token.open(user_pin=pin, rw=True) as session:
    if kind == "rsa":
        public, private = session.generate_keypair(KeyType.RSA, 2048, store=True, label="sign", id=id)
        der = encode_rsa_public_key(public)
    else:
        curve = {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
        parameters = session.create_domain_parameters(KeyType.EC, curve, local=True)
        template = {} if derives == "1" else {Attribute.DERIVE: False}
        public, private = parameters.generate_keypair(store=True, label="sign", id=id, private_template=template)
        der = encode_ec_public_key(public)
    print(der.hex(), flush=True)
    certificate = bytes.fromhex(sys.stdin.readline().strip())
    session.create_object({Attribute.CLASS: ObjectClass.CERTIFICATE, Attribute.CERTIFICATE_TYPE: CertificateType.X_509,
        Attribute.TOKEN: True, Attribute.PRIVATE: False, Attribute.LABEL: "sign", Attribute.ID: id,
        Attribute.SUBJECT: b"", Attribute.VALUE: certificate})
"""


@dataclass
class SoftToken:
    """The folder of a token. ``pull_out`` and ``put_in`` are what a hand does."""

    folder: Path
    library: str

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find it."""
        return {"SOFTHSM2_CONF": str(self.folder / "softhsm2.conf")}

    def pull_out(self) -> None:
        (self.folder / "tokens").rename(self.folder / "pulled")
        (self.folder / "tokens").mkdir()

    def put_in(self) -> None:
        (self.folder / "tokens").rmdir()
        (self.folder / "pulled").rename(self.folder / "tokens")


def soft_token(
    folder: Path, authority: Any, kind: str = "rsa", *, name: str = "张三", derives: bool = True
) -> SoftToken:
    """A token with one key whose certificate ``authority`` (``tests.support.certificates``) issued to ``name``.

    Skips, with the reason, where SoftHSM is not installed.
    """
    library = next((path for path in LIBRARIES if Path(path).exists()), "")
    if not library or not shutil.which("softhsm2-util"):
        pytest.skip("SoftHSM 2 is not installed: nothing is proven about tokens here")
    from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

    (folder / "tokens").mkdir(parents=True)
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n", "utf-8")
    token = SoftToken(folder, library)
    env = clean_env(folder / "home", **token.environment)
    label = "govdesk-test"
    command = ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", _SO_PIN]
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    making = [sys.executable, "-W", "ignore", "-c", _MAKE, library, PIN, label, kind, str(int(derives))]
    with subprocess.Popen(making, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        public = load_der_public_key(bytes.fromhex(process.stdout.readline().strip()))
        certificate = authority.issue(public, name)
        process.stdin.write(certificate.public_bytes(Encoding.DER).hex() + "\n")
        process.stdin.close()
        assert process.wait(30) == 0
    return token
