# SPDX-License-Identifier: GPL-3.0-or-later
"""Make sure that the other end is who it should be, and say in plain words where it is not."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

from tillbridge.errors import WrongSetting


def trusting(ca_file: Path | None, setting: Sequence[str]) -> ssl.SSLContext:
    """Make a context that verifies certificate and host name; a CA file replaces the system's authorities."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        remedy = "Name a PEM file with the certificate of the authority that signed the server's"
        raise WrongSetting(setting, f"the CA file {ca_file} cannot be used", remedy) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def why_not(error: BaseException, who: str) -> str:
    """Say in plain words why `who` could not be talked to."""
    match error:
        case ssl.SSLError():
            return _why_no_tls(error, who)
        case socket.gaierror() | UnicodeError():
            return f"the name of the {who} cannot be found"
        case ConnectionRefusedError():
            return f"the {who} refuses the connection"
        case TimeoutError():
            return f"the {who} gave no answer in time"
        case _:
            return f"the connection to the {who} failed: {getattr(error, 'strerror', None) or type(error).__name__}"


def _why_no_tls(error: ssl.SSLError, who: str) -> str:
    # Only an error that OpenSSL itself has made says more.
    reason = getattr(error, "reason", None) or "the handshake failed"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of the {who} is not accepted: {getattr(error, 'verify_message', None) or reason}"
    return f"no TLS connection to the {who}: {reason}"
