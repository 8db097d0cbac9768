"""Numbers by which people and things are reached or paid: phones, post, mail, bank cards, licence plates."""

from __future__ import annotations

import re

from modules.common.codes.typed import normalise
from modules.common.errors import Refusal
from modules.common.text import tr

_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_LANDLINE = re.compile(r"0(10|2[0-57-9]|[3-9][0-9]{2})-?[2-9][0-9]{6,7}(-[0-9]{1,6})?")
_SERVICE = re.compile(r"[48]00-?[0-9]{3}-?[0-9]{4}")
_POSTCODE = re.compile(r"[0-8][0-9]{5}|99907[78]")
_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}"
)
_PLACES = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"
_MARK = "A-HJ-NP-Z0-9"
_PLATE = re.compile(
    rf"[{_PLACES}][A-HJ-NP-Z][{_MARK}]{{4}}[{_MARK}警学挂港澳试超领]"  # 7 characters, GA 36-2018
    rf"|[{_PLACES}]O[{_MARK}]{{5}}"  # the older plates of the police
    rf"|[{_PLACES}][A-HJ-NP-Z]([A-HJK][A-HJ-NP-Z0-9][0-9]{{4}}|[0-9]{{5}}[A-HJK])"  # new energy, 8 characters
    r"|使[0-9]{6}|[0-9]{6}使"
    r"|X[A-Z][0-9]{4}应急"
)


def check_phone(text: str) -> Refusal | None:
    """What is wrong with a Chinese mobile, landline (with area code) or 400/800 number, or None. Code ID-021."""
    number = normalise(text)
    if _MOBILE.fullmatch(number) or _LANDLINE.fullmatch(number) or _SERVICE.fullmatch(number):
        return None
    if number.isdigit() and number.startswith("1"):
        return _wrong_mobile(number)
    return Refusal("ID-021", tr("电话应为 11 位手机号码，或带区号的固定电话，如 0550-3021234。"))


def check_mobile(text: str) -> Refusal | None:
    """What is wrong with a Chinese mobile number, or None. Code ID-021."""
    number = normalise(text)
    return None if _MOBILE.fullmatch(number) else _wrong_mobile(number)


def _wrong_mobile(number: str) -> Refusal:
    return Refusal("ID-021", tr("手机号码应为 11 位、以 13–19 开头，现为 {n} 位，请核对。", n=len(number)))


def check_postcode(text: str) -> Refusal | None:
    """What is wrong with a postcode, or None. Code ID-022."""
    if _POSTCODE.fullmatch(normalise(text)):
        return None
    return Refusal("ID-022", tr("邮政编码应为 6 位数字，如 239000。"))


def check_email(text: str) -> Refusal | None:
    """What is wrong with a mail address, or None. Code ID-023."""
    if len(text) <= 254 and _EMAIL.fullmatch(text) and ".." not in text and ".@" not in text and text[0] != ".":
        return None
    return Refusal("ID-023", tr("电子邮箱应如 name@example.cn，请核对。"))


def luhn_check_digit(first: str) -> str:
    """The last digit for those before it (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, mark in enumerate(reversed(first)):
        doubled = int(mark) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)


def check_bank_card(text: str) -> Refusal | None:
    """What is wrong with a bank card's number (ISO/IEC 7812-1, Luhn), or None.

    Codes: ID-051 length or characters, ID-052 check digit.
    """
    number = normalise(text).replace("-", "")
    if not re.fullmatch(r"[0-9]{12,19}", number):
        return Refusal("ID-051", tr("银行卡号应为 12–19 位数字，请核对。"))
    if number[-1] != luhn_check_digit(number[:-1]):
        return Refusal("ID-052", tr("银行卡号校验不符，请对照卡面逐位核对。"))
    return None


def check_plate(text: str) -> Refusal | None:
    """What is wrong with a vehicle's licence plate (GA 36-2018, new energy with 8 characters), or None. Code ID-055."""
    plate = normalise(text).replace("·", "").replace("•", "")
    if _PLATE.fullmatch(plate):
        return None
    return Refusal("ID-055", tr("号牌应如 皖M12345，新能源汽车如 皖MD12345（字母不含 I、O），请核对。"))
