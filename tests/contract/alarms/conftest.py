# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for servers of alarms, and a message to send."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from tillbridge.domain.money import Money
from tillbridge.service.alarm_port import AlarmMessage, CaseNews

AT = 1_800_000_000.0


class Papers:
    """An authority that is trusted, one that nobody knows, and what they issue."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ours, self._foreign = trustme.CA(), trustme.CA()
        self._ours.cert_pem.write_to_path(folder / "ca.pem")

    def of_server(self, name: str = "127.0.0.1", *, foreign: bool = False) -> ssl.SSLContext:
        """Make a server's context with a certificate for this name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (self._foreign if foreign else self._ours).issue_cert(name).configure_cert(context)
        return context


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return Papers(tmp_path)


@pytest.fixture
def message() -> AlarmMessage:
    booked = CaseNews(
        case_id=7,
        kind="not_booked",
        words="It is collected and not booked.",
        to_do="See whether the library system answers.",
        opened_at=AT - 125,
        age_s=125,
        payment_id="0A1B",
        branch="Pääkirjasto",
        register="10",
        amount=Money(1250, "EUR"),
    )
    stray = CaseNews(8, "paid_for_unknown_id", "Nobody knows the payment.", "Find out.", AT - 90_000, 90_000)
    return AlarmMessage("https://bridge.example.fi", AT, (booked, stray))
