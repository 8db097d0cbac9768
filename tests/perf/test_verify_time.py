"""What it costs to verify a five-page seam seal with its chains, with the machine's library and in plain Python."""

from __future__ import annotations

import time

import pytest

from modules.common.gm import certificates, sm2
from modules.common.gm.engines import PORTABLE, engine
from modules.common.seals import verify
from modules.common.seals.ofd_sealing import seal_ofd
from modules.common.seals.pictures import Design, draw
from modules.common.seals.places import seam
from modules.common.seals.report import Verdict
from tests.perf.harness import report
from tests.support.seal_office import NOW, SIGNED, office, plain_file

pytestmark = pytest.mark.perf
RUNS = 20


def cost(data: bytes, trust: object) -> float:
    """The least processor time of a verification in ms, with nothing remembered of certificates."""
    best = 1e9
    for _ in range(RUNS):
        certificates.read_certificate.cache_clear()
        sm2.z_value.cache_clear()
        began = time.process_time()
        [found] = verify(data, trust, now=NOW)  # type: ignore[arg-type]
        best = min(best, time.process_time() - began)
        assert found.verdict is Verdict.VALID
    return best * 1000


def test_a_seam_seal_is_verified_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    office_ = office()
    holder = office_.holder(picture=draw(Design("示范区政务服务中心")))
    data = seal_ofd(plain_file(5), holder, seam([(210.0, 297.0)] * 5, (42.0, 42.0), 150), SIGNED)
    if engine().name == "openssl":
        report("a five-page seam seal, with libcrypto", cost(data, office_.trust), "ms", 10)
    monkeypatch.setattr("modules.common.gm.sm2.engine", lambda: PORTABLE)
    python = cost(data, office_.trust)
    report("a five-page seam seal, in plain Python", python, "ms", 40)
    assert python < 40


def test_signatures_are_quick() -> None:
    for arithmetic in {engine(), PORTABLE}:
        key, digest = sm2.SoftKey(4711, arithmetic), bytes(range(32))
        r, s = key.sign_digest(digest)
        for what, goal, call in (
            ("verify", 2.0, lambda: arithmetic.verify(key.point, digest, r, s)),  # noqa: B023 - called at once
            ("sign", 2.0, lambda: key.sign_digest(digest)),  # noqa: B023 - called at once
        ):
            call()
            began = time.process_time()
            for _ in range(100):
                call()
            report(f"SM2 {what}, {arithmetic.name}", (time.process_time() - began) * 10, "ms", goal)
