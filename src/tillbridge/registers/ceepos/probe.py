# SPDX-License-Identifier: GPL-3.0-or-later
"""Try whether a register server can be reached, without saying a word to it."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from tillbridge.certificates import hang_up
from tillbridge.registers.ceepos.client import Target, why_not_connected

_VERDICT_S = 0.3
"""How long a server is given to refuse our certificate: with TLS 1.3 it does so after the handshake."""


async def why_unreachable(target: Target, connect_s: float) -> str | None:
    """Connect (TCP, and TLS for https) and hang up; return None if that went well, else why not."""
    host, port = host_and_port(target)
    try:
        async with asyncio.timeout(connect_s):
            reader, writer = await asyncio.open_connection(host, port, ssl=target.tls)
    except (OSError, UnicodeError) as error:
        return f"{host}:{port}: {why_not_connected(error)}"
    try:
        refusal = await _late_refusal(reader) if target.tls else None
    finally:
        await hang_up(writer)
    return f"{host}:{port}: {refusal}" if refusal else None


def host_and_port(target: Target) -> tuple[str, int]:
    """Return where a target is connected to."""
    parts = urlsplit(target.address)
    return parts.hostname or "", parts.port or (443 if target.tls else 80)


async def _late_refusal(reader: asyncio.StreamReader) -> str | None:
    try:
        async with asyncio.timeout(_VERDICT_S):
            word = await reader.read(1)
    except TimeoutError:
        return None
    except OSError:
        word = b""
    return None if word else "the register server hangs up after the TLS handshake; does it know our certificate?"
