# SPDX-License-Identifier: GPL-3.0-or-later
"""What a network says that no test can bring about at will, in plain words."""

from __future__ import annotations

import errno
import os
import ssl

import pytest

from tillbridge.alarms.tls import why_not


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (
            OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH)),
            "the connection to the mail server failed: No route to host",
        ),
        (OSError(), "the connection to the mail server failed: OSError"),
        (ssl.SSLError(), "no TLS connection to the mail server: the handshake failed"),
    ],
)
def test_whatever_a_network_says_is_told_in_plain_words(error: OSError, why: str) -> None:
    assert why_not(error, "mail server") == why
