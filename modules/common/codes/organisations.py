"""Codes of organisations: unified social credit code (GB 32100-2015) and organisation code (GB 11714-1997)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from modules.common.codes.typed import normalise
from modules.common.errors import Refusal
from modules.common.text import tr

_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


@dataclass(frozen=True, slots=True)
class CreditCode:
    """What a sound credit code says: who registered it, what kind of body it is, where, and its organisation code."""

    code: str
    authority: str
    kind: str
    region: str
    organisation: str


def credit_check_digit(first17: str) -> str:
    """The 18th character for 17 others (GB 32100-2015, annex A)."""
    total = sum(_ALPHABET.index(mark) * pow(3, place, 31) for place, mark in enumerate(first17))
    return _ALPHABET[-total % 31]


def read_credit_code(text: str) -> CreditCode | Refusal:
    """A unified social credit code taken apart, or what is wrong with it (GB 32100-2015).

    ``authority`` and ``kind`` are words, empty where the standard has none for the character. The organisation code
    inside is not judged by GB 11714: not every registrar keeps its check digit. Codes: ID-031 length, ID-032
    characters, ID-033 check digit, ID-034 region.
    """
    code = normalise(text)
    if len(code) != 18:
        return Refusal("ID-031", tr("统一社会信用代码应为 18 位，现为 {n} 位。", n=len(code)))
    if wrong := [position for position, mark in enumerate(code, 1) if mark not in _ALPHABET]:
        return Refusal(
            "ID-032",
            tr(
                "统一社会信用代码第 {where} 位有误：只用数字和不含 I、O、S、V、Z 的大写字母。",
                where="、".join(map(str, wrong)),
            ),
        )
    if wrong := [position for position in range(3, 9) if code[position - 1] not in "0123456789"]:
        return Refusal(
            "ID-034",
            tr(
                "统一社会信用代码第 3–8 位是登记机关的区划，应为数字，请核对第 {where} 位。",
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
    authority, kinds = _registrars().get(code[0], ("", {}))
    kind = kinds.get(code[1], tr("其他") if authority and code[1] == "9" else "")
    return CreditCode(code, authority, kind, code[2:8], code[8:17])


def check_credit_code(text: str) -> Refusal | None:
    """What is wrong with a unified social credit code, or None; see ``read_credit_code``."""
    outcome = read_credit_code(text)
    return outcome if isinstance(outcome, Refusal) else None


def organisation_check_digit(first8: str) -> str:
    """The 9th character for 8 others (GB 11714-1997, 3.3): weighted sum modulo 11, X for ten."""
    total = sum(int(mark, 36) * weight for mark, weight in zip(first8, _ORGANISATION_WEIGHTS, strict=True))
    return "0123456789X"[-total % 11]


def check_organisation_code(text: str) -> Refusal | None:
    """What is wrong with an organisation code (GB 11714-1997), with or without its hyphen, or None.

    Codes: ID-041 length or characters, ID-042 check digit.
    """
    code = normalise(text).replace("-", "")
    if not re.fullmatch(r"[0-9A-Z]{8}[0-9X]", code):
        return Refusal("ID-041", tr("组织机构代码应为 8 位数字或大写字母加 1 位校验码，如 60000734-1。"))
    if code[8] != (check := organisation_check_digit(code[:8])):
        return Refusal(
            "ID-042",
            tr("组织机构代码校验不符：按前 8 位，末位应为 {check}，现为 {last}。", check=check, last=code[8]),
        )
    return None


def _registrars() -> dict[str, tuple[str, dict[str, str]]]:
    """GB 32100-2015, table 1: the first character's authority and what its second characters mean."""
    return {
        "1": (tr("机构编制"), {"1": tr("机关"), "2": tr("事业单位"), "3": tr("编办直接管理机构编制的群众团体")}),
        "2": (tr("外交"), {"1": tr("外国常驻新闻机构")}),
        "3": (
            tr("司法行政"),
            {
                "1": tr("律师执业机构"),
                "2": tr("公证处"),
                "3": tr("基层法律服务所"),
                "4": tr("司法鉴定机构"),
                "5": tr("仲裁委员会"),
            },
        ),
        "4": (tr("文化"), {"1": tr("外国在华文化中心")}),
        "5": (tr("民政"), {"1": tr("社会团体"), "2": tr("民办非企业单位"), "3": tr("基金会")}),
        "6": (tr("旅游"), {"1": tr("外国旅游部门常驻代表机构"), "2": tr("港澳台地区旅游部门常驻内地（大陆）代表机构")}),
        "7": (tr("宗教"), {"1": tr("宗教活动场所"), "2": tr("宗教院校")}),
        "8": (tr("工会"), {"1": tr("基层工会")}),
        "9": (tr("工商"), {"1": tr("企业"), "2": tr("个体工商户"), "3": tr("农民专业合作社")}),
        "A": (tr("中央军委改革和编制办公室"), {"1": tr("军队事业单位")}),
        "N": (
            tr("农业"),
            {"1": tr("组级集体经济组织"), "2": tr("村级集体经济组织"), "3": tr("乡镇级集体经济组织")},
        ),
        "Y": (tr("其他"), {"1": tr("其他")}),
    }
