"""HTTPS that asks more of a server than a certificate of the right authority: the key that it is known by."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

from requests.adapters import HTTPAdapter  # noqa: TID253 - imported when the first line is opened
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.poolmanager import PoolManager

from client.data.credential import spki_sha256

PIN_MISMATCH = "GOVDESK_PIN_MISMATCH"
"""In the words of the error, as OpenSSL's own reasons are."""


class PinnedAdapter(HTTPAdapter):
    """Opens lines with ``context``, and gives up one whose server's key is not among ``pins()``, before a word is said.

    Empty pins: any key that the authority vouches for.
    """

    def __init__(self, context: ssl.SSLContext, pins: Callable[[], frozenset[str]]) -> None:
        self._context = context
        self._pins = pins
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        pins = self._pins

        class Connection(HTTPSConnection):
            """Looks at the server's key."""

            def connect(self) -> None:
                super().connect()
                wanted = pins()
                line: Any = self.sock
                if wanted and spki_sha256(line.getpeercert(binary_form=True)) not in wanted:
                    self.close()
                    raise ssl.SSLError(PIN_MISMATCH)

        class Pool(HTTPSConnectionPool):
            """Of such connections."""

            ConnectionCls = Connection

        self.poolmanager = PoolManager(
            num_pools=connections, maxsize=maxsize, block=block, ssl_context=self._context, **options
        )
        self.poolmanager.pool_classes_by_scheme = {"https": Pool}

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        return super().build_connection_pool_key_attributes(request, True, None)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave the context as it is: requests would have it trust the authorities of the whole world."""
        conn.cert_reqs = "CERT_REQUIRED"
