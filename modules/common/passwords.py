"""What a password must be, judged by the same words on both sides."""

from __future__ import annotations

from modules.common.errors import Refusal
from modules.common.text import tr

MIN_LENGTH = 10
MAX_LENGTH = 128
MIN_CLASSES = 3


def password_refusal(login: str, password: str) -> Refusal | None:
    """Why ``password`` will not do for ``login``, or None (GB/T 22239-2019, 8.1.4.1)."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        message = tr("密码应为 {low} 至 {high} 个字符。", low=MIN_LENGTH, high=MAX_LENGTH)
    elif _classes(password) < MIN_CLASSES:
        message = tr("密码应至少包含大写字母、小写字母、数字、符号中的三类。")
    elif login and login.casefold() in password.casefold():
        message = tr("密码中不能含有登录名。")
    else:
        return None
    return Refusal("AUTH-020", message, {"new": message})


def _classes(password: str) -> int:
    tests = (str.isupper, str.islower, str.isdigit, lambda char: not char.isalnum())
    return sum(any(test(char) for char in password) for test in tests)
