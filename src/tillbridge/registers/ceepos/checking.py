# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a Ceepos register server before the first customer, and make a report as it would send one.

No payment request goes out: the interface has no message that asks for anything without asking for money.
"""

from __future__ import annotations

import json
import ssl

from tillbridge.certificates import certificate_of
from tillbridge.http_date import instant_of
from tillbridge.registers.ceepos.client import Client, Limits, NotReceived, Received, Target
from tillbridge.registers.ceepos.hashes import digest_of, report_slots
from tillbridge.registers.ceepos.judge import Terms
from tillbridge.registers.ceepos.places import Places
from tillbridge.registers.ceepos.probe import host_and_port
from tillbridge.registers.ceepos.reading import Message
from tillbridge.registers.ceepos.request import report_address
from tillbridge.service.checking_port import Answered, ServerTime, Tls, TrialReport
from tillbridge.service.library_port import Unavailable

ANSWER_S = 10.0
"""How long any answer is waited for here: nothing that is asked for takes longer than a moment."""

_CANCELLED = 0


class CeeposServer:
    """Look at one address of a register server."""

    def __init__(self, target: Target, client: Client, limits: Limits) -> None:
        self._target, self._client, self._limits = target, client, limits
        self._host, self._port = host_and_port(target)
        self.name = f"{self._host}:{self._port}"

    async def time(self) -> ServerTime | Unavailable:
        """Read the date of the answer to a HEAD request for the server's first page."""
        at = instant_of(await self._client.date(self._target, self._limits))
        return Unavailable("it does not say what time it is") if at is None else ServerTime(at)

    async def certificate(self) -> Tls:
        """Look at the certificates that payments' connections see."""
        return await certificate_of(self._host, self._port, self._target.tls, self._limits.connect_s)


class CeeposChecks:
    """Implement `RegisterChecks` for one Ceepos register server."""

    def __init__(self, places: Places, client: Client, connect_s: float, notification_address: str) -> None:
        self._places, self._client, self._address = places, client, notification_address
        self._limits = Limits(connect_s, ANSWER_S)
        self.servers = tuple(CeeposServer(target, client, self._limits) for target in places.targets())

    def trial_report(self, branch: str, payment_id: str) -> TrialReport:
        """Make a report of status 0, with the source and the secret of the branch."""
        message = _cancelled(payment_id, self._places.of(branch).terms)
        return TrialReport(report_address(self._address, payment_id), json.dumps(message).encode())

    async def post(self, report: TrialReport) -> Answered | Unavailable:
        """Post a report as the register server would, with the system's authorities to trust."""
        tls = ssl.create_default_context() if report.address.startswith("https:") else None
        match await self._client.post(Target(report.address, tls), report.body, self._limits):
            case Received(status, _):
                return Answered(status)
            case NotReceived(_, connected):
                return Unavailable("no whole answer came" if connected else "no connection could be made")


def _cancelled(payment_id: str, terms: Terms) -> Message:
    message: Message = {"Source": terms.source, "Id": payment_id, "Status": _CANCELLED, "Reference": None}
    return message | {"Hash": digest_of(report_slots(message, terms.version), terms.secrets[0])}
