"""Numbers that identify people and organisations: how they are built, and what is wrong with one.

Every check returns a ``Refusal`` whose sentence says where to look, or None. Input as people type it
(full-width digits, spaces, a lower-case x) is normalised first by ``normalise``.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date

from modules.common.errors import Refusal
from modules.common.text import tr

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"
_PROVINCES = frozenset(
    {*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66), 71, 81, 82, 83}
)
"""First two digits of GB/T 2260; 81, 82 and 83 stand on residence permits of Hong Kong, Macao and Taiwan people."""
_CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_LANDLINE = re.compile(r"0[0-9]{2,3}-?[2-9][0-9]{6,7}(-[0-9]{1,6})?")


def normalise(text: str) -> str:
    """Half-width, upper case, without spaces: what was meant by what was typed."""
    return "".join(unicodedata.normalize("NFKC", text).split()).upper()


@dataclass(frozen=True, slots=True)
class ResidentId:
    """What a sound 18-digit identity number says. ``kind``: resident, hmt or foreigner; ``sex``: 男 or 女."""

    number: str
    kind: str
    birth: date
    sex: str


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
        return Refusal("ID-005", tr("这是 15 位旧身份号码，已停止使用。请按现行身份证录入 18 位号码。"))
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


def masked(number: str) -> str:
    """An identity number for papers that others may see: the middle is covered, ``110105********002X``."""
    if len(number) <= 4:
        return "*" * len(number)
    head, tail = (6, 4) if len(number) >= 15 else (1, 2)
    return number[:head] + "*" * (len(number) - head - tail) + number[-tail:]


def check_phone(text: str) -> Refusal | None:
    """What is wrong with a Chinese mobile or landline number (with area code), or None. Code ID-021."""
    number = normalise(text)
    if _MOBILE.fullmatch(number) or _LANDLINE.fullmatch(number):
        return None
    if number.isdigit() and number.startswith("1"):
        return Refusal("ID-021", tr("手机号码应为 11 位、以 13–19 开头，现为 {n} 位，请核对。", n=len(number)))
    return Refusal("ID-021", tr("电话应为 11 位手机号码，或带区号的固定电话，如 0550-3021234。"))


def credit_check_digit(first17: str) -> str:
    """The 18th character for 17 others (GB 32100-2015, annex A)."""
    total = sum(_CREDIT_ALPHABET.index(mark) * pow(3, place, 31) for place, mark in enumerate(first17))
    return _CREDIT_ALPHABET[-total % 31]


def check_credit_code(text: str) -> Refusal | None:
    """What is wrong with a unified social credit code (GB 32100-2015), or None.

    Codes: ID-031 length, ID-032 characters, ID-033 check digit.
    """
    code = normalise(text)
    if len(code) != 18:
        return Refusal("ID-031", tr("统一社会信用代码应为 18 位，现为 {n} 位。", n=len(code)))
    if wrong := [position for position, mark in enumerate(code, 1) if mark not in _CREDIT_ALPHABET]:
        return Refusal(
            "ID-032",
            tr(
                "统一社会信用代码第 {where} 位有误：只用数字和不含 I、O、S、V、Z 的大写字母。",
                where="、".join(map(str, wrong)),
            ),
        )
    if code[17] != (check := credit_check_digit(code[:17])):
        return Refusal(
            "ID-033",
            tr(
                "统一社会信用代码校验不符：按前 17 位，末位应为 {check}，现为 {last}。请对照证照逐位核对。",
                check=check,
                last=code[17],
            ),
        )
    return None
