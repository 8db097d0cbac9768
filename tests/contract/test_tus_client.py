"""The server as somebody else's tus client sees it: tuspy, of the authors of the protocol, in a folder of its own."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from client.data.profile import Profile
from modules.common.clock import SystemClock
from sync.accounts import Accounts
from sync.protocol import STATEMENT_HEADER, UPLOAD_PATH
from sync.transport import HttpTransport
from sync.uploads import Uploads
from tests.support.clean_env import clean_env
from tests.support.faults.counter import CHEAP
from tests.support.sending import MIB, document
from tests.support.servers import server

pytestmark = pytest.mark.full
TUSPY = "tuspy==1.1.0"
SENDER = """
import json, sys
import requests
from tusclient.client import TusClient
said = json.loads(sys.argv[1])
made = requests.Session.__init__
def showing(self):
    made(self)
    self.cert = said["identity"]
requests.Session.__init__ = showing
client = TusClient(said["url"], headers=said["headers"])
metadata = {"sha256": said["name"], "filetype": "application/pdf"}
uploader = client.uploader(said["file"], chunk_size=said["chunk"], metadata=metadata, url=said["place"])
if said["place"]:
    assert uploader.offset == said["offset"], uploader.offset
uploader.upload(stop_at=said["stop"])
print(json.dumps([uploader.url, uploader.offset]))
"""


@pytest.fixture(scope="module")
def tuspy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the client in it; skips, with the reason, where it cannot be had."""
    folder = tmp_path_factory.mktemp("tuspy")
    uv = shutil.which("uv")
    install = [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install"]
    done = subprocess.run(
        [*install, "--quiet", "--target", str(folder), TUSPY], capture_output=True, text=True, timeout=180
    )
    if done.returncode:
        why = done.stderr[-300:]
        pytest.skip(f"{TUSPY} could not be installed: nothing is proven about foreign clients here\n{why}")
    return folder


def test_a_foreign_client_sends_stops_and_goes_on(tuspy: Path, tmp_path: Path) -> None:
    file = tmp_path / "scan.pdf"
    name = document(file, 3 * MIB + 1)
    with server(tmp_path) as running:
        profile = Profile(tmp_path / "profile")
        accounts = Accounts(profile, SystemClock(), cost=CHEAP)
        accounts.enrol(running.url, running.codes["3号窗"])
        statement = accounts.sign_in("zhangsan", "Govdesk-2026").statement
        http = accounts.transport
        assert isinstance(http, HttpTransport)
        identity = tmp_path / "foreign.pem"
        pem = profile.certificate.read_bytes()
        secret = accounts.credential._secret
        assert secret is not None
        key = load_pem_private_key(pem, secret.encode())
        plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        identity.write_bytes(plain + pem[pem.index(b"-----BEGIN CERTIFICATE") :])
        ours = Uploads(http, lambda: statement)

        def send(place: str | None, offset: int, stop: int) -> tuple[str, int]:
            said = {
                "url": running.url + UPLOAD_PATH,
                "headers": {STATEMENT_HEADER: statement},
                "identity": str(identity),
                "name": name,
                "file": str(file),
                "chunk": MIB // 2,
                "place": place,
                "offset": offset,
                "stop": stop,
            }
            environment = clean_env(tmp_path / "home", PYTHONPATH=str(tuspy), REQUESTS_CA_BUNDLE=str(running.ca))
            done = subprocess.run(
                [sys.executable, "-c", SENDER, json.dumps(said)], env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr[-2000:]
            place, offset = json.loads(done.stdout)
            return str(place), offset

        place, offset = send(None, 0, MIB)
        assert (place, offset) == (f"{running.url}{UPLOAD_PATH}/{name}", MIB)
        assert ours.offset(name) == MIB, "both speak of the same upload"
        # ours goes on for a while, and the foreign client finds where
        with file.open("rb") as content:
            content.seek(MIB)
            assert ours.append(name, 3 * MIB + 1, MIB, content.read(1000)) == MIB + 1000
        assert send(place, MIB + 1000, 3 * MIB + 1) == (place, 3 * MIB + 1)
        received = b"".join(ours.fetch(name, 0))
        assert hashlib.sha256(received).hexdigest() == name
        accounts.close()
        profile.close()
