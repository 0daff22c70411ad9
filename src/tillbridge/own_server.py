# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the bridge itself from its own machine: where it listens, and what its public address shows."""

from __future__ import annotations

import asyncio
import ssl
from urllib.parse import urlsplit

from tillbridge.certificates import certificate_of, hang_up
from tillbridge.service.checking_port import Tls

CONNECT_S = 3.0
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - who listens at all addresses listens at this one too


class OwnServer:
    """Implement the port of the same name for a bridge of these settings."""

    def __init__(self, public_address: str, host: str, port: int) -> None:
        """Name the bridge's address outside, and where it listens."""
        self.public_address = public_address
        self._host, self._port = _ANY.get(host, host), port

    async def certificate(self) -> Tls:
        """Look at the certificates at the public address, by the system's authorities."""
        parts = urlsplit(self.public_address)
        tls = ssl.create_default_context() if parts.scheme == "https" else None
        return await certificate_of(parts.hostname or "", parts.port or 443, tls, CONNECT_S)

    async def listens(self) -> bool:
        """Connect to where the settings say that it listens, and hang up."""
        try:
            async with asyncio.timeout(CONNECT_S):
                _, writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            return False
        await hang_up(writer)
        return True
