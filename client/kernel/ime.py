"""Chinese input under Linux, settled before Qt starts."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path


def prepare_input_method(environ: MutableMapping[str, str], plugin_dir: Path) -> None:
    """Have Qt talk to fcitx by the ibus protocol, which fcitx5 answers, where ``plugin_dir`` has no fcitx plugin.

    ``plugin_dir`` is Qt's ``plugins`` folder. A distribution's own fcitx plugin is tied to the distribution's Qt
    and never loads into ours; without this nothing could be typed in Chinese. Must run before the QApplication.
    """
    if any((plugin_dir / "platforminputcontexts").glob("*fcitx*")):
        return
    for variable, separator in (("QT_IM_MODULE", "\0"), ("QT_IM_MODULES", ";")):
        if wanted := environ.get(variable, ""):
            names = ["ibus" if name.startswith("fcitx") else name for name in wanted.split(separator)]
            environ[variable] = separator.join(dict.fromkeys(names))
