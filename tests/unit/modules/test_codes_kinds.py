"""Every kind of card and number: published samples, round trips, and python-stdnum as a second opinion."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import luhn
from stdnum.cn import ric, uscc

from modules.common import codes
from modules.common.codes import ForeignerId, ResidentId
from modules.common.errors import Refusal

TODAY = date(2026, 11, 20)
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def code(refusal: Refusal | None) -> str | None:
    return refusal.code if refusal else None


def resident(first: str) -> str:
    return first + codes.resident_check_digit(first)


# identity numbers


@pytest.mark.parametrize(
    ("kind", "number", "wrong"),
    [
        ("resident", "11010519491231002X", None),
        ("resident", resident("81000019900101001"), "ID-009"),
        ("resident", resident("91111519900101001"), "ID-009"),
        ("resident", "110105491231002", "ID-005"),
        ("hmt", resident("81000019900101001"), None),
        ("hmt", resident("82000019900101001"), None),
        ("hmt", resident("83000019900101001"), None),
        ("hmt", "11010519491231002X", "ID-008"),
        ("hmt", resident("81000119900101001"), "ID-008"),
        ("foreigner", "CHE110081090711", None),
        ("foreigner", resident("91184019900101001"), None),
        ("foreigner", "CHE110081130711", "ID-012"),
        ("foreigner", "CH1110081090711", "ID-011"),
        ("foreigner", "11010519491231002X", "ID-011"),
        ("foreigner", resident("91184019900101001")[:-1] + "?", "ID-002"),
        ("passport", "E12345678", None),
        ("passport", "ＥＡ１２３４５６７", None),
        ("passport", "L898902C", None),
        ("passport", "ABCDEFGH", "ID-014"),
        ("passport", "E123", "ID-014"),
        ("travel", "H12345678", None),
        ("travel", "M1234567801", None),
        ("travel", "HA1234567", None),
        ("travel", "12345678", None),
        ("travel", "1234567801B", None),
        ("travel", "A12345678", "ID-015"),
        ("travel", "1234567", "ID-015"),
        ("other", "南字第0123456号", None),
        ("other", "(2026)军字12", None),
        ("other", "12", "ID-016"),
        ("other", "<script>", "ID-016"),
        ("unheard of", "12345", None),
    ],
)
def test_every_kind_of_card(kind: str, number: str, wrong: str | None) -> None:
    assert code(codes.check_id(kind, number, TODAY)) == wrong


def test_every_kind_that_is_offered_is_judged() -> None:
    for kind in codes.ID_KINDS:
        refusal = codes.check_id(kind, "", TODAY)
        assert refusal
        assert refusal.message


def test_foreigners_cards_of_both_versions() -> None:
    assert codes.read_foreigner_id("che110081090711") == ForeignerId("CHE110081090711", 2017, "CHE", None)
    number = resident("91184019900101001")
    assert codes.read_foreigner_id(number) == ForeignerId(number, 2023, "840", date(1990, 1, 1))


def test_an_old_number_is_explained_with_the_new_one() -> None:
    assert codes.upgraded("110105491231002") == "11010519491231002X"
    refusal = codes.check_resident_id("110105491231002")
    assert refusal
    assert "15 位旧身份号码" in refusal.message
    assert "11010519491231002X" in refusal.message
    assert codes.upgraded("110105491331002") == ""
    assert codes.upgraded("110105491231996") == ""
    assert codes.upgraded("11010549123100") == ""


def test_a_birthplace_is_named_as_it_was_then() -> None:
    assert codes.birthplace("11010519491231002X") == "北京市朝阳区"
    assert codes.birthplace(resident("42220119850101001")) == "湖北省孝感地区孝感市"
    assert codes.birthplace(resident("50010119970801001")) == "重庆市万县区"
    assert codes.birthplace(resident("50010120050801001")) == "重庆市万州区"
    assert codes.birthplace(resident("81000019900101001")) == ""
    assert codes.birthplace("x") == ""


@pytest.mark.parametrize("number", ["E12345678", "EA1234567", "G12345678", "DE1234567", "SE1234567", "PE1234567"])
def test_chinese_passports_are_known(number: str) -> None:
    assert codes.is_chinese_passport(number)
    assert not codes.is_chinese_passport("L898902C")


def test_resident_numbers_against_stdnum() -> None:
    """They differ in one way alone: stdnum refuses what its table of regions does not hold for the year of birth –
    HK/Macau/Taiwan and foreigners' cards, and codes that were given later or abolished before, which cards carry all
    the same (numbers are given at registration, not at birth). For a code it does not know at all it even breaks."""
    chance = random.Random(2260)
    agreed = disagreed = 0
    for _ in range(4000):
        region = chance.choice(
            ["110105", "341102", "422201", "500101", "659004", "999999", f"{chance.randrange(10**6):06}"]
        )
        born = date(1900, 1, 1) + timedelta(chance.randrange(46000))
        number = resident(f"{region}{born:%Y%m%d}{chance.randrange(1000):03}")
        if chance.random() < 0.5:
            at = chance.randrange(18)
            number = number[:at] + chance.choice("0123456789X") + number[at + 1 :]
        ours = codes.check_resident_id(number) is None
        try:
            theirs = ric.is_valid(number)
        except KeyError:
            theirs = False
        if ours == theirs:
            agreed += 1
            continue
        disagreed += 1
        assert ours, number
        held = codes.region(number[:6])
        year = int(number[6:10])
        explained = number[0] == "9" or number[:2] in ("81", "82", "83") or held is None or not held.held(year)
        assert explained, number
    assert agreed > 2500
    assert disagreed


@given(st.text("0123456789", min_size=17, max_size=17))
def test_check_digits_against_stdnum(first: str) -> None:
    assert codes.resident_check_digit(first) == ric.calc_check_digit(first + "0")
    assert codes.luhn_check_digit(first) == luhn.calc_check_digit(first)


# organisations


@pytest.mark.parametrize(
    ("number", "authority", "kind"),
    [("91350100M000100Y43", "工商", "企业"), ("91110000600037341L", "工商", "企业")],
)
def test_a_credit_code_says_what_it_is(number: str, authority: str, kind: str) -> None:
    read = codes.read_credit_code(number.lower())
    assert not isinstance(read, Refusal)
    assert (read.code, read.authority, read.kind) == (number, authority, kind)
    assert read.region == number[2:8]
    assert codes.check_organisation_code(read.organisation) is None


@pytest.mark.parametrize(
    ("first", "authority", "kind"),
    [("11", "机构编制", "机关"), ("12", "机构编制", "事业单位"), ("51", "民政", "社会团体"), ("92", "工商",
    "个体工商户"),
     ("93", "工商", "农民专业合作社"), ("N2", "农业", "村级集体经济组织"), ("A1", "中央军委改革和编制办公室",
     "军队事业单位"),
     ("39", "司法行政", "其他"), ("Y1", "其他", "其他"), ("Q1", "", ""), ("98", "工商", "")],
)  # fmt: skip
def test_registrars_and_kinds(first: str, authority: str, kind: str) -> None:
    number = f"{first}341102MA2N0000X"
    read = codes.read_credit_code(number + codes.credit_check_digit(number))
    assert not isinstance(read, Refusal)
    assert (read.authority, read.kind) == (authority, kind)


def test_credit_codes_against_stdnum() -> None:
    """They differ in one way: stdnum wants digits for the first two characters too, and so refuses A, N and Y."""
    chance = random.Random(32100)
    letters = 0
    for _ in range(4000):
        first = "".join(chance.choice(ALPHABET if place not in range(2, 8) else ALPHABET[:10]) for place in range(17))
        number = first + codes.credit_check_digit(first)
        if chance.random() < 0.5:
            at = chance.randrange(18)
            number = number[:at] + chance.choice(ALPHABET + "IOSVZ") + number[at + 1 :]
        ours, theirs = codes.check_credit_code(number) is None, uscc.is_valid(number)
        if not number[:2].isdigit():
            assert not theirs
            letters += ours
        else:
            assert ours == theirs, number
    assert letters


@given(st.from_regex("[0-9A-Z]{8}", fullmatch=True), st.integers(0, 8), st.integers(1, 9))
def test_organisation_codes(first: str, place: int, step: int) -> None:
    number = first + codes.organisation_check_digit(first)
    assert codes.check_organisation_code(number) is None
    assert codes.check_organisation_code(f"{number[:8]}-{number[8]}") is None
    if place == 8:
        wrong = "0123456789X"[("0123456789X".index(number[8]) + step) % 11]
        assert code(codes.check_organisation_code(number[:8] + wrong)) == "ID-042"


def test_organisation_code_samples() -> None:
    assert codes.check_organisation_code("D2143569-X") is None  # the sample of GB 11714-1997
    assert code(codes.check_organisation_code("D21435690")) == "ID-042"
    assert code(codes.check_organisation_code("D2143569")) == "ID-041"


# reaching and paying


@pytest.mark.parametrize(
    ("check", "good", "bad", "wrong"),
    [
        (codes.check_phone, ["13855012345", "0550-3021234", "01062345678", "0550-3021234-801", "400-800-1234",
        "8008101234"],
         ["400-80-1234", "0150-3021234", "12345", "023-1234567", ""], "ID-021"),
        (codes.check_mobile, ["13855012345", "１９９１２３４５６７８"], ["0550-3021234", "12855012345", ""], "ID-021"),
        (codes.check_postcode, ["239000", "100000", "999077", "010010"], ["2390000", "23900", "939000", "99907"],
        "ID-022"),
        (codes.check_email, ["a@b.cn", "zhang.san+1@mail.gov.cn"],
         ["a@b", "a b@c.cn", ".a@b.cn", "a..b@c.cn", "a.@b.cn", "@b.cn", "a@-b.cn", "a@b.cn" * 60, ""], "ID-023"),
        (codes.check_bank_card, ["6222 0212 3456 7890 128"], ["6222021234567890129"], "ID-052"),
        (codes.check_bank_card, ["4111111111111111", "6011-1111-1111-1117"], ["41111111111", "4111x1111111111", ""],
        "ID-051"),
        (codes.check_plate,
         ["皖M12345", "京A·88888", "皖MD12345", "沪ADA1234", "皖M12345D", "粤Z1234港", "皖M1234挂", "皖M1234学",
         "京O12345",
          "沪A0023领", "使014578", "XS1234应急", "皖m1a2b3"],
         ["皖I12345", "皖M1234O", "皖M123456", "M12345", "皖M1234", "皖MDI2345", ""], "ID-055"),
    ],
)  # fmt: skip
def test_numbers_that_reach_and_pay(check, good: list[str], bad: list[str], wrong: str) -> None:  # type: ignore[no-untyped-def]
    assert [number for number in good if check(number)] == []
    assert [(number, code(check(number))) for number in bad if code(check(number)) != wrong] == []


@given(st.text(max_size=24))
def test_no_text_breaks_any_check(text: str) -> None:
    for check in (codes.check_passport, codes.check_travel_permit, codes.check_mobile, codes.check_postcode,
                  codes.check_email, codes.check_bank_card, codes.check_plate, codes.check_region,
                  codes.check_organisation_code, codes.check_hmt_permit, codes.check_foreigner_id):  # fmt: skip
        outcome = check(text)
        assert outcome is None or (outcome.code.startswith("ID-") and outcome.message)


# amounts


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("1680.32", "壹仟陆佰捌拾元叁角贰分"), ("107000.53", "壹拾万柒仟元伍角叁分"), ("6007.14", "陆仟零柒元壹角肆分"),
        ("16409.02", "壹万陆仟肆佰零玖元零贰分"), ("325.04", "叁佰贰拾伍元零肆分"), ("1409.50", "壹仟肆佰零玖元伍角整"),
        ("0", "零元整"), ("0.05", "伍分"), ("0.30", "叁角整"), ("10", "壹拾元整"), ("100000001", "壹亿零壹元整"),
        ("10010001.10", "壹仟零壹万零壹元壹角整"), ("20000000000", "贰佰亿元整"), ("100000010000", "壹仟亿零壹万元整"),
        ("100005000", "壹亿零伍仟元整"), ("-5", "负伍元整"), ("-0.001", "零元整"), ("1e16", ""), ("NaN", ""),
    ],
)  # fmt: skip
def test_amounts_in_capitals(amount: str, words: str) -> None:
    assert codes.amount_in_capitals(Decimal(amount)) == words


@given(st.integers(0, 10**17))
def test_capitals_read_back(cents: int) -> None:
    digits = "零壹贰叁肆伍陆柒捌玖"
    text = codes.amount_in_capitals(Decimal(cents) / 100)
    if cents >= 10**18:
        return
    whole, _, rest = text.partition("元") if "元" in text else ("", "", text)
    total = group = digit = 0
    for mark in whole:
        if mark in digits:
            digit = digits.index(mark)
        elif mark in "拾佰仟":
            group, digit = group + digit * {"拾": 10, "佰": 100, "仟": 1000}[mark], 0
        else:
            total, group, digit = total + (group + digit) * {"万": 10**4, "亿": 10**8, "兆": 10**12}[mark], 0, 0
    total = (total + group + digit) * 100
    for place, mark in ((10, "角"), (1, "分")):
        if mark in rest:
            total += place * digits.index(rest[rest.index(mark) - 1])
    assert total == cents
    assert "零零" not in text


def test_the_kinds_of_a_resident_number() -> None:
    read = codes.read_resident_id(resident("91184019900101001"))
    assert isinstance(read, ResidentId)
    assert read.kind == "foreigner"
