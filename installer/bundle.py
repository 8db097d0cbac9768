"""What goes into the frozen program and what must not: read by ``build.spec`` and by the tests."""

from __future__ import annotations

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
UNUSED_QT = ("QtQml", "QtQuick", "QtQuickWidgets", "QtQuickControls2", "QtSql", "QtDesigner", "QtUiTools", "QtHelp")
UNUSED = (
    "tkinter",
    "gi",
    "IPython",
    "matplotlib",
    "numpy",
    "pytest",
    "_pytest",
    "mypy",
    "hypothesis",
    "setuptools",
    "pip",
)
UNUSED_FILES = (
    "virtualkeyboard", "libgtk-", "libgdk", "libqgtk3", "libatk-", "libcairo", "libpango", "libpixman", "libthai",
    "Qt6Quick", "Qt6Qml", "Qt6Wayland", "qmltooling", "egldeviceintegrations", "wayland-", "libqeglfs", "libqlinuxfb",
    "libqvkkhrdisplay", "libqvnc", "libqminimal", "Qt6EglFS", "Qt6Sql",
)  # fmt: skip
"""Parts of names of files that Qt's plugins would bring along."""
TRANSLATIONS = ("qtbase_zh_CN", "qtbase_en")


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


def is_gpl_qt(name: str) -> bool:
    """Whether a file belongs to a Qt module that may be in no bundle."""
    file = Path(name).name.lower()
    return "virtualkeyboard" in file or any(
        file.startswith((f"libqt6{module[2:]}.".lower(), f"qt6{module[2:]}.".lower(), f"{module}.".lower()))
        for module in GPL_QT
    )


def is_unused(name: str) -> bool:
    """Whether a file that PyInstaller found is left out."""
    path = Path(name)
    translation = path.suffix == ".qm" and path.stem not in TRANSLATIONS
    return translation or any(part in name for part in UNUSED_FILES)
