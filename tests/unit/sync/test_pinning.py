"""The server's key, pinned: a renewed certificate passes, another key of the same authority does not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from client.driver.relay import Relay
from modules.common.clock import FixedClock
from modules.common.errors import GovDeskError
from sync.transport import HttpTransport, Nobody
from tests.support.https_peer import Authority, HttpsPeer
from tests.support.reference_server import ReferenceServer


class Place:
    """A server that can be started anew, behind one address, and a client that has pinned it."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.server = ReferenceServer(FixedClock(datetime(2026, 11, 20, tzinfo=UTC)))
        self.peer = HttpsPeer(self.authority, self.server)
        self.line = Relay(("127.0.0.1", self._port()))
        self.identity = Nobody(self.authority.ca, pins=frozenset(self.authority.made.pins[:1]))
        self.http = HttpTransport(f"https://127.0.0.1:{self.line.port}", self.identity)

    def _port(self) -> int:
        return urlsplit(self.peer.url).port or 0

    def again(self) -> None:
        """Start the server with the certificate and key that the authority has now."""
        self.http.close()
        self.peer.close()
        self.peer = HttpsPeer(self.authority, self.server)
        self.line.retarget(("127.0.0.1", self._port()))

    def refusal(self) -> GovDeskError:
        with pytest.raises(GovDeskError) as caught:
            self.http.hello()
        return caught.value

    def close(self) -> None:
        self.http.close()
        self.line.close()
        self.peer.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.close()


def test_a_renewed_certificate_of_the_same_key_passes(place: Place) -> None:
    assert place.http.hello().epoch == "e1"
    place.authority.renew()
    place.again()
    assert place.http.hello().epoch == "e1"


def test_another_key_of_the_same_authority_is_refused_before_a_word_is_said(place: Place) -> None:
    announced = frozenset(place.authority.made.pins)
    place.authority.rotate()
    place.again()
    error = place.refusal()
    assert (error.code, "密码" in error.fix) == ("NET-009", True)
    assert place.peer.seen == []
    place.identity.pins = announced
    assert place.http.hello().epoch == "e1", "the next key was announced beforehand"


def test_nothing_but_the_pinned_authority_is_trusted_after_a_question(place: Place) -> None:
    place.http.hello()
    assert place.http._context is not None
    assert len(place.http._context[1].get_ca_certs()) == 1


def test_one_line_carries_many_questions_and_is_opened_anew_for_another_identity(place: Place) -> None:
    for _ in range(5):
        place.http.hello()
    assert place.line.connections == 1
    place.identity.generation += 1
    for _ in range(5):
        place.http.hello()
    assert place.line.connections == 2
