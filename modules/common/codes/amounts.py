"""Amounts of money as papers write them."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
_GROUPS = ("", "万", "亿", "兆")


def amount_in_capitals(amount: Decimal) -> str:
    """An amount in Chinese capitals, ``1409.50`` → ``壹仟肆佰零玖元伍角整``; nothing from 10^16 on.

    As bank papers write it (支付结算办法, 附一《正确填写票据和结算凭证的基本规定》): 整 after 元 and 角, none after
    分; 零 for zeros within, once for several.
    """
    if not amount.is_finite() or abs(amount) >= 10**16:
        return ""
    cents = int((abs(amount) * 100).quantize(Decimal(1), ROUND_HALF_UP))
    whole, (jiao, fen) = cents // 100, divmod(cents % 100, 10)
    text = f"{_whole(whole)}元" if whole else ""
    if jiao:
        text += f"{_DIGITS[jiao]}角"
    elif fen and whole:
        text += "零"
    text += f"{_DIGITS[fen]}分" if fen else "整"
    sign = "负" if amount < 0 and cents else ""
    return sign + (text if cents else "零元整")


def _whole(number: int) -> str:
    groups = []
    while number:
        number, group = divmod(number, 10000)
        groups.append(group)
    text = ""
    for place in range(len(groups) - 1, -1, -1):
        group = groups[place]
        if not group:
            continue
        # a gap before this group: a group of zeros, or a group that does not fill its thousands
        if text and (group < 1000 or groups[place + 1] == 0):
            text += "零"
        text += _group(group) + _GROUPS[place]
    return text


def _group(group: int) -> str:
    text, gap = "", False
    for place in (3, 2, 1, 0):
        digit = group // 10**place % 10
        if digit:
            text += ("零" if gap and text else "") + _DIGITS[digit] + _PLACES[place]
            gap = False
        else:
            gap = True
    return text
