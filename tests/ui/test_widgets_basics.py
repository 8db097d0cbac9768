from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QInputMethodEvent
from PySide6.QtWidgets import QApplication, QDialog, QPushButton, QVBoxLayout, QWidget

from client.kernel.contract import Token
from client.tasks.lanes import ThreadLanes
from client.widgets.basics import (
    Banner,
    BusyMark,
    Button,
    Card,
    ComboBox,
    ConfirmDialog,
    DangerButton,
    ElidedLabel,
    Label,
    LineEdit,
    LoadingState,
    PrimaryButton,
    ProgressPane,
    SearchBox,
    SlashFocus,
    StateLabel,
    StatePane,
    TextEdit,
    plain,
)
from client.widgets.gui_thread import GuiThread
from client.widgets.theme import Theme, set_role, tokens
from tests.support.a11y import Walk


def compose(widget: QWidget, preedit: str, commit: str = "") -> None:
    event = QInputMethodEvent(preedit, [])
    event.setCommitString(commit)
    QApplication.sendEvent(widget, event)


def shown(qtbot: Any, widget: QWidget) -> QWidget:
    qtbot.addWidget(widget)
    widget.show()
    widget.activateWindow()
    qtbot.waitUntil(widget.isActiveWindow)
    return widget


@pytest.mark.parametrize(
    ("text", "name"),
    [("受理(&A)", "受理"), ("&Save…", "Save"), ("A && B", "A & B"), ("姓名:", "姓名"), ("受理", "受理")],
)
def test_a_control_is_called_by_its_words(text: str, name: str) -> None:
    assert plain(text) == name


@pytest.mark.parametrize("make", [LineEdit, TextEdit])
def test_the_enter_of_a_candidate_submits_nothing(qtbot: Any, make: Any) -> None:
    edit = shown(qtbot, make("姓名"))
    key = Qt.KeyboardModifier.ControlModifier if make is TextEdit else Qt.KeyboardModifier.NoModifier
    asked: list[str] = []
    edit.submitted.connect(lambda: asked.append(edit.text()))
    compose(edit, "zhang san")
    assert edit.composing
    qtbot.keyClick(edit, Qt.Key.Key_Return, key)
    assert asked == []
    assert edit.text() == ""
    compose(edit, "", "张三")
    assert not edit.composing
    qtbot.keyClick(edit, Qt.Key.Key_Return, key)
    assert asked == ["张三"]


def test_the_enter_of_a_candidate_presses_no_default_button(qtbot: Any) -> None:
    dialog = QDialog()
    edit, button = LineEdit("姓名"), QPushButton("好")
    button.setDefault(True)
    column = QVBoxLayout(dialog)
    column.addWidget(edit)
    column.addWidget(button)
    shown(qtbot, dialog)
    pressed: list[bool] = []
    button.clicked.connect(lambda: pressed.append(True))
    compose(edit, "li")
    qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert pressed == []
    compose(edit, "", "李")
    qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert len(pressed) == 1


def test_composed_text_is_not_yet_edited(qtbot: Any) -> None:
    edit = TextEdit("经营范围")
    shown(qtbot, edit)
    heard: list[str] = []
    edit.edited.connect(lambda: heard.append(edit.text()))
    compose(edit, "shi pin")
    assert heard == []
    compose(edit, "", "食品")
    assert heard == ["食品"]
    edit.setText("改写")
    assert heard == ["食品"]


def test_an_input_method_that_goes_with_the_focus_leaves_no_trap(qtbot: Any) -> None:
    window = QWidget()
    column = QVBoxLayout(window)
    first, second = LineEdit("姓名"), LineEdit("电话")
    column.addWidget(first)
    column.addWidget(second)
    shown(qtbot, window)
    first.setFocus()
    qtbot.waitUntil(first.hasFocus)
    compose(first, "zhang")
    second.setFocus()
    assert not first.composing


def test_tab_leaves_a_long_text(qtbot: Any) -> None:
    window = QWidget()
    column = QVBoxLayout(window)
    text, line = TextEdit("经营范围"), LineEdit("电话")
    column.addWidget(text)
    column.addWidget(line)
    shown(qtbot, window)
    text.setFocus()
    qtbot.waitUntil(text.hasFocus)
    qtbot.keyClick(text, Qt.Key.Key_Tab)
    assert line.hasFocus()
    assert text.text() == ""


def test_a_button_shows_its_shortcut_and_is_called_by_its_words(qtbot: Any) -> None:
    window = QWidget()
    button = PrimaryButton("受理(&A)", icon="check", shortcut="F8")
    QVBoxLayout(window).addWidget(button)
    shown(qtbot, window)
    assert "F8" in button.text()
    assert button.accessibleName() == "受理"
    with qtbot.waitSignal(button.clicked):
        qtbot.keyClick(window, Qt.Key.Key_F8)
    button.set_label("补正")
    assert button.accessibleName() == "补正"
    with qtbot.waitSignal(button.clicked):
        qtbot.keyClick(window, Qt.Key.Key_F8)
    with qtbot.waitSignal(button.clicked):
        qtbot.keyClick(button, Qt.Key.Key_Return)


def test_search_tells_of_each_change_and_escape_empties_it(qtbot: Any) -> None:
    box = SearchBox("查找办件")
    shown(qtbot, box)
    heard: list[str] = []
    box.searched.connect(heard.append)
    qtbot.keyClicks(box, "34")
    compose(box, "zhang")
    qtbot.keyClick(box, Qt.Key.Key_Escape)
    assert heard == ["3", "34", ""]


def test_slash_in_a_list_goes_to_its_search_box(qtbot: Any) -> None:
    window = QWidget()
    column = QVBoxLayout(window)
    box, other = SearchBox("查找"), Button("别处")
    column.addWidget(box)
    column.addWidget(other)
    SlashFocus(other, box)
    shown(qtbot, window)
    other.setFocus()
    qtbot.waitUntil(other.hasFocus)
    qtbot.keyClick(other, "/")
    assert box.hasFocus()
    assert box.text() == ""


def test_the_wheel_changes_no_choice(qtbot: Any) -> None:
    from PySide6.QtCore import QPoint, QPointF
    from PySide6.QtGui import QWheelEvent

    combo = ComboBox("性别")
    combo.addItems(["男", "女"])
    shown(qtbot, combo)
    none = Qt.KeyboardModifier.NoModifier
    event = QWheelEvent(
        QPointF(5, 5), QPointF(5, 5), QPoint(0, -120), QPoint(0, -120), Qt.MouseButton.NoButton, none,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(combo, event)
    assert combo.currentText() == "男"


@pytest.mark.parametrize("state", tokens()["states"])
def test_a_state_is_colour_shape_and_word(theme: Theme, qtbot: Any, state: str) -> None:
    label = StateLabel(state, "还剩 2 个工作日")
    shown(qtbot, label)
    assert label.accessibleName() == label.text() == "还剩 2 个工作日"
    image = label.grab().toImage()
    icon = theme.size("icon") * 4 // 5
    colours = [
        {image.pixelColor(x, y).name() for x in across for y in range(image.height())}
        for across in (range(icon), range(icon + theme.space(1), image.width()))
    ]
    assert all(theme.color(theme.state(state)[0]).name() in side for side in colours)


def test_an_unknown_state_is_an_error(qtbot: Any) -> None:
    label = StateLabel()
    qtbot.addWidget(label)
    with pytest.raises(KeyError):
        label.show_state("pink", "")


def test_a_banner_says_its_code_offers_one_action_and_goes(qtbot: Any) -> None:
    banner = Banner()
    qtbot.addWidget(banner)
    assert banner.isHidden()
    banner.say("号码已被使用。", "red", code="SYNC-003", action="查看")
    assert not banner.isHidden()
    assert banner.accessibleName() == "号码已被使用。 SYNC-003"
    (button,) = banner.findChildren(Button)
    with qtbot.waitSignal(banner.acted):
        button.click()
    banner.say("已受理。", "good")
    assert button.isHidden()
    banner.clear()
    assert banner.isHidden()
    assert banner.text() == ""


def test_long_words_end_in_an_ellipsis_and_are_told_whole(theme: Theme, qtbot: Any) -> None:
    label = ElidedLabel("示范市高新技术产业开发区政务服务中心三楼")
    shown(qtbot, label)
    label.resize(theme.text_width(6), 24)
    assert label.toolTip() == label.accessibleName() == label.text()
    label.resize(theme.text_width(40), 24)
    assert label.toolTip() == ""


def test_text_is_never_taken_for_html(qtbot: Any) -> None:
    label = Label("<b>张三</b>")
    shown(qtbot, label)
    assert label.sizeHint().width() > label.fontMetrics().horizontalAdvance("<b>张三")


def test_the_busy_mark_stands_still_when_no_motion_is_wanted(theme: Theme, qtbot: Any) -> None:
    mark = BusyMark()
    shown(qtbot, mark)
    first = mark.grab().toImage()
    qtbot.waitUntil(lambda: mark.grab().toImage() != first)
    mark.hide()
    assert not mark._timer.isActive()
    theme.apply("light", motion=False)
    mark.show()
    assert not mark._timer.isActive()
    theme.apply("light")


def test_state_panes_say_why_and_offer_one_action(qtbot: Any) -> None:
    pane = StatePane("inbox", "还没有办件。", "新建")
    shown(qtbot, pane)
    assert pane.accessibleName() == pane.text() == "还没有办件。"
    with qtbot.waitSignal(pane.acted):
        pane.findChild(Button).click()
    pane.say("lock", "您没有权限。")
    assert pane.findChild(Button).isHidden()
    loading = LoadingState()
    shown(qtbot, loading)
    assert loading.findChild(BusyMark).isVisible()


def test_progress_has_a_number_words_and_a_way_out(qtbot: Any) -> None:
    pane = ProgressPane()
    qtbot.addWidget(pane)
    pane.show_progress(0.456, "正在下载")
    assert pane.findChild(Label).text() == "正在下载 46%"
    pane.show_progress(7, "正在下载")
    assert pane.findChild(Label).text() == "正在下载 100%"
    with qtbot.waitSignal(pane.cancelled):
        pane.findChild(Button).click()


@pytest.mark.parametrize(
    ("key", "meant"), [(Qt.Key.Key_Escape, False), (Qt.Key.Key_Return, False), (Qt.Key.Key_Space, False)]
)
def test_a_question_is_answered_no_by_any_careless_key(qtbot: Any, key: Qt.Key, meant: bool) -> None:
    dialog = ConfirmDialog("作废此件", "号码 3411A-20261120-000001 不再使用，申请人会收到通知。")
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(dialog)
    answers: list[int] = []
    dialog.finished.connect(answers.append)
    dialog.open()
    dialog.activateWindow()
    qtbot.waitUntil(dialog.keep.hasFocus)
    qtbot.keyClick(dialog.keep, key)
    assert answers == [QDialog.DialogCode.Rejected]


def test_a_question_names_what_its_button_does(qtbot: Any) -> None:
    dialog = ConfirmDialog("作废此件", "号码不再使用。")
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(dialog)
    assert dialog.windowTitle() == dialog.go.accessibleName() == "作废此件"
    dialog.open()
    with qtbot.waitSignal(dialog.accepted):
        dialog.go.click()


def test_calls_come_to_the_gui_thread_in_order(qtbot: Any) -> None:
    from PySide6.QtCore import QThread

    gui = GuiThread()
    seen: list[Any] = []
    lanes = ThreadLanes(gui.post, lambda name, error: seen.append(error))

    def work(token: Token) -> bool:
        for number in range(3):
            gui.post(lambda number=number: seen.append((number, QThread.isMainThread())))  # type: ignore[misc]
        return QThread.isMainThread()

    lanes.run("cpu", work, done=seen.append)
    qtbot.waitUntil(lambda: len(seen) == 4)
    assert seen == [(0, True), (1, True), (2, True), False]
    assert lanes.close() == []


def gallery() -> QWidget:
    page = QWidget()
    set_role(page, "page")
    column = QVBoxLayout(page)
    banner = Banner()
    column.addWidget(banner)
    card = Card("经营者")
    for widget in (
        LineEdit("姓名"),
        TextEdit("经营范围"),
        ComboBox("性别"),
        SearchBox("查找"),
        StateLabel("due", "还剩 2 个工作日"),
    ):
        card.body.addWidget(widget)
    column.addWidget(card)
    for button in (
        PrimaryButton("受理", icon="check", shortcut="F8"),
        Button("补正"),
        DangerButton("作废此件", icon="x"),
    ):
        column.addWidget(button)
    banner.say("服务器拒绝了 1 件：号码已被使用。号码没有用掉，可以重新受理。", "red", code="SYNC-003", action="查看")
    return page


@pytest.mark.parametrize("palette", ["light", "dark", "contrast"])
@pytest.mark.parametrize("zoom", [1.0, 1.5, 2.0])
def test_widgets_are_named_large_enough_and_whole(theme: Theme, qtbot: Any, palette: str, zoom: float) -> None:
    theme.apply(palette, zoom)
    page = gallery()
    page.resize(theme.text_width(44), theme.text_width(50))
    shown(qtbot, page)
    walk = Walk(page)
    assert len(walk.focusable()) == 8
    assert walk.nameless() == walk.clipped() == walk.out_of_order() == []
    assert walk.small(theme.size("target")) == []


def test_zoom_changes_what_is_shown_without_clipping_it(theme: Theme, qtbot: Any) -> None:
    page = gallery()
    shown(qtbot, page)
    theme.apply("light", 2.0)
    qtbot.waitUntil(lambda: Walk(page).small(theme.size("target")) == [])
    page.adjustSize()
    assert Walk(page).clipped() == []


def test_the_walk_finds_what_is_wrong(theme: Theme, qtbot: Any) -> None:
    page = QWidget()
    nameless, clipped, low = LineEdit(), QPushButton("这里的字放不下", page), Label("也放不下", parent=page)
    nameless.setParent(page)
    nameless.setGeometry(0, 100, 80, 20)
    clipped.setGeometry(0, 150, 30, 36)
    low.setGeometry(0, 50, 20, 20)
    shown(qtbot, page)
    nameless.setMinimumHeight(1)  # undoes what the sheet gave it
    nameless.resize(80, 20)
    walk = Walk(page)
    assert len(walk.nameless()) == 1
    assert len(walk.clipped()) == 2
    assert len(walk.small(36)) == 1
    assert len(walk.out_of_order()) == 1
