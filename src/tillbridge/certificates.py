# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the chain of certificates that a server shows, without saying a word to it."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import Any

from tillbridge.service.checking_port import Certificate, Distrust, NoTls, NotTrusted, Tls
from tillbridge.service.library_port import Unavailable
from tillbridge.this_machine import is_this_machine

_REASONS = {
    9: Distrust.NOT_YET,
    10: Distrust.EXPIRED,
    **dict.fromkeys((18, 19, 20, 21), Distrust.UNKNOWN_AUTHORITY),
    **dict.fromkeys((62, 64), Distrust.OTHER_NAME),
}
"""OpenSSL's numbers (X509_V_ERR_…) that have a remedy of their own."""


async def certificate_of(host: str, port: int, tls: ssl.SSLContext | None, connect_s: float) -> Tls:
    """Shake hands as the bridge's connections do, hang up, and say which certificate of the chain ends first."""
    if tls is None:
        return NoTls(is_this_machine(host))
    try:
        async with asyncio.timeout(connect_s):
            _, writer = await asyncio.open_connection(host, port, ssl=tls)
    except ssl.SSLCertVerificationError as error:
        return NotTrusted(_REASONS.get(error.verify_code, Distrust.OTHER), error.verify_message)
    except (OSError, UnicodeError):  # OSError has TimeoutError and SSLError under it
        return Unavailable(f"{host}:{port} cannot be reached with TLS")
    try:
        return _first_to_end(writer.get_extra_info("ssl_object"))
    finally:
        await hang_up(writer)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """End a connection at once."""
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


def _first_to_end(tls: ssl.SSLObject) -> Certificate:
    ends = [(ssl.cert_time_to_seconds(str(each["notAfter"])), _subject(each)) for each in _chain(tls)]
    at, subject = min(ends)
    return Certificate(subject, float(at))


def _chain(tls: ssl.SSLObject) -> list[dict[str, Any]]:
    """Return the verified chain, up to its root; where Python does not show it, the server's own certificate alone.

    Python has the chain decoded on the inside alone; from 3.13 on there is a public way too, to bytes.
    """
    inner = getattr(tls, "_sslobj", None)
    verified = getattr(inner, "get_verified_chain", None)
    chain = verified() if verified is not None else None
    return [each.get_info() for each in chain] if chain else [dict(tls.getpeercert() or {})]


def _subject(certificate: dict[str, Any]) -> str:
    """Name whose certificate it is: the common name, else what stands last."""
    names = {key: str(value) for part in certificate.get("subject", ()) for key, value in part}
    return names.get("commonName") or next(reversed(names.values()), "") or "a certificate without a name"
