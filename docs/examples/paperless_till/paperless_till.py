# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole adapter as an example: the Paperless Till, a register server that was made up for it.

It answers an order at once, and reports when the customer has paid. Every message is an envelope with a proof,
``{"message": "<JSON as text>", "proof": "<hex>"}``: the HMAC-SHA256 of that text, which cannot be read in two ways.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import BaseModel, ConfigDict, Field

from tillbridge.secret import read_secret
from tillbridge.service import register_port as port
from tillbridge.service.checking_port import Answered, RegisterChecks, ServerChecks, TrialReport
from tillbridge.service.library_port import Unavailable
from tillbridge.surroundings import Surroundings

MOST_BYTES, MOST_LINES = 1_000_000, 200
_NAME = re.compile(r"[A-Za-z0-9]{1,64}")


class Settings(BaseModel):
    """Hold ``[register_server.NAME]`` with ``kind = "paperless"``; a slip of the pen is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str = Field(pattern=r"^https?://[^\s]+$")
    account: str
    secret_file: Path
    connect_s: float = Field(3, gt=0, le=10)
    answer_s: float = Field(15, gt=0, le=60)


def connect(settings: Settings, surroundings: Surroundings) -> port.Register:
    """Make the register: read the secret (raises SettingsError), and open no connection yet."""
    place = ("register_server", surroundings.name, "secret")
    secret = read_secret(place, surroundings.folder, settings.secret_file, None)
    report_to = f"{surroundings.public_address}/api/v1/registers/{surroundings.name}/report"
    return PaperlessTill(settings, secret.encode(), report_to)


class PaperlessTill:
    """Implement `Register` and `RegisterChecks`. It keeps no state: what it is told it turns into facts."""

    names_payer = False
    servers: tuple[ServerChecks, ...] = ()

    def __init__(self, settings: Settings, secret: bytes, report_to: str) -> None:
        self.answer_limit_s = settings.connect_s + settings.answer_s
        self._settings, self._secret, self._report_to = settings, secret, report_to
        self._closed = False
        self.checks: RegisterChecks = self

    async def send(self, order: port.Order, at_register: Callable[[], Awaitable[None]]) -> port.Answer:
        """Send the order once; `at_register` is for tills that hold the request, and this one answers at once."""
        if hindrance := "the bridge is shutting down" if self._closed else _why_not(order):
            return port.NeverSent(hindrance)
        message = {"report_to": self._report_to, "order": order.payment_id, "till": order.register}
        reply = await self._asked(self._settings.address, self._sealed(message | {"lines": _lines(order)}))
        return self._judged(*reply, order.payment_id) if isinstance(reply, tuple) else reply

    def read_report(self, raw: bytes) -> port.Report | port.Unreadable:
        """Read what a report claims, without believing it."""
        try:
            message, _, _ = _opened(raw)
        except (ValueError, KeyError, TypeError, RecursionError):
            return port.Unreadable("the report is no message of a Paperless Till")
        return port.Report(message["order"], raw, message)

    def judge_report(self, report: port.Report, branch: str) -> port.Verdict:
        """Check the proof, and say what the state means; every branch has the same secret here."""
        _, text, claimed = _opened(report.raw)
        if not hmac.compare_digest(_proof(text, self._secret), claimed.encode("utf-8", "replace")):
            return port.Forged("the report's proof is wrong")
        if report.fields.get("account") != self._settings.account:
            return port.Forged("the report is about another account")
        return _meaning(report.fields, report.raw)

    def judge_stray_report(self, report: port.Report) -> port.Verdict:
        """Check a report of a payment that nobody knows, by the one secret that there is."""
        return self.judge_report(report, "")

    async def ping(self) -> str | None:
        """Ask for nothing, which collects nothing: whatever answers is there."""
        reply = await self._asked(self._settings.address, None)
        return None if isinstance(reply, tuple) else reply.why

    async def close(self) -> None:
        """Send nothing more; every connection is closed with its own order."""
        self._closed = True

    def trial_report(self, branch: str, payment_id: str) -> TrialReport:
        """Say, rightly proven, that this payment was cancelled: that opens no case."""
        return TrialReport(self._report_to, self._sealed({"order": payment_id, "state": "cancelled"}))

    async def post(self, report: TrialReport) -> Answered | Unavailable:
        """Post a report as the till would."""
        reply = await self._asked(report.address, report.body)
        return Answered(reply[0]) if isinstance(reply, tuple) else Unavailable(reply.why)

    async def _asked(self, address: str, body: bytes | None) -> tuple[int, bytes] | port.NeverSent | port.NoOutcome:
        """Ask over a connection of its own; only one that was never made proves that nothing has arrived."""
        times = aiohttp.ClientTimeout(total=self.answer_limit_s, sock_connect=self._settings.connect_s)
        made, kept, method = asyncio.Event(), bytearray(), "POST" if body else "GET"
        watch = aiohttp.TraceConfig()

        async def connected(*_: object) -> None:
            made.set()

        watch.on_connection_create_end.append(connected)
        try:
            async with (
                aiohttp.ClientSession(timeout=times, trace_configs=[watch]) as session,
                session.request(method, address, data=body, allow_redirects=False) as response,
            ):
                async for chunk in response.content.iter_any():
                    kept += chunk
                    if len(kept) > MOST_BYTES:
                        break
        except (aiohttp.ClientError, OSError) as error:  # OSError has TimeoutError under it
            if not made.is_set():
                return port.NeverSent("the till's server cannot be reached")
            return port.NoOutcome(f"the connection to the till's server broke off ({type(error).__name__})")
        return response.status, bytes(kept)

    def _judged(self, status: int, raw: bytes, payment_id: str) -> port.Answer:
        report = self.read_report(raw)
        if status != 200 or isinstance(report, port.Unreadable):  # noqa: PLR2004 - HTTP
            return port.NoOutcome(f"the till's server answered {status}, and not with a message", raw[:1000])
        verdict = self.judge_report(report, "")
        if isinstance(verdict, port.Forged) or report.payment_id != payment_id:
            return port.NoOutcome("the answer is not proven to be about this payment", raw)
        return port.AtRegister(raw) if report.fields.get("state") == "waiting" else verdict

    def _sealed(self, message: dict[str, Any]) -> bytes:
        text = json.dumps({"account": self._settings.account} | message)
        return json.dumps({"message": text, "proof": _proof(text, self._secret).decode()}).encode()


def _why_not(order: port.Order) -> str | None:
    """Say why an order must not go out: it would be another till's, another payment's, or another sum."""
    prices = [product.price_minor for product in order.products]
    if not (_NAME.fullmatch(order.payment_id) and _NAME.fullmatch(order.register)):
        return "the payment's id, or the till's number, is none that a Paperless Till knows"
    if min(prices, default=0) < 0 or sum(prices) != order.total.minor or not sum(prices):
        return "the prices do not sum to something to collect"
    return "an order has at most 200 lines" if len(prices) > MOST_LINES else None


def _lines(order: port.Order) -> list[dict[str, Any]]:
    sold = (each for each in order.products if each.price_minor)
    return [{"article": each.code, "text": each.description[:200], "cents": each.price_minor} for each in sold]


def _opened(raw: bytes) -> tuple[dict[str, Any], str, str]:
    """Open an envelope: the message, its text, and the proof that it claims; raise ValueError or KeyError."""
    if len(raw) > MOST_BYTES:
        raise ValueError("too long")
    envelope = json.loads(raw.decode(), object_pairs_hook=_distinct)
    message = json.loads(envelope["message"], object_pairs_hook=_distinct)
    if not isinstance(message, dict) or not isinstance(message.get("order"), str):
        raise ValueError("no message")  # noqa: TRY004 - what was sent is wrong, whatever its type
    return message, envelope["message"], str(envelope["proof"])


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key stands there twice")
    return dict(pairs)


def _proof(text: str, secret: bytes) -> bytes:
    return hmac.new(secret, text.encode("utf-8", "replace"), hashlib.sha256).hexdigest().encode()


def _meaning(message: dict[str, Any], raw: bytes) -> port.Paid | port.Cancelled | port.Refused | port.NoOutcome:
    receipt, cents, state = message.get("receipt"), message.get("cents"), str(message.get("state"))
    facts: dict[str, port.Paid | port.Cancelled | port.Refused] = {
        "paid": port.Paid(str(receipt) if receipt else None, cents if isinstance(cents, int) else None, raw),
        "cancelled": port.Cancelled(raw),
        "refused": port.Refused("the till's server refused the order", raw),
    }
    return facts.get(state) or port.NoOutcome(f"the till says {state}", raw)
