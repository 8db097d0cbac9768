"""The text of identity cards: four layouts, there and back."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.drivers import id_text
from devices.ports import DeviceError, IdentityRecord
from devices.simulators.cards import CARDS
from modules.common.codes import ResidentId, read_resident_id


def padded(*fields: tuple[str, int]) -> bytes:
    """Fields by hand, independently of the encoder: text and its width in bytes."""
    text = b"".join(value.ljust(width // 2).encode("utf-16-le") for value, width in fields)
    assert len(text) == 256
    return text


def resident(**changed: str) -> bytes:
    values = {
        "name": "张三", "sex": "1", "nation": "01", "birth": "19900512", "address": "训练路1号",
        "id": "341103199005120015", "issuer": "示范市公安局", "from": "20160301", "to": "长期", "rest": "",
    } | changed  # fmt: skip
    return padded(*zip(values.values(), (30, 2, 4, 16, 70, 36, 30, 16, 16, 36), strict=True))


def test_a_resident_card() -> None:
    assert id_text.decode(resident(), b"wlt") == IdentityRecord(
        kind="resident",
        name="张三",
        id_number="341103199005120015",
        sex="男",
        birth=date(1990, 5, 12),
        nation="汉",
        address="训练路1号",
        issuer="示范市公安局",
        valid_from=date(2016, 3, 1),
        valid_to=None,
        photo=b"wlt",
    )


def test_a_hong_kong_macao_taiwan_permit() -> None:
    record = id_text.decode(
        padded(
            ("甄港生", 30), ("2", 2), ("", 4), ("19910606", 16), ("训练路6号", 70), ("810000199106060012", 36),
            ("示范市公安局", 30), ("20230410", 16), ("20280410", 16), ("H12345678", 18), ("02", 4),
            ("", 6), ("J", 2), ("", 6),
        )
    )  # fmt: skip
    assert (record.kind, record.name, record.sex, record.nation) == ("hmt", "甄港生", "女", "")
    assert (record.pass_number, record.valid_to) == ("H12345678", date(2028, 4, 10))


def test_a_foreigner_card_of_2017() -> None:
    record = id_text.decode(
        padded(
            ("DOE, JANE", 120), ("2", 2), ("USA110085010101", 30), ("USA", 6), ("", 30), ("20180101", 16),
            ("20280101", 16), ("19850101", 16), ("01", 4), ("1500", 8), ("I", 2), ("", 6),
        )
    )  # fmt: skip
    assert (record.kind, record.id_number, record.nationality) == ("foreigner2017", "USA110085010101", "USA")
    assert record.name == record.english_name == "DOE, JANE", "a card without a Chinese name is named in English"
    assert (record.birth, record.valid_from, record.issuer) == (date(1985, 1, 1), date(2018, 1, 1), "1500")


def test_a_foreigner_card_of_2023_with_a_name_in_two_fields() -> None:
    record = id_text.decode(
        padded(
            ("史密斯", 30), ("1", 2), ("00", 4), ("19850101", 16), ("A" * 34, 70), ("934840198501010016", 36), ("", 30),
            ("20240108", 16), ("20340107", 16), ("B", 22), ("USA", 6), ("Y", 2), ("", 6),
        )
    )  # fmt: skip
    assert (record.kind, record.name, record.id_number) == ("foreigner2023", "史密斯", "934840198501010016")
    assert record.english_name == "A" * 34 + " B", "the space at the fields' border belongs to the name"


@pytest.mark.parametrize("name", ["𬭎䶮", "龙\ue863\ue000", "阿卜杜热合曼·示范江·训练甲乙"])
def test_rare_characters_survive(name: str) -> None:
    rows = len(name.encode("utf-16-le"))
    assert id_text.decode(name.encode("utf-16-le") + b" \0" * ((30 - rows) // 2) + resident()[30:]).name == name


@pytest.mark.parametrize(
    ("code", "name"), [("05", "维吾尔"), ("56", "基诺"), ("97", "其他"), ("98", "外国血统中国籍人士"), ("77", "77")]
)
def test_nations(code: str, name: str) -> None:
    assert id_text.decode(resident(nation=code)).nation == name


@pytest.mark.parametrize(
    "text",
    [
        resident(birth="19900231"),
        resident(birth="1990051"),
        resident(birth="١٩٩٠٠٥١٢"),
        resident(to=""),
        resident(to="20350229"),
        resident(sex="5"),
        resident(name=""),
        resident(id=""),
        resident()[:248] + "Q".encode("utf-16-le") + resident()[250:],
        b"\x00\xd8" + resident()[2:],
        resident()[:254],
        b"",
    ],
)
def test_what_no_card_may_say_is_unreadable(text: bytes) -> None:
    with pytest.raises(DeviceError) as caught:
        id_text.decode(text)
    assert caught.value.code == "DEV-104"
    assert caught.value.message
    assert caught.value.fix
    assert caught.value.__cause__ is None, "a cause would carry the card's text"


@given(st.binary(min_size=256, max_size=256) | st.binary(max_size=300))
def test_arbitrary_bytes_are_a_record_or_unreadable(text: bytes) -> None:
    try:
        name = id_text.decode(text).name
    except DeviceError as error:
        name = {"DEV-104": "unreadable"}[error.code]
    assert name


def words(units: int, least: int = 0) -> st.SearchStrategy[str]:
    """Text of at most ``units`` UTF-16 units that does not end in padding."""
    letters = st.characters(exclude_categories=["Cs", "Cc"])
    return (
        st.text(letters, min_size=least, max_size=units)
        .map(lambda text: text.rstrip(" \0"))
        .filter(lambda text: least <= len(text) and len(text.encode("utf-16-le")) <= 2 * units)
    )


def record_strategy() -> st.SearchStrategy[IdentityRecord]:
    days = st.dates(min_value=date(1000, 1, 1))
    common = {
        "name": words(15, 1),
        "id_number": words(15, 1),
        "sex": st.sampled_from(["未知", "男", "女", "未说明"]),
        "birth": st.none() | days,
        "valid_from": st.none() | days,
        "valid_to": st.none() | days,
        "photo": st.binary(max_size=8),
    }
    home = {"address": words(35), "issuer": words(15)}
    abroad = {"nationality": st.sampled_from(["USA", "RUS", ""])}
    return st.one_of(
        st.builds(
            IdentityRecord,
            kind=st.just("resident"),
            nation=st.sampled_from(sorted(id_text.NATIONS.values())),
            **common,
            **home,
        ),
        st.builds(IdentityRecord, kind=st.just("hmt"), pass_number=words(9), **common, **home),
        st.builds(
            IdentityRecord, kind=st.just("foreigner2017"), english_name=words(60), issuer=words(4), **common, **abroad
        ),
        st.builds(IdentityRecord, kind=st.just("foreigner2023"), english_name=words(46), **common, **abroad),
    )


@given(record_strategy())
def test_what_is_encoded_is_decoded(record: IdentityRecord) -> None:
    try:
        text = id_text.encode(record)
    except ValueError:
        # Only a rare character cut by the border of the English name's two fields has no place on a card.
        assert record.kind == "foreigner2023"
        return
    assert len(text) == 256
    assert id_text.decode(text, record.photo) == record


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="name is longer than 15"):
        id_text.encode(IdentityRecord(kind="resident", name="长" * 16, id_number="1", sex="男", birth=None))


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_training_cards_are_well_formed_and_labelled(card: object) -> None:
    record = CARDS[card.key].record  # type: ignore[attr-defined]
    checked = read_resident_id(record.id_number)
    assert isinstance(checked, ResidentId), checked
    assert (checked.birth, checked.sex) == (record.birth, record.sex)
    assert CARDS[card.key].label.startswith("训练卡")  # type: ignore[attr-defined]
    assert id_text.decode(id_text.encode(record)) == record
