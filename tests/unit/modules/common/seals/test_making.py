"""A district makes seals, hands them out encrypted, freezes, revokes and renews them; uses are registered."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.common.aggregate import Command, Context
from modules.common.calendar import WorkCalendar
from modules.common.errors import GovDeskError, Refusal
from modules.common.gm import der, sm2
from modules.common.gm.certificates import read_revocation_list
from modules.common.gm.trust import Trust
from modules.common.permissions import Actor
from modules.common.seals import register, verify
from modules.common.seals.keyfile import open_seal_file, seal_file
from modules.common.seals.making import Issued, Workshop, establish
from modules.common.seals.ofd_sealing import Holder, seal_ofd
from modules.common.seals.pictures import Design, Rank, draw, imported
from modules.common.seals.report import Stamp, Verdict
from modules.common.seals.ses import Picture
from modules.common.seals.status import SealState, Status, read_status_list
from tests.support.seal_office import PICTURE, plain_file

START = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
LATER = START + timedelta(days=10)
KEYS = [sm2.SoftKey(90_001 + number) for number in range(3)]
WORKSHOP = establish("示范区", KEYS[0], KEYS[1], START)
SIGNER = WORKSHOP.signer(KEYS[2].point, {"C": "CN", "CN": "张三"}, START)
LOOK = Picture("PNG", PICTURE, 42, 42)
PASSWORD = "Frühling-2026-公章"


def seal(workshop: Workshop = WORKSHOP, **other: Any) -> Any:
    return workshop.seal("3403040001", "示范区政务服务中心", LOOK, [SIGNER], START, **other)


def refused(code: str, call: Any, *arguments: Any, **more: Any) -> None:
    with pytest.raises(GovDeskError) as caught:
        call(*arguments, **more)
    assert caught.value.code == code


def judged(made: Any, *statuses: Status, now: datetime = LATER, signed: datetime = LATER) -> Verdict:
    sealed = seal_ofd(plain_file(1), Holder(KEYS[2], SIGNER, made), [Stamp(0, (10, 10, 42, 42))], signed)
    lists = (read_revocation_list(WORKSHOP.certificate_list({}, now)),)
    seal_lists = (WORKSHOP.seal_list(statuses, now),) if statuses else ()
    [report] = verify(sealed, Trust((WORKSHOP.root.certificate,), lists, seal_lists), now=now)
    return report.verdict


def test_a_seal_of_the_district_is_valid_for_its_signer() -> None:
    made = seal()
    assert (made.since, made.until) == (START, SIGNER.not_after)
    assert judged(made) is Verdict.VALID


def test_a_frozen_or_revoked_seal_no_longer_counts() -> None:
    made = seal()
    before, after = LATER - timedelta(days=1), LATER + timedelta(days=1)
    for state in SealState:
        assert judged(made, Status(made.id, state, before)) is Verdict.INVALID
        assert judged(made, Status(made.id, state, after)) is Verdict.WARNING
    assert judged(made, Status("another", SealState.REVOKED, before)) is Verdict.VALID


def test_a_list_of_seals_by_somebody_else_says_nothing() -> None:
    other = establish("别处", sm2.SoftKey(5), sm2.SoftKey(6), START)
    raw = other.seal_list([Status("1", SealState.REVOKED, START)], START)
    assert "1" in read_status_list(raw, other.maker.raw)
    with pytest.raises(ValueError):
        read_status_list(raw, WORKSHOP.maker.raw)
    parts = der.read(raw).sequence()
    forged = der.sequence(parts[0].raw, der.octets(WORKSHOP.maker.raw), parts[2].raw, parts[3].raw)
    with pytest.raises(ValueError):
        read_status_list(forged, WORKSHOP.maker.raw)


def test_a_renewed_seal_keeps_its_number() -> None:
    again = WORKSHOP.renew(seal(), [SIGNER], LATER)
    assert (again.id, again.since) == ("3403040001", LATER)
    assert judged(again) is Verdict.VALID
    old = WORKSHOP.renew(seal(version=1), [SIGNER], LATER)
    assert old.version == 4


def test_orders_that_will_not_do() -> None:
    refused("SEAL-010", WORKSHOP.seal, "编码", "名称", LOOK, [SIGNER], START)
    refused("SEAL-010", WORKSHOP.seal, "1", " ", LOOK, [SIGNER], START)
    refused("SEAL-010", WORKSHOP.seal, "1", "名称", LOOK, [], START)
    refused("SEAL-010", WORKSHOP.seal, "1", "名称", Picture("PNG", PICTURE, 420, 42), [SIGNER], START)
    refused("SEAL-010", WORKSHOP.seal, "1", "名称", LOOK, [SIGNER], START, START)


def test_a_seal_file_opens_with_its_password_alone() -> None:
    issued = Issued(seal(), SIGNER, KEYS[2], (WORKSHOP.root.certificate,))
    data = seal_file(issued, PASSWORD, memory_kib=64)
    assert open_seal_file(data, PASSWORD) == issued
    assert KEYS[2].secret.to_bytes(32) not in data
    refused("SEAL-013", open_seal_file, data, PASSWORD + "x")
    refused("SEAL-011", seal_file, issued, "123456")
    bare = Issued(None, SIGNER, KEYS[2])
    assert open_seal_file(seal_file(bare, PASSWORD, memory_kib=64), PASSWORD).seal is None


DATA = seal_file(Issued(seal(), SIGNER, KEYS[2]), PASSWORD, memory_kib=64)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_a_changed_seal_file_is_refused(at: int, change: int) -> None:
    changed = bytearray(DATA)
    # what it costs to open is written in it, and must not be a way to fill the memory
    changed[at] ^= change
    with pytest.raises(GovDeskError) as caught:
        open_seal_file(bytes(changed), PASSWORD)
    assert caught.value.code in ("SEAL-012", "SEAL-013")


@pytest.mark.parametrize(("rank", "size"), [(Rank.PROVINCE, 50), (Rank.CITY, 45), (Rank.COUNTY, 42)])
def test_a_seal_is_drawn_by_the_rules(rank: Rank, size: int) -> None:
    from PIL import Image

    made = draw(Design("示范区人民政府", rank))
    assert (made.width, made.height, made.kind) == (size, size, "png")
    image = Image.open(io.BytesIO(made.data)).convert("RGBA")
    assert image.size == (round(size / 25.4 * 600),) * 2
    side = image.size[0]
    middle = image.getpixel((side // 2, side // 2))
    assert middle == (230, 0, 18, 255), "the star is red"
    assert image.getpixel((3, 3))[3] == 0, "the corners are clear"  # type: ignore[index]
    assert image.getpixel((side // 2, 8))[3] == 255, "the ring is there"  # type: ignore[index]
    # the name stands above and beside the star, not below
    alpha = image.getchannel("A")
    ring = round(side * 0.05)
    above = alpha.crop((ring * 3, ring, side - ring * 3, side // 3)).histogram()[255]
    below = alpha.crop((round(side * 0.42), round(side * 0.8), round(side * 0.58), side - ring)).histogram()[255]
    assert above > 5_000
    assert below == 0
    assert draw(Design("示范区人民政府", rank)) == made


def test_what_cannot_be_drawn_is_said() -> None:
    refused("SEAL-014", draw, Design("示"))
    refused("SEAL-015", draw, Design("示范区人民政府", emblem=b"not a picture"))
    refused("SEAL-015", imported, b"not a picture", 40, 40)
    made = imported(draw(Design("示范区人民政府")).data, 40, 30)
    assert (made.kind, made.width, made.height) == ("png", 40, 30)


MAKER = Actor("m", "maker", "制章员", permissions=frozenset({register.MAKE}))
USER = Actor("u", "user", "张三", permissions=frozenset({register.USE}))
TERM = {"since": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}
ORDER = {"code": "3403040001", "name": "示范区政务服务中心", "department_id": "d1", "users": ["u"], **TERM}
SEALS, USES = register.SealRules(), register.SealUseRules()


def context(actor: Actor, now: datetime = START, **refs: Any) -> Context:
    return Context(now, actor, WorkCalendar(), refs={("seal", key): value for key, value in refs.items()})


def command(kind: str, type: str, **body: Any) -> Command:
    return Command("c", kind, "s1" if kind == "seal" else "x", type, body)


def run(state: Any, type: str, actor: Actor = MAKER, now: datetime = START, **body: Any) -> Any:
    """The state after a command, or the code of the refusal."""
    events = SEALS.decide(state, command("seal", type, **body), context(actor, now))
    if isinstance(events, Refusal):
        return events.code
    for event in events:
        state = SEALS.evolve(state, event)
    return state


def test_the_life_of_a_seal() -> None:
    assert run(None, "seal.issue", USER, **ORDER) == "AUTH-403"
    state = run(None, "seal.issue", **ORDER)
    assert (state["state"], state["term"]) == ("active", 1)
    assert run(state, "seal.issue", **ORDER) == "SEAL-020"
    assert run(state, "seal.freeze") == "SEAL-025"
    frozen = run(state, "seal.freeze", why="遗失介质")
    assert run(frozen, "seal.freeze", why="再次") == "SEAL-024"
    assert run(frozen, "seal.thaw", why="找回")["state"] == "active"
    gone = run(frozen, "seal.revoke", why="机构撤销")
    assert run(gone, "seal.thaw", why="恢复") == "SEAL-024"
    assert run(gone, "seal.renew", **TERM) == "SEAL-024"
    assert run(state, "seal.renew", **TERM) == "SEAL-026"
    late = datetime(2026, 11, 1, tzinfo=UTC)
    term = {"since": "2027-01-01T00:00:00Z", "until": "2028-01-01T00:00:00Z"}
    assert run(state, "seal.renew", now=late, since=term["until"], until=term["since"]) == "SEAL-032"
    renewed = run(state, "seal.renew", now=late, **term)
    assert (renewed["term"], renewed["until"]) == (2, term["until"])
    assert len(renewed["history"]) == 2
    assert SEALS.summary(renewed).title == "示范区政务服务中心"
    assert SEALS.scopes(renewed) == {"dept:d1", "person:u", "person:m"}


def use(sealed: Any, previous: str = "", actor: Actor = USER, now: datetime = START, **body: Any) -> Any:
    fields = {"seal": "s1", "title": "通知", "reason": "发文", "previous": previous, **body}
    events = USES.decide(
        None,
        command("seal_use", "seal_use.record", **fields),
        context(actor, now, **({"s1": sealed} if sealed else {})),
    )
    return events.code if isinstance(events, Refusal) else USES.evolve(None, events[0])


def test_only_who_was_given_an_active_seal_uses_it_and_says_what_for() -> None:
    state = run(None, "seal.issue", **ORDER)
    assert use(state)["by"] == {"id": "u", "name": "张三"}
    assert USES.scopes(use(state)) == {"dept:d1", "person:u"}
    assert use(None) == "SEAL-022"
    assert use(None, seal="made-up", seal_code="3403040001", seal_name="示范区政务服务中心") == "SEAL-022"
    assert register.record_id("GA/0001") == register.record_id("GA/0001") != register.record_id("ga/0001")
    made_elsewhere = use(None, seal="3403049999", seal_code="3403049999", seal_name="外地印章")
    assert (made_elsewhere["listed"], USES.scopes(made_elsewhere)) == (False, {"person:u"})
    assert use(state, actor=MAKER) == "AUTH-403"
    assert use(state, reason=" ") == "SEAL-028"
    assert use(run(state, "seal.freeze", why="遗失")) == "SEAL-029"
    assert use(state, now=datetime(2027, 2, 1, tzinfo=UTC)) == "SEAL-030"
    other = Actor("v", "v", "李四", permissions=frozenset({register.USE}))
    assert use(state, actor=other) == "SEAL-031"
    again = USES.decide(use(state), command("seal_use", "seal_use.record", seal="s1"), context(USER, s1=state))
    assert isinstance(again, Refusal)
    assert again.code == "SEAL-027"


@given(st.integers(1, 6), st.data())
def test_a_use_that_was_changed_or_taken_out_is_seen(count: int, data: st.DataObject) -> None:
    state = run(None, "seal.issue", **ORDER)
    uses: list[Any] = []
    for number in range(count):
        uses.append(use(state, uses[-1]["chain"] if uses else "", title=f"文件{number}"))
    assert register.broken_at(uses) == -1
    at = data.draw(st.integers(0, count - 1))
    changed = [*uses[:at], {**uses[at], "title": "另一文件"}, *uses[at + 1 :]]
    assert register.broken_at(changed) == at
    if at < count - 1:
        assert register.broken_at([*uses[:at], *uses[at + 1 :]]) == at
