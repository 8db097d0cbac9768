"""Starts the stand-in of the provincial catalogue (省级事项库替身)."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import sys
import threading
from pathlib import Path

from server_stub.standins.province.service import Catalogue, ProvinceServer

APP = "hall-demo"


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or Ctrl+C."""
    parser = argparse.ArgumentParser(prog="python -m server_stub.standins.province", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="where the catalogue is kept (数据目录)"
    )
    parser.add_argument("--port", type=int, default=0, help="port; 0 takes a free one (端口)")
    parser.add_argument("--ready-file", type=Path, metavar="FILE", help="written as JSON when it is ready")
    options = parser.parse_args(arguments)
    options.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    secret = options.data / "secrets.json"
    if not secret.exists():
        secret.touch(mode=0o600)
        secret.write_text(json.dumps({"key": secrets.token_hex(32), "admin": secrets.token_hex(16)}), "utf-8")
    kept = json.loads(secret.read_text("utf-8"))
    service = ProvinceServer(("127.0.0.1", options.port), Catalogue(options.data), {APP: kept["key"]}, kept["admin"])
    url = f"http://127.0.0.1:{service.server_address[1]}"
    ready = {"url": url, "app": APP, **kept, "pid": os.getpid()}
    if options.ready_file:
        partial = options.ready_file.with_suffix(".part")
        partial.write_text(json.dumps(ready), "utf-8")
        partial.replace(options.ready_file)
    sys.stdout.write(f"province stand-in at {url}\n")
    sys.stdout.flush()
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=service.shutdown).start())
    try:
        service.serve_forever(poll_interval=0.1)
    except KeyboardInterrupt:
        sys.stdout.write("stopped\n")
    finally:
        service.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
