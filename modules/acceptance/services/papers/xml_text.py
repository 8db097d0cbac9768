"""Text that XML files can hold."""

from __future__ import annotations

import re

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_safe(text: str) -> str:
    """``text`` without the control characters that XML 1.0 (section 2.2) has no way to write."""
    return _FORBIDDEN.sub("", text)
