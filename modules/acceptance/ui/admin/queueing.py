"""排队设置: working hours, groups, texts, priority, bookings. Whoever runs the hall sets them. C02, C03, C19, E4."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QLineEdit, QStackedWidget, QVBoxLayout, QWidget

from client.widgets.basics import Button, EmptyState, Label, LineEdit, PrimaryButton
from client.widgets.forms import FormView
from client.widgets.theme import theme
from modules.acceptance.services.registers import House
from modules.acceptance.ui.admin.parts import Desk, Tab, lines, make_form, row_of, scrolled, text_field, whole_field
from modules.common.text import tr

_BOOKING = ("first_day", "last_day", "minutes", "places", "slack", "no_shows", "no_show_days")


def _table(title: str, columns: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    rows = {"type": "object", "properties": dict(columns), "required": list(columns)}
    return {"title": title, "type": "array", "items": rows, "x-table": True, **more}


def _form(house: House) -> dict[str, Any]:
    codes = [str(item["code"]) for item in house.items]
    names = [str(item["name"]) for item in house.items]
    clock = {"pattern": "([01][0-9]|2[0-3]):[0-5][0-9]"}
    hours = {"start": text_field(tr("起"), **clock), "end": text_field(tr("止"), **clock)}
    groups = {"group": text_field(tr("代号"), pattern="[A-Z]"), "name": text_field(tr("名称"), maxLength=20)}
    classes = {"name": text_field(tr("人群"), maxLength=20), "weight": whole_field(tr("优先级"), 1, 9)}
    places = {
        "code": text_field(tr("事项"), enum=codes or [""], **{"x-labels": names or [""]}),
        "places": whole_field(tr("每时段人数"), 0, 500),
    }
    return make_form(
        (
            tr("工作时间和考勤"),
            {
                "hours": _table(tr("工作时间"), hours, minItems=1, maxItems=4),
                "grace": whole_field(tr("开始后多少分钟无人登录算考勤异常"), 0, 600),
                "longest_pause": whole_field(tr("暂停超过多少分钟算考勤异常"), 0, 600),
            },
        ),
        (
            tr("队列和区域"),
            {
                "groups": _table(tr("队列"), groups, maxItems=26),
                "areas": text_field(tr("区域（一行一个）"), **{"x-lines": 3}),
            },
        ),
        (
            tr("文字"),
            {
                "suspend": text_field(tr("暂停时窗口屏的文字（一行一条）"), **{"x-lines": 4}),
                "ticket": text_field(tr("排队号纸上的提示（一行一条）"), **{"x-lines": 4}),
            },
        ),
        (tr("优先"), {"classes": _table(tr("优先人群"), classes, maxItems=20)}),
        (
            tr("预约"),
            {
                "first_day": whole_field(tr("最早可约几天后"), 0, 30),
                "last_day": whole_field(tr("最晚可约几天后"), 0, 60),
                "minutes": whole_field(tr("每个时段几分钟"), 5, 240),
                "places": whole_field(tr("每个时段每个事项几人"), 0, 500),
                "slack": whole_field(tr("迟到几分钟内仍按预约"), 0, 120),
                "no_shows": whole_field(tr("失约几次暂停预约"), 0, 100),
                "no_show_days": whole_field(tr("在几天内计算失约"), 1, 366),
                "items": _table(tr("人数另定的事项（0 为不接受预约）"), places, maxItems=200),
            },
        ),
    )


def _values(settings: Mapping[str, Any]) -> dict[str, Any]:
    booking = settings["booking"]
    return {
        "hours": [{"start": start, "end": end} for start, end in settings["hours"]],
        "grace": settings["grace"],
        "longest_pause": settings["longest_pause"],
        "groups": [{"group": group, "name": row["name"]} for group, row in sorted(settings["groups"].items())],
        "areas": "\n".join(settings["areas"]),
        "suspend": "\n".join(settings["texts"].get("suspend", ())),
        "ticket": "\n".join(settings["texts"].get("ticket", ())),
        "classes": [{"name": row["name"], "weight": row.get("weight", 1)} for row in settings["priority"]["classes"]],
        **{name: booking[name] for name in _BOOKING},
        "items": [{"code": code, "places": count} for code, count in booking["items"].items()],
    }


def parts_of(values: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a hall's queue settings as the form has them; what it does not show stays as it was."""
    groups = {str(row.get("group", "")): row for row in values.get("groups", ())}
    known = settings["groups"]
    return {
        "hours": [[row.get("start", ""), row.get("end", "")] for row in values.get("hours", ())],
        "grace": values.get("grace"),
        "longest_pause": values.get("longest_pause"),
        "groups": {
            group: {**known.get(group, {"strategy": None}), "name": row.get("name", "")}
            for group, row in groups.items()
        },
        "areas": lines(values.get("areas")),
        "texts": {**settings["texts"], "suspend": lines(values.get("suspend")), "ticket": lines(values.get("ticket"))},
        "priority": {**settings["priority"], "classes": list(values.get("classes", ()))},
        "booking": {
            **{name: values.get(name) for name in _BOOKING},
            "items": {str(row.get("code", "")): row.get("places") for row in values.get("items", ())},
        },
    }


class QueueTab(Tab):
    """The settings of the person's own hall."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._house: House | None = None
        self._form: FormView | None = None
        self._known: dict[str, Any] = {}
        self.save = PrimaryButton(tr("保存排队设置"), shortcut="Ctrl+S")
        self.password = LineEdit(tr("新的优先取号密码"))
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.password.setMaximumWidth(theme().text_width(20))
        self.change = Button(tr("更换密码"))
        self.secret = Label("", "quiet")
        inside = QWidget()
        self._inside = QVBoxLayout(inside)
        self._inside.setContentsMargins(0, 0, theme().space(3), 0)
        self._inside.setSpacing(theme().space(3))
        label = Label(self.password.accessibleName())
        label.setBuddy(self.password)
        self._inside.addWidget(label)
        self._inside.addLayout(row_of(self.password, self.change, self.secret))
        self._inside.addStretch(1)
        shown = QWidget()
        column = QVBoxLayout(shown)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(scrolled(inside), 1)
        column.addLayout(row_of(self.save, stretch=0))
        self._stack = QStackedWidget()
        self._stack.addWidget(EmptyState("lock", tr("排队设置由大厅管理员维护，请用大厅管理员的账号登录。")))
        self._stack.addWidget(shown)
        self.column.addWidget(self.banner)
        self.column.addWidget(self._stack, 1)
        self.save.clicked.connect(self._save)
        self.change.clicked.connect(self._change_password)
        self.password.submitted.connect(self._change_password)

    @property
    def form(self) -> FormView:
        """The form, once there is one."""
        assert self._form is not None
        return self._form

    def first(self) -> QWidget:
        return self._form if self._form is not None else self._stack

    def show_house(self, house: House) -> None:
        if not self.service.may_hall:
            return
        fresh = self._form is None or self._house is None or _codes(house) != _codes(self._house)
        dirty = self._form is not None and self._form.values() != self._known
        before, self._house = self._house, house
        self.secret.setText(
            tr("已设密码。") if house.settings["priority"]["hash"] else tr("还没有密码，优先号不能取。")
        )
        if dirty:
            if before is not None and before.settings != house.settings:
                self.banner.say(tr("别人刚改过排队设置；保存时只写您改动的部分。"), "due")
            return
        if fresh:
            form = FormView(_form(house))
            if self._form is not None:
                self._inside.replaceWidget(self._form, form)
                self._form.hide()
                self._form.deleteLater()
            else:
                self._inside.insertWidget(0, form)
            self._form = form
        self.form.set_values(_values(house.settings))
        self._known = self.form.values()
        self._stack.setCurrentIndex(1)

    @Slot()
    def _save(self) -> None:
        house = self._house
        assert house is not None
        values = self.form.values()
        now, before = parts_of(values, house.settings), parts_of(self._known, house.settings)
        changed = {part: value for part, value in now.items() if value != before[part]}
        groups = [str(row.get("group", "")) for row in values.get("groups", ())]
        if len(set(groups)) != len(groups):
            self.banner.say(tr("队列代号重复。"), "red", code="ACC-346")
        elif not changed:
            self.banner.say(tr("没有改动。"), "info")
        else:
            self.desk.change(
                self.banner,
                partial(self._give, changed),
                tr("排队设置已保存，立即生效。"),
                then=partial(self._kept, values),
            )

    def _give(self, changed: Mapping[str, Any]) -> None:
        for part, value in changed.items():
            self.service.hall.set_part(part, value)

    def _kept(self, values: dict[str, Any]) -> None:
        self._known = values

    @Slot()
    def _change_password(self) -> None:
        work = partial(self.service.hall.set_priority_password, self.password.text())
        self.desk.change(self.banner, work, tr("优先取号密码已更换。"), then=self.password.clear)


def _codes(house: House) -> list[str]:
    return [str(item["code"]) for item in house.items]
