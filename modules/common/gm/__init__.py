"""Chinese national cryptography (国密) as this suite uses it.

``digests`` SM3 · ``sm4`` ciphers · ``sm2`` signatures, encryption, key exchange, over an ``engines`` of curve
arithmetic · ``tokens`` keys that stay on a token · ``certificates`` X.509 with SM2 · ``envelopes`` GB/T 35275.
"""

from __future__ import annotations

from modules.common.gm.digests import hmac_sm3, sm3
from modules.common.gm.sm4 import NONCE, TAG, Sm4Gcm

__all__ = ["NONCE", "TAG", "Sm4Gcm", "hmac_sm3", "sm3"]
