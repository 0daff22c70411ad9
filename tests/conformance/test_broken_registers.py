# SPDX-License-Identifier: GPL-3.0-or-later
"""The register kit can fail: each of these adapters breaks one thing, and the check that names it says so."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from conformance.conftest import Wrapped, failures, results_of
from tillbridge.conformance import ceepos, kit, register
from tillbridge.conformance.register_trying import PAYER
from tillbridge.domain.money import Money
from tillbridge.registers import ceepos as adapter
from tillbridge.service.register_port import (
    Answer,
    Cancelled,
    Forged,
    NeverSent,
    NoOutcome,
    Order,
    Paid,
    Product,
    Report,
    Unreadable,
    Verdict,
)

Tell = Callable[[], Awaitable[None]]


class SendsTwice(Wrapped):
    async def send(self, order: Order, at_register: Tell) -> Answer:
        one, _ = await asyncio.gather(self.whole.send(order, at_register), self.whole.send(order, at_register))
        return one  # type: ignore[no-any-return]


class SendsAgain(Wrapped):
    async def send(self, order: Order, at_register: Tell) -> Answer:
        answer: Answer = await self.whole.send(order, at_register)
        return await self.whole.send(order, at_register) if isinstance(answer, NoOutcome) else answer


@dataclass
class Tells(Wrapped):
    """Tell one kind of answer as another one."""

    whole: Any
    instead_of: type
    answer: Answer

    async def send(self, order: Order, at_register: Tell) -> Answer:
        answer: Answer = await self.whole.send(order, at_register)
        return self.answer if isinstance(answer, self.instead_of) else answer


class Raises(Wrapped):
    async def send(self, order: Order, at_register: Tell) -> Answer:
        answer: Answer = await self.whole.send(order, at_register)
        if isinstance(answer, NeverSent):
            raise ConnectionRefusedError(answer.why)
        return answer


class NeverTells(Wrapped):
    async def send(self, order: Order, at_register: Tell) -> Answer:
        async def nobody() -> None:
            return None

        return await self.whole.send(order, nobody)  # type: ignore[no-any-return]


class TellsTooEarly(Wrapped):
    async def send(self, order: Order, at_register: Tell) -> Answer:
        await at_register()
        return await self.whole.send(order, at_register)  # type: ignore[no-any-return]


class FailsWithTheNotice(Wrapped):
    async def send(self, order: Order, at_register: Tell) -> Answer:
        failed: list[Exception] = []

        async def noting() -> None:
            try:
                await at_register()
            except RuntimeError as error:
                failed.append(error)

        answer: Answer = await self.whole.send(order, noting)
        return NoOutcome("the notice failed") if failed else answer


class Changes(Wrapped):
    def __init__(self, whole: Any, change: Callable[[Order], Order]) -> None:
        super().__init__(whole)
        self.change = change

    async def send(self, order: Order, at_register: Tell) -> Answer:
        return await self.whole.send(self.change(order), at_register)  # type: ignore[no-any-return]


def with_products(change: Callable[[tuple[Product, ...]], tuple[Product, ...]]) -> Callable[[Order], Order]:
    def changed(order: Order) -> Order:
        products = change(order.products)
        return replace(order, products=products, total=Money(sum(each.price_minor for each in products), "EUR"))

    return changed


def in_ascii(products: tuple[Product, ...]) -> tuple[Product, ...]:
    plain = [each.description.encode("ascii", "replace").decode() for each in products]
    return tuple(replace(each, description=text) for each, text in zip(products, plain, strict=True))


class NamesThePayer(Changes):
    names_payer = False


class Dawdles(Wrapped):
    async def send(self, order: Order, at_register: Tell) -> Answer:
        answer: Answer = await self.whole.send(order, at_register)
        await asyncio.sleep(self.whole.answer_limit_s + 1)
        return answer


class Judges(Wrapped):
    def __init__(self, whole: Any, change: Callable[[Verdict], Verdict]) -> None:
        super().__init__(whole)
        self.change = change

    def judge_report(self, report: Report, branch: str) -> Verdict:
        return self.change(self.whole.judge_report(report, branch))


class BelievesEverySecret(Wrapped):
    def judge_report(self, report: Report, branch: str) -> Verdict:
        return self.whole.judge_stray_report(report)  # type: ignore[no-any-return]


class RemembersReports(Wrapped):
    def __init__(self, whole: Any) -> None:
        super().__init__(whole)
        self.known: set[bytes] = set()

    def judge_report(self, report: Report, branch: str) -> Verdict:
        if report.raw in self.known:
            return NoOutcome("known already")
        self.known.add(report.raw)
        return self.whole.judge_report(report, branch)  # type: ignore[no-any-return]


class ReadsNumbersOnly(Wrapped):
    def judge_report(self, report: Report, branch: str) -> Verdict:
        verdict: Verdict = self.whole.judge_report(report, branch)
        return verdict if isinstance(report.fields["Status"], int) else NoOutcome("a status is a number")


class FallsOver(Wrapped):
    def read_report(self, raw: bytes) -> Report | Unreadable:
        raw.decode()
        return self.whole.read_report(raw)  # type: ignore[no-any-return]


class ReadsOnlyWhatIsProven(Wrapped):
    def read_report(self, raw: bytes) -> Report | Unreadable:
        report: Report | Unreadable = self.whole.read_report(raw)
        if isinstance(report, Report) and isinstance(self.whole.judge_report(report, "CPL"), Forged):
            return Unreadable("forged")
        return report


class IsAlwaysWell(Wrapped):
    async def ping(self) -> str | None:
        return None


class NeverCloses(Wrapped):
    async def close(self) -> None:
        return None


class ConnectsAtOnce(Wrapped):
    def __init__(self, whole: Any) -> None:
        super().__init__(whole)
        self.pinging = asyncio.create_task(whole.ping())


def drop_receipt(verdict: Verdict) -> Verdict:
    return replace(verdict, receipt_number=None) if isinstance(verdict, Paid) else verdict


def drop_bytes(verdict: Verdict) -> Verdict:
    return replace(verdict, raw=b"") if isinstance(verdict, Paid) else verdict


def believe_all(verdict: Verdict) -> Verdict:
    return Paid("K1") if isinstance(verdict, Forged) else verdict


def guess(verdict: Verdict) -> Verdict:
    return Cancelled() if isinstance(verdict, NoOutcome) else verdict


BROKEN: dict[str, tuple[Callable[[Any], Any], str]] = {
    "sends twice": (SendsTwice, "arrives_once"),
    "sends again after a doubt": (SendsAgain, "fault_cut_read"),
    "takes a lost answer for never sent": (lambda r: Tells(r, NoOutcome, NeverSent("lost")), "fault_answer_lost"),
    "takes an error page for a no": (lambda r: Tells(r, NoOutcome, Cancelled()), "fault_page_502"),
    "takes an unproven answer for paid": (lambda r: Tells(r, NoOutcome, Paid("K1")), "fault_wrong_proof"),
    "takes never sent for a doubt": (lambda r: Tells(r, NeverSent, NoOutcome("?")), "nobody_there_is_never_sent"),
    "raises where nobody is there": (Raises, "nobody_there_is_never_sent"),
    "never tells that it is at the register": (NeverTells, "tells_when_it_is_at_the_register"),
    "tells it before anything is sent": (TellsTooEarly, "nobody_there_is_never_sent"),
    "drops the answer when the notice fails": (FailsWithTheNotice, "a_failing_notice_does_no_harm"),
    "loses a product": (lambda r: Changes(r, with_products(lambda all_: all_[:-1])), "arrives_as_ordered"),
    "puts products in another order": (
        lambda r: Changes(r, with_products(lambda all_: all_[::-1])),
        "many_products_arrive_in_order",
    ),
    "loses letters": (lambda r: Changes(r, with_products(in_ascii)), "letters_arrive_whole"),
    "makes up a register": (lambda r: Changes(r, lambda o: replace(o, register="10")), "no_register_is_not_sent"),
    "makes up a total": (lambda r: Changes(r, with_products(lambda all_: all_)), "what_does_not_add_up_is_not_sent"),
    "names the payer unasked": (
        lambda r: NamesThePayer(r, lambda o: replace(o, payer=PAYER)),
        "names_the_payer_only_where_asked",
    ),
    "dawdles beyond its limit": (Dawdles, "keeps_its_own_limit"),
    "drops the receipt number": (lambda r: Judges(r, drop_receipt), "another_receipt_is_another_fact"),
    "drops the raw bytes": (lambda r: Judges(r, drop_bytes), "paid_counts_with_receipt_and_bytes"),
    "believes forged reports": (lambda r: Judges(r, believe_all), "a_wrong_proof_is_forged"),
    "believes replayed reports": (lambda r: Judges(r, believe_all), "a_replay_for_another_payment_is_forged"),
    "believes damaged reports": (lambda r: Judges(r, believe_all), "a_damaged_report_says_nothing_else"),
    "guesses what a status means": (lambda r: Judges(r, guess), "a_status_that_decides_nothing_is_no_outcome"),
    "believes every branch's secret": (BelievesEverySecret, "another_branchs_secret_is_forged"),
    "keeps a state of its own": (RemembersReports, "repeats_are_judged_alike"),
    "reads numbers only": (ReadsNumbersOnly, "a_status_as_text_counts"),
    "falls over odd bytes": (FallsOver, "what_cannot_be_read_is_told"),
    "reads only what is proven": (ReadsOnlyWhatIsProven, "reading_trusts_nothing"),
    "is always well": (IsAlwaysWell, "ping_says_why_not"),
    "sends after it was closed": (NeverCloses, "closed_sends_nothing"),
    "connects at once": (ConnectsAtOnce, "connecting_opens_nothing"),
    "believes forged reports in a bridge": (
        lambda r: Judges(r, believe_all),
        "a_forged_report_cannot_shadow_a_true_one",
    ),
    "takes a doubt for a no in a bridge": (
        lambda r: Tells(r, NoOutcome, Cancelled()),
        "an_unknown_outcome_is_found_again",
    ),
}


@pytest.mark.parametrize(("wrap", "name"), BROKEN.values(), ids=BROKEN)
async def test_a_broken_register_is_caught_by_the_check_that_names_it(
    wrap: Callable[[Any], Any], name: str, tmp_path: Path
) -> None:
    check = next(each for each in register.CHECKS if each.name == name)
    results = await results_of(ceepos.SETUPS["mode 2, interface 2.0"], adapter, tmp_path, [check], wrap)
    assert [each for each, _ in failures(results)] == [name]


EXAMPLE = Path(__file__).resolve().parents[2] / "docs/examples/paperless_till"

PINGING = """message = {"order": "PING", "till": "10", "lines": [{"article": "1", "text": "", "cents": 1}]}
        reply = await self._asked(self._settings.address, self._sealed(message))"""

OF_ANY_LENGTH = ("MOST_BYTES, MOST_LINES = 1_000_000, 200", "MOST_BYTES, MOST_LINES = 1 << 40, 200")

REWRITTEN = {
    "fault_endless": [OF_ANY_LENGTH],
    "fault_endless_error": [OF_ANY_LENGTH],
    "fault_redirect": [("allow_redirects=False", "allow_redirects=True")],
    "an_order_names_where_reports_go": [('"report_to": self._report_to, ', ""), ('/report"', '/reports"')],
    "the_trial_report_goes_where_reports_go": [("TrialReport(self._report_to,", "TrialReport(self._settings.address,")],
    "ping_is_well_where_the_server_is_there": [("reply = await self._asked(self._settings.address, None)", PINGING)],
    "posting_to_nobody_is_told": [("else Unavailable(reply.why)", "else Unavailable(str(1 / 0))")],
    "posting_a_report_tells_the_answer": [("report.address, report.body)", 'report.address, b"{}")')],
}
"""Each check, and the places of the example's own source that are changed, one at a time, for it to find."""


def rewritten(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Make the example's module anew, with one place of its source changed."""
    source = (EXAMPLE / "paperless_till.py").read_text(encoding="utf-8")
    assert source.count(old) == 1
    module = ModuleType("rewritten_till")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(source.replace(old, new), module.__dict__)  # noqa: S102 - our own example
    return module


@pytest.mark.parametrize(("name", "old", "new"), [(name, *each) for name, all_ in REWRITTEN.items() for each in all_])
async def test_a_broken_copy_of_the_example_is_caught_by_the_check_that_names_it(
    name: str, old: str, new: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    monkeypatch.setattr(kit, "HANGS_UP_S", 0.5)
    peer = importlib.import_module("paperless_peer")
    check = next(each for each in register.CHECKS if each.name == name)
    results = await results_of(peer.opened, rewritten(old, new, monkeypatch), tmp_path, [check])
    assert [each for each, _ in failures(results)] == [name]
