from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFontMetrics, QImage, QPalette
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QStackedWidget

from client.widgets import theme as module
from client.widgets.basics import Card, PrimaryButton, SectionTitle
from client.widgets.theme import ICONS, THEMES, Theme, set_role, tokens
from modules.common.text import RESOURCES

ROOT = RESOURCES.parent
PALETTES = tokens()["palettes"]


def luminance(color: str) -> float:
    """Relative luminance, WCAG 2.2."""
    channels = [channel / 255 for channel in QColor(color).getRgb()[:3]]  # type: ignore[index]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", PALETTES)
def test_every_text_can_be_read_on_every_ground_it_stands_on(name: str) -> None:
    colors = PALETTES[name]
    least = 7 if name == "contrast" else 4.5
    faint = [
        f"{text} on {ground}: {contrast(colors[text], colors[ground]):.2f}"
        for ground, texts in tokens()["pairs"].items()
        for text in texts
        if contrast(colors[text], colors[ground]) < least
    ]
    assert not faint


@pytest.mark.parametrize(("name", "ground"), list(product(PALETTES, ("ground", "surface"))))
def test_edges_of_what_can_be_pressed_or_filled_can_be_seen(name: str, ground: str) -> None:
    colors = PALETTES[name]
    assert min(contrast(colors[edge], colors[ground]) for edge in ("edge", "accent", "red")) >= 3


def test_the_measure_of_contrast_is_right() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


def test_palettes_have_the_same_names_and_states_have_icons() -> None:
    names = {name: set(colors) - {"line_width"} for name, colors in PALETTES.items()}
    assert names["dark"] == names["light"] == names["contrast"]
    for state in tokens()["states"].values():
        assert state["color"] in names["light"]
        assert (ICONS / f"{state['icon']}.svg").exists()
    shapes = [state["icon"] for state in tokens()["states"].values()]
    assert len(set(shapes)) == len(shapes), "states must differ by shape too"


# A colour or a pixel outside the theme would not follow the palette or the zoom. Papers have sizes of their own:
# services make documents, and the rendering of them is in dots per inch.
LITERALS = {
    "a colour": re.compile(r"""["'#](?:#[0-9A-Fa-f]{6}|[0-9A-Fa-f]{6})["']|QColor\(\s*(?:\d|["'])|setStyleSheet"""),
    "a pixel": re.compile(r"\d\s*px\b|\.setFixed(?:Size|Width|Height)\(\s*\d|\.setMinimum(?:Width|Height)\(\s*[1-9]"),
}


@pytest.mark.parametrize("what", LITERALS)
def test_colours_and_pixels_are_in_the_theme_alone(what: str) -> None:
    theme_itself = ROOT / "client" / "widgets" / "theme.py"
    sources = [
        *(ROOT / "client").rglob("*.py"),
        *(ROOT / "modules").rglob("ui/*.py"),
        *(ROOT / "modules").rglob("ui.py"),
    ]
    found = [
        f"{path.relative_to(ROOT)}:{number} {line.strip()}"
        for path in sources
        if path != theme_itself
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if LITERALS[what].search(line)
    ]
    assert not found


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("a colour", 'label.color = "#1F5FBF"'),
        ("a colour", "QColor(255, 0, 0)"),
        ("a colour", "widget.setStyleSheet(sheet)"),
        ("a pixel", '"padding: 4px"'),
        ("a pixel", "button.setFixedSize(36, 36)"),
    ],
)
def test_the_search_for_literals_finds_them(what: str, line: str) -> None:
    assert LITERALS[what].search(line)


def test_the_sheet_itself_has_no_literals() -> None:
    sheet = (THEMES / "govdesk.qss").read_text("utf-8")
    assert not re.search(r"#[0-9A-Fa-f]{3,8}\b(?!_)|\b[1-9]\d*px", re.sub(r"#qt_\w+", "", sheet))


def test_chinese_can_be_shown(theme: Theme) -> None:
    shown = QFontMetrics(theme.font())
    assert all(shown.inFontUcs4(ord(character)) for character in "受理办结䶮㛃")


def test_the_bundled_font_is_what_it_is_called() -> None:
    assert (RESOURCES / "fonts" / "OFL.txt").exists()
    assert (RESOURCES / "fonts" / "NotoSansSC-Regular.ttf").stat().st_size > 10_000_000


def test_zoom_scales_letters_and_spacing_at_once(theme: Theme, qtbot: Any) -> None:
    label, button = QLabel("受理"), QPushButton("受理")
    for widget in (label, button):
        qtbot.addWidget(widget)
        widget.show()
    assert theme.font().pixelSize() == 14
    assert [theme.space(steps) for steps in (1, 2, 3, 4, 6, 8)] == [4, 8, 12, 16, 24, 32]
    assert button.sizeHint().height() == theme.size("target") == 36
    before = label.sizeHint().width()
    with qtbot.waitSignal(theme.changed):
        theme.apply("light", 2.0)
    assert (theme.font().pixelSize(), theme.space(2), theme.size("target")) == (28, 16, 72)
    assert button.sizeHint().height() == 72
    assert label.sizeHint().width() == pytest.approx(2 * before, abs=2)
    theme.apply("light", 5)
    assert theme.zoom == 2.0
    theme.apply("light", 0.1)
    assert theme.zoom == 0.8


@pytest.mark.parametrize("name", PALETTES)
def test_a_palette_reaches_qt_and_the_sheet(theme: Theme, qtbot: Any, name: str) -> None:
    theme.apply(name)
    assert theme.palette_name == name
    button = QPushButton("受理")
    set_role(button, "primary")
    qtbot.addWidget(button)
    button.show()
    assert QApplication.palette().color(QPalette.ColorRole.Window) == theme.color("ground")
    painted = button.grab().toImage().pixelColor(button.width() // 2, 4)
    assert painted == theme.color("accent")


def test_an_unknown_palette_is_an_error(theme: Theme) -> None:
    with pytest.raises(ValueError, match="pink"):
        theme.apply("pink")


def test_system_follows_the_system(qtbot: Any, theme: Theme, monkeypatch: pytest.MonkeyPatch) -> None:
    theme.apply("system")
    assert theme.palette_name == "light"
    monkeypatch.setattr(theme, "_hints", type("Hints", (), {"colorScheme": lambda self: Qt.ColorScheme.Dark})())
    theme._system_changed()
    qtbot.waitUntil(lambda: not theme.changing)
    assert (theme.choice, theme.palette_name) == ("system", "dark")
    theme.apply("light")
    theme._system_changed()
    assert theme.palette_name == "light"


def test_icons_are_tinted_and_keep_to_the_zoom(theme: Theme) -> None:
    theme.apply("dark", 1.5)
    drawn = theme.pixmap("check", "good").toImage()
    assert drawn.width() == 30
    solid = {
        drawn.pixelColor(x, y).name() for x in range(30) for y in range(30) if drawn.pixelColor(x, y).alpha() == 255
    }
    assert solid == {theme.color("good").name()}
    with pytest.raises(FileNotFoundError):
        theme.icon("no-such-icon")


def test_all_icons_can_be_tinted() -> None:
    drawings = sorted(ICONS.glob("*.svg"))
    assert len(drawings) > 40
    assert [path.name for path in drawings if "currentColor" not in path.read_text("utf-8")] == []
    assert (ICONS / "LICENSE").exists()


def test_the_focus_ring_is_seen_and_moves_nothing(theme: Theme, qtbot: Any) -> None:
    first, second = QPushButton("受理"), QPushButton("办结")
    for widget in (first, second):
        qtbot.addWidget(widget)
        widget.show()
    size = second.sizeHint()
    second.activateWindow()
    second.setFocus()
    qtbot.waitUntil(second.hasFocus)
    assert second.sizeHint() == size
    ring = second.grab().toImage()
    middle = ring.width() // 2
    assert [ring.pixelColor(middle, y) for y in (0, 1)] == [theme.color("accent")] * 2
    assert ring.pixelColor(middle, 2) != theme.color("accent")


def test_no_motion_when_none_is_wanted(theme: Theme) -> None:
    assert theme.motion
    theme.apply("light", motion=False)
    assert not theme.motion
    theme.apply("light")


def test_no_file_of_the_theme_is_missing() -> None:
    sheet = (THEMES / "govdesk.qss").read_text("utf-8")
    assert Path(THEMES / "tokens.json").exists()
    assert set(re.findall(r"\$icon_(\w+)", sheet)) == {"chevron_down", "chevron_up", "check", "dot", "x"}


@pytest.fixture
def pages(qtbot: Any) -> QStackedWidget:
    """Two pages, of which the first is seen; both were shown once."""
    stack = QStackedWidget()
    qtbot.addWidget(stack)
    for words in ("受理", "办件"):
        page = Card()
        page.body.addWidget(SectionTitle(words))
        page.body.addWidget(PrimaryButton(words))
        stack.addWidget(page)
    stack.resize(300, 200)
    stack.show()
    for place in (1, 0):
        stack.setCurrentIndex(place)
        QApplication.processEvents()
    return stack


def picture(stack: QStackedWidget, place: int) -> QImage:
    stack.setCurrentIndex(place)
    QApplication.processEvents()
    return stack.grab().toImage()


def test_a_change_in_turns_looks_like_one_at_once(qtbot: Any, theme: Theme, pages: QStackedWidget) -> None:
    for look in (("dark", 1.5), ("contrast", 1.0), ("light", 1.25)):
        theme.change(*look)
        qtbot.waitUntil(lambda: not theme.changing)
        in_turns = [picture(pages, place) for place in (0, 1)]
        theme.apply("light")
        theme.apply(*look)
        assert in_turns == [picture(pages, place) for place in (0, 1)]
        pages.setCurrentIndex(0)


def test_what_is_not_seen_is_not_styled_in_the_turn_that_changes_what_is(
    qtbot: Any, theme: Theme, pages: QStackedWidget
) -> None:
    hidden = pages.widget(1).findChildren(QPushButton)[0]
    polished = Qt.WidgetAttribute.WA_WState_Polished
    seen: list[bool] = []
    watching = theme.changed.connect(lambda: seen.append(hidden.testAttribute(polished)))
    theme.change("dark", 1.5)
    qtbot.waitUntil(lambda: not theme.changing)
    theme.changed.disconnect(watching)
    assert seen == [False]
    assert hidden.testAttribute(polished)
    assert hidden.minimumSizeHint().height() > 45


def test_pages_that_go_come_or_change_again_during_a_change(
    qtbot: Any, theme: Theme, pages: QStackedWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TURN_S", 0.001)
    gone = Card(parent=pages)
    theme.change("dark", 1.5)
    for _ in range(3):
        QApplication.processEvents()
    shiboken6.delete(gone)
    theme.change("contrast", 1.0)
    QApplication.processEvents()
    pages.setCurrentIndex(1)
    qtbot.waitUntil(lambda: not theme.changing)
    in_turns = [picture(pages, place) for place in (0, 1)]
    assert theme.palette_name == "contrast"
    theme.apply("light")
    theme.apply("contrast")
    assert in_turns == [picture(pages, place) for place in (0, 1)]


def test_an_unknown_palette_changes_nothing(theme: Theme) -> None:
    with pytest.raises(ValueError, match="sepia"):
        theme.change("sepia")
    assert theme.palette_name == "light"
    assert not theme.changing
