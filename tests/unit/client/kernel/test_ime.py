from __future__ import annotations

from pathlib import Path

import pytest

from client.kernel.ime import prepare_input_method


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"QT_IM_MODULE": "fcitx"}, {"QT_IM_MODULE": "ibus"}),
        ({"QT_IM_MODULE": "fcitx5"}, {"QT_IM_MODULE": "ibus"}),
        ({"QT_IM_MODULES": "wayland;fcitx;ibus"}, {"QT_IM_MODULES": "wayland;ibus"}),
        ({"QT_IM_MODULE": "ibus"}, {"QT_IM_MODULE": "ibus"}),
        ({"QT_IM_MODULE": "compose"}, {"QT_IM_MODULE": "compose"}),
        ({}, {}),
    ],
)
def test_fcitx_without_a_plugin_is_reached_by_ibus(
    tmp_path: Path, before: dict[str, str], after: dict[str, str]
) -> None:
    prepare_input_method(before, tmp_path)
    assert before == after


def test_a_plugin_that_is_there_is_used(tmp_path: Path) -> None:
    (tmp_path / "platforminputcontexts").mkdir()
    (tmp_path / "platforminputcontexts" / "libfcitx5platforminputcontextplugin.so").touch()
    environ = {"QT_IM_MODULE": "fcitx"}
    prepare_input_method(environ, tmp_path)
    assert environ == {"QT_IM_MODULE": "fcitx"}
