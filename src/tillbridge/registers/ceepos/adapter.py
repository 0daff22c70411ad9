# SPDX-License-Identifier: GPL-3.0-or-later
"""The register port for Ceepos: compose, send once, judge; writes no state and keeps none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from tillbridge.errors import WrongSetting
from tillbridge.registers.ceepos import judge
from tillbridge.registers.ceepos.checking import CeeposChecks
from tillbridge.registers.ceepos.client import Client, Limits, NotReceived, Received
from tillbridge.registers.ceepos.places import Place, Places
from tillbridge.registers.ceepos.probe import why_unreachable
from tillbridge.registers.ceepos.reading import MESSAGE_LIMIT
from tillbridge.registers.ceepos.request import (
    ID_PLACEHOLDER,
    Form,
    compose,
    signed,
    why_not_sendable,
)
from tillbridge.registers.ceepos.settings import Settings
from tillbridge.service.register_port import (
    Answer,
    NeverSent,
    NoOutcome,
    Order,
    Register,
    Report,
    Unreadable,
    Verdict,
)
from tillbridge.surroundings import Surroundings

_log = structlog.get_logger()

REPORT_PATH = f"/api/v1/pos/cpu/{ID_PLACEHOLDER}/report"
NOTICE_GRACE_S = 1.0
"""How long a slow `at_register` may go on once the answer is there."""


def connect(settings: Settings, surroundings: Surroundings) -> Register:
    """Make the register; reads secrets and certificates, raises SettingsError, opens no connection."""
    _need_known_branches(settings, surroundings)
    form = Form(
        api_version=settings.api_version,
        mode=settings.mode,
        notification_address=_notification_address(settings, surroundings),
        names_payer=settings.receipt_description == "borrower",
    )
    places = Places(settings, surroundings.name, surroundings.folder)
    return Ceepos(form, places, Limits(settings.connect_s, settings.limit_s))


class Ceepos:
    """Implement `Register` for one Ceepos register server."""

    def __init__(self, form: Form, places: Places, limits: Limits, client: Client | None = None) -> None:
        self.names_payer = form.names_payer
        self.answer_limit_s = limits.connect_s + limits.answer_s + NOTICE_GRACE_S
        self._form, self._places, self._limits = form, places, limits
        self._client = client or Client()
        self.checks = CeeposChecks(places, self._client, limits.connect_s, form.notification_address)

    async def send(self, order: Order, at_register: Callable[[], Awaitable[None]]) -> Answer:
        """Send the order once, over a fresh connection, and return what became of it."""
        hindrance = why_not_sendable(order)
        if hindrance:
            return NeverSent(hindrance)
        place = self._places.of(order.branch)
        message = compose(order, self._form, place.terms.source)
        body = signed(message, place.order, place.terms.secrets[0])
        if len(body) > MESSAGE_LIMIT:
            return NeverSent("the order has more products than one message can hold")
        outcome = await self._exchanged(place, body, at_register)
        match outcome:
            case Received(http_status, raw):
                verified = place.target.verified
                return judge.judge_answer(http_status, raw, order.payment_id, place.terms, verified=verified)
            case NotReceived(why, connected, raw):
                return NoOutcome(why, raw) if connected else NeverSent(why)

    def read_report(self, raw: bytes) -> Report | Unreadable:
        """Read a report without trusting it."""
        return judge.read_report(raw)

    def judge_report(self, report: Report, branch: str) -> Verdict:
        """Check the report's proof with the secrets of that branch and say what it means."""
        return judge.judge_report(report, self._places.of(branch).terms)

    def judge_stray_report(self, report: Report) -> Verdict:
        """Check a report for a payment that nobody knows, with every secret that there is."""
        return judge.judge_stray_report(report, self._places.terms())

    async def ping(self) -> str | None:
        """Connect to every address and hang up; return None when all are there, else which are not, and why."""
        probes = (why_unreachable(target, self._limits.connect_s) for target in self._places.targets())
        return "; ".join(filter(None, await asyncio.gather(*probes))) or None

    async def close(self) -> None:
        """Release every connection; held requests end without an outcome."""
        await self._client.close()

    async def _exchanged(
        self, place: Place, body: bytes, at_register: Callable[[], Awaitable[None]]
    ) -> Received | NotReceived:
        """Exchange, and tell `at_register` where the answer is held back (mode 2; mode 1 answers at once)."""
        notice = _Notice(at_register)
        on_written = notice.start if self._form.mode == 2 else None  # noqa: PLR2004 - the mode's own name
        try:
            outcome = await self._client.post(place.target, body, self._limits, on_written)
            await notice.settle()
        finally:
            notice.drop()
        return outcome


class _Notice:
    """Run `at_register` beside the exchange, so that neither its failing nor its slowness harms the answer."""

    def __init__(self, at_register: Callable[[], Awaitable[None]]) -> None:
        self._at_register = at_register
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def settle(self) -> None:
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=NOTICE_GRACE_S)

    def drop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            await self._at_register()
        except Exception:  # noqa: BLE001 - whatever the caller's code raises, the answer must still be read
            _log.exception("a payment could not be marked as at the register; its answer is still awaited")


def _need_known_branches(settings: Settings, surroundings: Surroundings) -> None:
    """Refuse what a branch would never get: with a slip in its code it would silently use the server's own settings."""
    for code in settings.branch:
        if code not in surroundings.branches:
            place = ("register_server", surroundings.name, "branch", code)
            known = ", ".join(surroundings.branches) or "none"
            remedy = f"Correct the code, or let the branch use it. Those that do: {known}"
            raise WrongSetting(place, "no branch of this code uses this register server", remedy)


def _notification_address(settings: Settings, surroundings: Surroundings) -> str:
    if settings.notification_address is not None:
        return settings.notification_address
    if not surroundings.public_address:
        remedy = "Set it, or the bridge's public address, to where the register server can reach the bridge"
        place = ("register_server", surroundings.name, "notification_address")
        raise WrongSetting(place, "there is no address for reports", remedy)
    return surroundings.public_address.rstrip("/") + REPORT_PATH
