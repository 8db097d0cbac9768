"""What a counter does while its disk is watched. After each step it says what it has promised by now.

python -m tests.support.powercut.scenario ROOT EXTENSION PROMISED {day|upgrade} [MUTANT]
"""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import sqlcipher3.dbapi2 as sqlcipher
from sqlalchemy import text

from client.data import engine as engines
from client.data.blobs import Blobs
from client.data.profile import write_json
from modules.common.clock import FixedClock
from tests.support.powercut.check import outbox_of
from tests.support.reference_server import Person, ReferenceServer
from tests.support.sync_sim import KEY, START, Device

OLD = Path(__file__).parents[2] / "data" / "db" / "0001.db"

PNG = b"\x89PNG\r\n\x1a\n" + bytes(2000)
MUTANTS = {
    "synchronous-off": "what is committed is not synced",
    "synchronous-normal": "what is committed is synced at checkpoints only",
    "printed-early": "the receipt is printed before the case is committed",
    "unsynced-files": "plain files are renamed into place without having been synced",
}


class Watched(Device):
    """A device whose store is made while the disk is watched."""

    def lay_out(self) -> None:
        pass


class Scenario:
    """One counter against an honest server, and the history's narrator."""

    def __init__(self, root: Path, extension: str, promised: dict[str, Any], mutant: str) -> None:
        self.root = root
        self.mutant = mutant
        self.voice = sqlcipher.connect(":memory:")
        self.voice.enable_load_extension(True)
        self.voice.load_extension(extension)
        if mutant.startswith("synchronous-"):
            self._synchronous(mutant.removeprefix("synchronous-"))
        if mutant == "unsynced-files":
            import os

            os.fsync = lambda descriptor: None
        self.server = ReferenceServer(FixedClock(START))
        self.promised = promised
        self.voice.execute("SELECT powercut_said(?)", (json.dumps(self.promised),))
        self.device = Watched(
            root, "store", self.server, Random(7), skew=0.0, person=Person("zhang", "x", ("ref", "hall:h1"))
        )

    @staticmethod
    def _synchronous(mode: str) -> None:
        right = engines.connect

        def connect(path: Path, key: bytes) -> Any:
            connection = right(path, key)
            connection.execute(f"PRAGMA synchronous={mode}")
            return connection

        engines.connect = connect

    def say(self) -> None:
        """All that is promised by now: what the store shows is on disk."""
        store = self.device.store
        with store._reading() as db:
            owed = sorted(db.execute(text("SELECT record_id FROM print_job")).scalars())
        told = {
            **self.promised,
            "outbox": outbox_of(store),
            "cursors": {scope: store.cursor(scope) for scope in store.scopes},
            "owed": owed,
            "epoch": store.epoch,
        }
        self.voice.execute("SELECT powercut_said(?)", (json.dumps(told),))

    def sync(self, steps: int) -> None:
        for _ in range(steps):
            if wait := self.device.step():
                self.device.clock.advance(min(wait, 30.0))
            self.say()

    def accept(self, title: str, **options: Any) -> None:
        store = self.device.store
        id = store.new_id()
        if self.mutant == "printed-early":
            with store._reading() as db:
                block = db.execute(text("SELECT series, next FROM lease WHERE next <= last")).first()
            assert block is not None
            day = store.now().strftime("%Y%m%d")
            self.promised["receipts"][id] = f"{block.series}-{day}-{block.next:06d}"
            self.voice.execute("SELECT powercut_said(?)", (json.dumps({**self.promised}),))
        record = store.give("note", id, "note.open", {"title": title}, numbered=True, prints="slip", **options)
        # printed: from here on somebody holds the paper
        self.promised["receipts"][id] = record.number
        self.say()

    def draft(self, version: int) -> None:
        self.device.store.drafts.save("d", "note", "草稿", {"version": version})
        self.promised["drafts"]["d"] = version
        self.say()

    def page(self, number: int) -> None:
        blobs = Blobs(self.device.store, lambda sha256, start: iter(()))
        self.promised["pages"].append(blobs.put(PNG + bytes([number]), "image/png").sha256)
        self.say()

    def settings(self, version: int) -> None:
        write_json(self.root / "settings.json", {"version": version})
        self.promised["settings"] = version
        self.say()

    def run(self) -> None:
        """A short day."""
        self.say()
        for n in range(3):
            self.server.publish("ink", f"ink-{n}", {"id": f"ink-{n}"})
        self.settings(1)
        self.sync(5)
        self.draft(1)
        self.accept("一")
        self.page(1)
        self.draft(2)
        self.accept("二")
        self.sync(4)
        for id in list(self.promised["receipts"]):
            self.device.store.give("note", id, "note.add", {"text": "一行"})
            self.say()
        self.settings(2)
        self.sync(4)
        self.device.crash()  # closed and opened: the log goes into the file
        self.say()
        self.accept("三")
        kept = self.server.backup()
        self.sync(4)
        self.page(2)
        self.server.restore(kept)
        self.accept("四")
        self.sync(12)
        self.draft(3)
        self.device.store.prune()
        self.say()
        self.device.store.close()

    def upgraded(self) -> None:
        """The program is newer than the store; then work goes on."""
        self.say()
        self.accept("新")
        self.device.crash()
        self.say()


def prepare(root: Path, scenario: str) -> dict[str, Any]:
    """What is there before anything is watched, and what it promises."""
    promised: dict[str, Any] = {"receipts": {}, "drafts": {}, "pages": [], "settings": 0}
    if scenario == "upgrade":
        shutil.copyfile(OLD, root / "store.db")
        with closing(engines.connect(root / "store.db", KEY)) as db:
            promised["outbox"] = [list(row) for row in db.execute("SELECT n, cmd_id, state FROM outbox ORDER BY n")]
            promised["receipts"] = dict(db.execute("SELECT id, number FROM record WHERE number <> ''").fetchall())
            promised["owed"] = [id for (id,) in db.execute("SELECT record_id FROM print_job")]
    return promised


def main(root: str, extension: str, promised: str, scenario: str, mutant: str = "") -> None:
    day = Scenario(Path(root), extension, json.loads(promised), mutant)
    day.run() if scenario == "day" else day.upgraded()


if __name__ == "__main__":
    main(*sys.argv[1:])
