"""PDFium, which must never be entered by two threads at once."""

from __future__ import annotations

import threading

LOCK = threading.Lock()
"""Held around everything that PDFium does, by the whole program."""
