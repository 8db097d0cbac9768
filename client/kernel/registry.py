"""The modules of this program: declared by manifests, loaded when first wanted, kept apart when they fail."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from client.kernel.contract import Host, Module, Token
from client.kernel.logs import mask
from modules.common.errors import GovDeskError
from modules.common.manifest import Manifest, Page, Ref
from modules.common.text import tr

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a part of a module cannot be used: its id, a sentence for people, and text for those who mend it."""

    module: str
    reason: str
    diagnostics: str


class Registry:
    """Starts modules and builds what they offer. What fails comes back as a ``Failure``; the rest goes on."""

    def __init__(self, manifests: Iterable[Manifest], host: Host) -> None:
        self.manifests = tuple(manifests)
        self._host = host
        self._started: dict[str, Module] = {}
        self._failed: dict[str, Failure] = {}
        self._loaded: set[str] = set()

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The modules that could not be started."""
        return tuple(self._failed.values())

    @property
    def started(self) -> tuple[str, ...]:
        """The ids of the modules that run, in the order of their start."""
        return tuple(self._started)

    def page(self, page: str) -> tuple[Manifest, Page]:
        """The page and its module by the page's id. Raises ``KeyError``."""
        for manifest in self.manifests:
            for declared in manifest.pages:
                if declared.id == page:
                    return manifest, declared
        raise KeyError(page)

    def start(self, module: str) -> Failure | None:
        """Start a module unless it runs. One that failed is not tried again. Raises ``KeyError`` for an unknown id."""
        if module in self._started:
            return None
        if module in self._failed:
            return self._failed[module]
        manifest = next((found for found in self.manifests if found.id == module), None)
        if manifest is None:
            raise KeyError(module)
        try:
            entry: Module = manifest.entry.load()()
        except Exception as error:  # noqa: BLE001 - whatever a module raises stays its own
            return self._fail(manifest, error)
        # stopped once, even after a failed start
        self._started[module] = entry
        try:
            entry.start(self._host)
        except Exception as error:  # noqa: BLE001 - whatever a module raises stays its own
            self._stop(module)
            return self._fail(manifest, error)
        return None

    def loaded(self, page: Page) -> bool:
        """Whether the code of a page is there, or has been tried: it can be built without waiting for imports."""
        return page.view.target in self._loaded

    def load(self, manifest: Manifest, page: Page) -> None:
        """Import the code of a page, on a thread that may wait. What fails to load says so when the page is built."""
        for part in (manifest.entry, page.view):
            try:
                part.load()
            except Exception as error:  # noqa: BLE001 - whatever a module raises stays its own
                log.warning("loading failed: %s", type(error).__name__, extra={"module_id": manifest.id})
        self._loaded.add(page.view.target)

    def preload(self, permitted: Callable[[str], bool], token: Token) -> None:
        """``load`` every page that is ``permitted``, so that its first opening need not wait."""
        for manifest in self.manifests:
            for page in manifest.pages:
                if permitted(page.permission):
                    token.check()
                    self.load(manifest, page)

    def build(self, manifest: Manifest, part: Ref) -> Any:
        """Start the module and call what ``part`` names (a view's class, a handler) with the host.

        Returns what the call returned, or a ``Failure``.
        """
        if failure := self.start(manifest.id):
            return failure
        try:
            return part.load()(self._host)
        except Exception as error:  # noqa: BLE001 - whatever a module raises stays its own
            return _failure(manifest, error)

    def stop(self) -> None:
        """Stop all modules, the last started first. One that fails to stop hinders no other."""
        for module in reversed(tuple(self._started)):
            self._stop(module)

    def _stop(self, module: str) -> None:
        try:
            self._started.pop(module).stop()
        except Exception:
            log.exception("module did not stop cleanly", extra={"module_id": module})

    def _fail(self, manifest: Manifest, error: Exception) -> Failure:
        self._failed[manifest.id] = _failure(manifest, error)
        return self._failed[manifest.id]


def _failure(manifest: Manifest, error: Exception) -> Failure:
    log.error("module failed", exc_info=error, extra={"module_id": manifest.id})
    if isinstance(error, GovDeskError):
        reason = error.sentence()
    else:
        reason = tr(
            "模块“{name}”未能打开，其他功能不受影响。请把诊断信息交给系统管理员。（MOD-003）", name=tr(manifest.name)
        )
    text = "".join(traceback.format_exception(error))
    return Failure(manifest.id, reason, mask(f"{manifest.id} api={manifest.api}\n{text}"))
