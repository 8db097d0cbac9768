"""Numbers that identify people: how each kind of card builds them, and what is wrong with one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from modules.common.codes.regions import region, region_name
from modules.common.codes.typed import normalise
from modules.common.errors import Refusal
from modules.common.text import tr

ID_KINDS = ("resident", "hmt", "foreigner", "passport", "travel", "other")
"""The kinds of papers that people show: identity card, residence permit of HK/Macau/Taiwan people, foreigner's
permanent residence card, passport, travel permit to the Mainland, any other."""
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"
_PROVINCES = frozenset(
    {*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66), 71, 81, 82, 83}
)
"""First two digits of GB/T 2260; 81, 82 and 83 stand on residence permits of Hong Kong, Macao and Taiwan people."""
_HMT = ("810000", "820000", "830000")
_PASSPORT = re.compile(r"(?=.*[0-9])[A-Z0-9]{5,17}")
_CHINESE_PASSPORT = re.compile(r"E[A-HJ-NP-Z0-9][0-9]{7}|[GDSPHMK][0-9]{7,8}|[DSPKM][A-Z][0-9]{7}|1[45][0-9]{7}")
_TRAVEL = re.compile(r"[HM][A-Z0-9][0-9]{7}([0-9]{2})?|[0-9]{8}|[0-9]{10}[A-Z]?")


@dataclass(frozen=True, slots=True)
class ResidentId:
    """What a sound 18-digit identity number says. ``kind``: resident, hmt or foreigner; ``sex``: 男 or 女."""

    number: str
    kind: str
    birth: date
    sex: str


@dataclass(frozen=True, slots=True)
class ForeignerId:
    """What a foreigner's permanent residence number says. ``version``: 2017 or 2023; ``nation``: three letters of
    ISO 3166 (2017) or its three digits (2023); ``birth`` is None where two digits of a year are all there is."""

    number: str
    version: int
    nation: str
    birth: date | None


def resident_check_digit(first17: str) -> str:
    """The 18th character for 17 digits (GB 11643-1999, 4.3; ISO 7064 MOD 11-2)."""
    return _ID_CHECKS[sum(int(digit) * weight for digit, weight in zip(first17, _ID_WEIGHTS, strict=True)) % 11]


def read_resident_id(text: str, today: date | None = None) -> ResidentId | Refusal:
    """An 18-digit identity number taken apart, or what is wrong with it (GB 11643-1999).

    Residence permits of Hong Kong, Macao and Taiwan people and foreigners' cards of 2023 (9…) are built
    alike. Region codes are not looked up, since abolished ones stay in force for those born there. Without
    ``today`` a birth in the future is not noticed. Codes: ID-001 length, ID-002 characters, ID-003 date,
    ID-004 check digit, ID-005 an old 15-digit number, ID-006 region, ID-007 birth in the future.
    """
    number = normalise(text)
    if re.fullmatch(r"[0-9]{15}", number):
        return Refusal("ID-005", _old_number(number))
    if len(number) != 18:
        return Refusal("ID-001", tr("身份号码应为 18 位，现为 {n} 位。", n=len(number)))
    if wrong := [position for position, mark in enumerate(number[:17], 1) if mark not in "0123456789"]:
        return Refusal("ID-002", tr("身份号码第 {where} 位应为数字。", where="、".join(map(str, wrong))))
    if number[17] not in "0123456789X":
        return Refusal("ID-002", tr("身份号码第 18 位应为数字或 X。"))
    if number[0] != "9" and int(number[:2]) not in _PROVINCES:
        return Refusal("ID-006", tr("身份号码开头的“{region}”不是任何省级地区，请核对前 6 位。", region=number[:2]))
    birth = _birth(number)
    if birth is None:
        return Refusal(
            "ID-003", tr("身份号码第 7–14 位“{digits}”不是存在的日期，请核对出生日期。", digits=number[6:14])
        )
    if today is not None and birth > today:
        return Refusal("ID-007", tr("身份号码第 7–14 位“{digits}”是将来的日期，请核对出生日期。", digits=number[6:14]))
    if number[17] != (check := resident_check_digit(number[:17])):
        return Refusal("ID-004", _check_advice(number, check))
    kind = "foreigner" if number[0] == "9" else "hmt" if number[:2] in ("81", "82", "83") else "resident"
    return ResidentId(number, kind, birth, "男" if int(number[16]) % 2 else "女")


def check_resident_id(text: str, today: date | None = None) -> Refusal | None:
    """What is wrong with an identity number, or None; see ``read_resident_id``."""
    outcome = read_resident_id(text, today)
    return outcome if isinstance(outcome, Refusal) else None


def upgraded(old: str) -> str:
    """The 18-digit number that an old 15-digit one became (GB 11643-1999: 19 before the year, a check digit behind).

    Empty for what is no such number. Not for those of a hundred years and more, whose last three were 996–999.
    """
    number = normalise(old)
    if not re.fullmatch(r"[0-9]{15}", number) or number[12:] in ("996", "997", "998", "999"):
        return ""
    first = f"{number[:6]}19{number[6:]}"
    return first + resident_check_digit(first) if _birth(first) else ""


def _old_number(number: str) -> str:
    sentence = tr("这是 15 位旧身份号码，已停止使用。请按现行身份证录入 18 位号码。")
    if meant := upgraded(number):
        sentence += tr("按规则它对应 {number}，以证件为准。", number=meant)
    return sentence


def check_hmt_permit(text: str, today: date | None = None) -> Refusal | None:
    """What is wrong with the number of a residence permit of HK, Macau or Taiwan people, or None.

    Built as an identity number, with 810000, 820000 or 830000 for the region. Codes of ``read_resident_id``, and
    ID-008 another region.
    """
    read = read_resident_id(text, today)
    if isinstance(read, Refusal):
        return read
    if read.number[:6] not in _HMT:
        return Refusal("ID-008", tr("港澳台居民居住证的号码应以 810000、820000 或 830000 开头，请核对证件种类。"))
    return None


def read_foreigner_id(text: str, today: date | None = None) -> ForeignerId | Refusal:
    """A foreigner's permanent residence number taken apart, or what is wrong with it.

    2017: 15 characters – 3 letters of the nation, 4 digits of the region, 6 of the birth (yymmdd), 1 serial, 1
    check, whose rule is not published and so not judged. 2023: 18 digits – 9, 2 of the region, 3 of the nation, 8 of
    the birth, 3 serial, 1 check as GB 11643. Codes of ``read_resident_id`` for the latter, and ID-011 shape, ID-012
    date.
    """
    number = normalise(text)
    if len(number) == 18 and number[0] == "9":
        read = read_resident_id(number, today)
        return read if isinstance(read, Refusal) else ForeignerId(number, 2023, number[3:6], read.birth)
    if not re.fullmatch(r"[A-Z]{3}[0-9]{12}", number):
        return Refusal(
            "ID-011",
            tr("外国人永久居留身份证号码应为 3 个字母加 12 位数字（2017 版），或以 9 开头的 18 位（2023 版）。"),
        )
    if not any(_is_date(f"{century}{number[7:13]}") for century in ("19", "20")):
        return Refusal("ID-012", tr("号码第 8–13 位“{digits}”不是存在的日期，请核对出生日期。", digits=number[7:13]))
    return ForeignerId(number, 2017, number[:3], None)


def check_foreigner_id(text: str, today: date | None = None) -> Refusal | None:
    """What is wrong with a foreigner's permanent residence number, or None; see ``read_foreigner_id``."""
    outcome = read_foreigner_id(text, today)
    return outcome if isinstance(outcome, Refusal) else None


def check_passport(text: str) -> Refusal | None:
    """What is wrong with a passport's number, or None: letters and digits as ICAO 9303 lets states choose. ID-014."""
    number = normalise(text)
    if _PASSPORT.fullmatch(number):
        return None
    return Refusal("ID-014", tr("护照号码只有大写字母和数字，5–17 位，请核对。"))


def is_chinese_passport(text: str) -> bool:
    """Whether a number looks like one of the passports that China issues or issued."""
    return bool(_CHINESE_PASSPORT.fullmatch(normalise(text)))


def check_travel_permit(text: str) -> Refusal | None:
    """What is wrong with the number of a travel permit to the Mainland, or None. ID-015.

    HK and Macau people: H or M and 8 characters (10 on the older cards); Taiwan people: 8 digits (10 and a letter on
    the older booklets).
    """
    if _TRAVEL.fullmatch(normalise(text)):
        return None
    return Refusal("ID-015", tr("来往大陆（内地）通行证号码应为 H 或 M 加 8 位（港澳），或 8 位数字（台湾），请核对。"))


def check_id(kind: str, text: str, today: date | None = None) -> Refusal | None:
    """What is wrong with the number of a paper of one of ``ID_KINDS``, or None; ID-016 for none at all."""
    number = normalise(text)
    match kind:
        case "resident":
            read = read_resident_id(number, today)
            if isinstance(read, Refusal):
                return read
            if read.kind == "resident":
                return None
            words = {"hmt": tr("港澳台居民居住证"), "foreigner": tr("外国人永久居留身份证")}[read.kind]
            return Refusal("ID-009", tr("这是{kind}的号码，请改选证件种类。", kind=words))
        case "hmt":
            return check_hmt_permit(number, today)
        case "foreigner":
            return check_foreigner_id(number, today)
        case "passport":
            return check_passport(number)
        case "travel":
            return check_travel_permit(number)
    if re.fullmatch(r"[\w(][\w()/-]{2,28}[\w)]", number):
        return None
    return Refusal("ID-016", tr("证件号码应为 4–30 位字母、数字，请核对。"))


def birthplace(number: str) -> str:
    """The region that an identity number names, as it was called in the year of birth; nothing for other numbers.

    An abolished code is found all the same: it stays in the numbers of those born there.
    """
    read = read_resident_id(number)
    if isinstance(read, Refusal) or read.kind != "resident" or not region(read.number[:6]):
        return ""
    return region_name(read.number[:6], read.birth.year)


def _is_date(digits: str) -> bool:
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return False
    return True


def _birth(number: str) -> date | None:
    try:
        birth = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None
    return birth if birth.year >= 1850 else None


def _check_advice(number: str, check: str) -> str:
    """Where to look: the last digit, and neighbours whose swap would explain it (a tenth of them do by chance)."""
    swaps = []
    for at in range(17):
        other = number[:at] + number[at + 1] + number[at] + number[at + 2 :]
        swapped = other != number and other[:17].isdigit() and _birth(other) is not None
        if swapped and resident_check_digit(other[:17]) == other[17]:
            swaps.append(tr("第 {a} 与第 {b} 位", a=at + 1, b=at + 2))
    sentence = tr("身份号码校验不符：按前 17 位，末位应为 {check}，现为 {last}。", check=check, last=number[17])
    if swaps:
        return sentence + tr("请对照证件核对，看{where}是否录颠倒了。", where="、".join(swaps))
    return sentence + tr("请对照证件核对第 7–14 位出生日期和第 15–18 位。")
