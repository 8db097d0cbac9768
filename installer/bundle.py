"""What goes into the frozen program and what must not: read by ``build.spec`` and by the tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from modules.common.manifest import Manifest, Ref

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("client", "modules", "devices", "sync", "server_stub")
NAMED_BY_STRING = ("uvicorn", "reportlab.graphics.barcode", "keyring.backends", "sqlcipher3")
"""Packages whose parts are found by string at run time, where PyInstaller's own search doesn't see them."""
# under the GPL alone, or with a licence that was not cleared; the wheels' own metadata doesn't warn of them
GPL_QT = (
    "QtCharts", "QtDataVisualization", "QtGraphs", "QtGraphsWidgets", "QtHttpServer", "QtNetworkAuth", "QtQuick3D",
    "QtVirtualKeyboard", "QtQuickTimeline", "QtLottie", "QtQuick3DPhysics", "QtCanvasPainter", "QtLabsStyleKit",
)  # fmt: skip
GPL_LIBRARIES = ("libreadline", "libgdbm", "readline.")
"""What Python's own extensions would bring along, and nothing here uses."""
UNUSED_QT = ("QtQml", "QtQuick", "QtQuickWidgets", "QtQuickControls2", "QtSql", "QtDesigner", "QtUiTools", "QtHelp")
UNUSED = (
    "tkinter", "readline", "dbm.gnu", "gi", "IPython", "matplotlib", "pytest", "_pytest", "mypy", "hypothesis",
    "setuptools", "pip", "numpy.f2py", "numpy.testing", "numpy.distutils", "pypinyin.phrases_dict",
    "lxml.objectify", "lxml.isoschematron", "lxml.html",
)  # fmt: skip
UNUSED_FILES = (
    "virtualkeyboard", "libgtk-", "libgdk", "libqgtk3", "libatk-", "libcairo", "libpango", "libpixman", "libthai",
    "Qt6Quick", "Qt6Qml", "Qt6Wayland", "qmltooling", "egldeviceintegrations", "wayland-", "libqeglfs", "libqlinuxfb",
    "libqvkkhrdisplay", "libqvnc", "libqminimal", "Qt6EglF", "Qt6Wl", "Qt6Sql",
    "phrases_dict", "opencv_videoio_ffmpeg",
)  # fmt: skip
"""Parts of names of files that Qt's plugins and others' packages would bring along."""
TRANSLATIONS = ("qtbase_zh_CN", "qtbase_en")
_LICENCE = re.compile(r"^licen[cs]es/|licen[cs]e|copying|notice", re.I)


def targets(manifest: Manifest) -> list[Ref]:
    """Every lazy pointer of a manifest."""
    server = manifest.server
    return [
        manifest.entry,
        *(page.view for page in manifest.pages),
        *(command.handler for command in manifest.commands),
        *(aggregate.rules for aggregate in manifest.aggregates),
        *(job.run for job in (*manifest.jobs, *server.jobs)),
        *([server.routes] if server.routes else []),
    ]


def data_files() -> list[tuple[str, str]]:
    """Files that are read, not imported, each with its folder in the bundle."""
    resources = [path for path in (ROOT / "resources").rglob("*") if path.is_file()]
    beside_code = [
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and (path.suffix not in {".py", ".pyc"} or "migrations" in path.parts)
    ]
    return [
        (str(path), path.parent.relative_to(ROOT).as_posix())
        for path in sorted([*resources, *beside_code])
        if "__pycache__" not in path.parts
    ]


def licences() -> Iterator[tuple[str, str]]:
    """The licence texts of the packages that are carried along, each with its folder in the bundle."""
    for name in re.findall(r"^[\w.-]+", (ROOT / "requirements.lock").read_text("utf-8"), re.M):
        try:
            files = metadata.distribution(name).files or []
        except metadata.PackageNotFoundError:  # one for another system
            continue
        for file in files:
            if ".dist-info" in file.parts[0] and _LICENCE.search("/".join(file.parts[1:])):
                yield str(file.locate()), "/".join(("licences", name, *file.parts[1:-1]))


def is_gpl(name: str) -> bool:
    """Whether a file is under the GPL, or belongs to a Qt module that is or that was not cleared: not to be shipped."""
    file = Path(name).name.lower()
    qt = (start for module in GPL_QT for start in (f"libqt6{module[2:]}.", f"qt6{module[2:]}.", f"{module}."))
    return "virtualkeyboard" in file or file.startswith((*GPL_LIBRARIES, *(start.lower() for start in qt)))


def is_unused(name: str) -> bool:
    """Whether a file that PyInstaller found is left out."""
    path = Path(name)
    translation = path.suffix == ".qm" and path.stem not in TRANSLATIONS
    return translation or any(part in name for part in UNUSED_FILES)
