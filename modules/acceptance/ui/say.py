"""What banners say of errors and of papers."""

from __future__ import annotations

from client.widgets.basics import Banner
from modules.acceptance.services.cases import Printed
from modules.common.errors import GovDeskError
from modules.common.text import tr


def say_error(banner: Banner, error: BaseException, *, action: str = "") -> None:
    """An error in words, with its code and maybe one thing to do."""
    if isinstance(error, GovDeskError):
        banner.say(error.words(), "red", code=error.code, action=action)
    else:
        banner.say(tr("出错了：{error}", error=str(error)), "red", action=action)


def say_printed(banner: Banner, paper: Printed) -> None:
    """Where the paper went, and what has to be written on it by hand."""
    if paper.missing:
        marks = "、".join(paper.missing)
        sentence = tr("{sentence} 字库缺“{marks}”，纸上以〓代替，请手工补写。", sentence=paper.sentence, marks=marks)
        banner.say(sentence, "due", code="PRT-011")
    else:
        banner.say(paper.sentence, "good")
