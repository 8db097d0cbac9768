"""The rules for personal data at this computer (个人信息保护规定), set by its administrator and not by who works here.

One JSON file, ``{"keep_prints_days": 3, "copy_personal": false}``; what it does not name is as by default.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from modules.common.errors import GovDeskError
from modules.common.text import tr


@dataclass(frozen=True, slots=True)
class Policy:
    """What may lie here, and for how long; days and seconds. ``source`` is the file that says so, "" for none."""

    keep_pages_days: int = 90
    """How long scans stay after the server has them."""
    keep_prints_days: int = 7
    """How long papers stay in the print folder."""
    copy_personal: bool = True
    """Whether an identity or phone number may be copied to other programs."""
    clear_clipboard_s: int = 30
    """When a number that was copied is taken out of the clipboard again."""
    refuse_capture: bool = False
    """Whether windows keep out of screenshots, recordings and remote viewing, where the system can do that."""
    save_diagnostics: bool = True
    """Whether a diagnostic bundle may be saved."""
    offline_without_code: bool = True
    """Whether somebody with one-time codes may sign in by the password alone while the server cannot be asked."""
    source: str = ""


RANGES = {"keep_pages_days": range(1, 91), "keep_prints_days": range(1, 91), "clear_clipboard_s": range(5, 601)}
STRICTEST = Policy(
    1,
    1,
    copy_personal=False,
    clear_clipboard_s=5,
    refuse_capture=True,
    save_diagnostics=False,
    offline_without_code=False,
)


def installed() -> Path:
    """Where the file is looked for: a place that only the computer's administrator writes to."""
    if sys.platform == "win32":
        return Path(os.environ.get("PROGRAMDATA", r"C:\ProgramData")) / "GovDesk" / "policy.json"
    return Path("/etc/govdesk/policy.json")


def read_policy(path: Path) -> tuple[Policy, GovDeskError | None]:
    """The rules in force. A file that cannot be used means the strictest ones, and the error (UI-103) to be told."""
    try:
        said = json.loads(path.read_text("utf-8"))
        return replace(_checked(said), source=str(path)), None
    except FileNotFoundError:
        return Policy(), None
    except (OSError, TypeError, ValueError) as error:
        words = GovDeskError(
            "UI-103",
            tr("个人信息保护规定 {path} 不能用（{why}），已按最严的规定执行。", path=path, why=error),
            fix=tr("请系统管理员改正这个文件，然后重新打开程序。"),
        )
        return replace(STRICTEST, source=str(path)), words


def _checked(said: Any) -> Policy:
    """Raises ``ValueError`` for what is none of the rules, or not within its range."""
    if not isinstance(said, dict):
        raise ValueError("{}")
    kinds = {field.name: type(getattr(STRICTEST, field.name)) for field in fields(Policy) if field.name != "source"}
    for name, value in said.items():
        if type(value) is not kinds.get(name) or (name in RANGES and value not in RANGES[name]):
            raise ValueError(name)
    return Policy(**said)


def spoken(policy: Policy, *, can_refuse_capture: bool) -> list[tuple[str, str]]:
    """Each rule in words, and where they come from, for whoever works here."""
    if not policy.copy_personal:
        copying = tr("不允许")
    else:
        copying = tr("允许，{seconds} 秒后从剪贴板清除", seconds=policy.clear_clipboard_s)
    if not policy.refuse_capture:
        capture = tr("不禁止")
    elif can_refuse_capture:
        capture = tr("禁止")
    else:
        capture = tr("要求禁止，但本系统没有这种功能，没有生效")
    return [
        (tr("已送达的扫描件留在本机"), tr("{days} 天后删除", days=policy.keep_pages_days)),
        (tr("打印文件夹里的文书"), tr("{days} 天后删除", days=policy.keep_prints_days)),
        (tr("复制证件号码和电话"), copying),
        (tr("截屏和远程查看"), capture),
        (tr("保存诊断包"), tr("允许") if policy.save_diagnostics else tr("不允许")),
        (tr("使用动态口令的人断网时只凭密码登录"), tr("允许") if policy.offline_without_code else tr("不允许")),
        (tr("依据"), policy.source or tr("程序的缺省规定（没有安装规定文件）")),
    ]
