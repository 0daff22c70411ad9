# SPDX-License-Identifier: GPL-3.0-or-later
"""Post reports to the address that each payment named, and write down what became of them."""

from __future__ import annotations

import asyncio
import ssl

import aiohttp

from tillbridge.simulators.till.book import Book
from tillbridge.simulators.till.faults import ReportPlan
from tillbridge.simulators.till.messages import report, trial_report
from tillbridge.simulators.till.outside import Outside
from tillbridge.simulators.till.payment import Payment
from tillbridge.simulators.till.settings import TillSettings

_MOST_AT_ONCE = 500
_MOST_ANSWER_BYTES = 2_000


class Reporter:
    """Post reports, between `open` and `close`."""

    def __init__(self, settings: TillSettings, book: Book, outside: Outside) -> None:
        self.settings = settings
        self._book = book
        self._outside = outside
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make ready; every report gets a fresh connection, so that none fails on a stale one."""
        trust: ssl.SSLContext | bool = True
        if self.settings.report_ca is not None:
            trust = ssl.create_default_context(cafile=self.settings.report_ca)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_MOST_AT_ONCE, force_close=True, ssl=trust),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self.settings.report_limit_s),
        )

    async def close(self) -> None:
        """Release every connection."""
        if self._session is not None:
            await self._session.close()

    async def post(self, payment: Payment, plan: ReportPlan) -> None:
        """Post the report of this state of the payment as the plan has it."""
        await asyncio.sleep(plan.delay_s)
        body = report(self.settings, payment, plan, self._outside.other_id)
        posts = [self._deliver(payment, body) for _ in range(plan.copies)]
        if plan.together:
            await asyncio.gather(*posts)
        else:
            for one in posts:
                await one

    async def post_trial(self, payment_id: str, address: str) -> tuple[int | None, str]:
        """Post a report of a payment that never was, once; return HTTP status and answer, or None and why not."""
        body = trial_report(self.settings, payment_id)
        status, remark = await self.exchange(address, body)
        self._book.note("out", "report", payment_id, body, status, remark)
        return status, remark

    async def _deliver(self, payment: Payment, body: bytes) -> None:
        """Post once, and again as often as the settings say while it is not answered 2xx."""
        for left in reversed(range(self.settings.report_retries + 1)):
            status, remark = await self.exchange(payment.report_address, body)
            self._book.note("out", "report", payment.payment_id, body, status, remark)
            if (status is not None and status // 100 == 2) or not left:  # noqa: PLR2004 - the class of success
                return
            await asyncio.sleep(self.settings.report_retry_after_s)

    async def exchange(self, address: str, body: bytes) -> tuple[int | None, str]:
        """Post a body once; return HTTP status and answer, or None and why not."""
        if self._session is None:
            return None, "the server is not running"
        headers = {"Content-Type": "application/json"}
        try:
            async with self._session.post(address, data=body, headers=headers, allow_redirects=False) as got:
                text = await got.content.read(_MOST_ANSWER_BYTES)
                return got.status, text.decode(errors="replace")
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return None, f"not delivered: {type(error).__name__}"
