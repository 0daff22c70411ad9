# SPDX-License-Identifier: GPL-3.0-or-later
"""See whether a report reaches the bridge: the bridge that runs stores it, and the check finds it there.

The report is about a payment that never was, and says *cancelled*: the one report that leaves nothing behind but the
message itself. *Paid* for an id that nobody knows opens a case, here as always: whoever signs for money is believed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tillbridge.errors import SettingsError
from tillbridge.service.checking_port import StoredReader, TrialReport
from tillbridge.service.checking_products import BRIDGE
from tillbridge.service.findings import Check, Finding, fault, not_checkable, ok, warning
from tillbridge.service.installation import Installation
from tillbridge.service.library_port import Unavailable
from tillbridge.service.register_port import Forged
from tillbridge.service.reporting import STRAY
from tillbridge.service.store_port import Transaction

MARK = "CHECK-"
"""How the id of a payment that never was begins: real ids are hexadecimal digits alone."""

LOOK_S = 0.25
"""How often the database is looked at."""

STRAYS = 200
"""How many of the newest stray messages are looked through."""

OWN_S = 5.0
"""How long a report that was posted from here, and answered, may take to be seen in the database."""

_FORGED = STRAY + Forged.__name__


@dataclass(frozen=True, slots=True)
class Trial:
    """Hold a report that is to be posted for trying, and for which register server and branch it stands."""

    register_server: str
    branch: str
    payment_id: str
    report: TrialReport

    @property
    def about(self) -> str:
        """Name it for people."""
        return f"{self.register_server} (branch {self.branch})"


def trials_of(installation: Installation, branch: str | None) -> tuple[Trial, ...]:
    """Make a trial for each register server with the first of its branches, or for this branch alone."""
    chosen: dict[str, str] = {}
    for name, settings in installation.branches.items():
        if branch in (None, name):
            chosen.setdefault(settings.register_server, name)
    return tuple(_trial(installation, server, name) for server, name in chosen.items())


def _trial(installation: Installation, server: str, branch: str) -> Trial:
    payment_id = MARK + installation.ids.payment_id()
    return Trial(server, branch, payment_id, installation.registers[server].checks.trial_report(branch, payment_id))


async def look_at_bridge(installation: Installation) -> Finding:
    """See whether a bridge listens on this machine: without one nobody takes a report."""
    if await installation.bridge.listens():
        return ok(Check.BRIDGE_RUNS, BRIDGE, "It listens on this machine.")
    words = "No bridge listens on this machine where the settings say."
    return warning(Check.BRIDGE_RUNS, BRIDGE, words, "Start it, unless it runs on another machine with this database.")


async def await_report(stored: StoredReader, trial: Trial, wait_s: float) -> Finding:
    """Wait until somebody outside has posted the trial's report, and judge what came of it."""
    words = f"No report arrived within {wait_s:g} s."
    remedy = f"See that it was posted to {trial.report.address}, and that the register server's network may reach that."
    nothing = fault(Check.OUTSIDE_REPORT, trial.about, words, remedy)
    return await _judged(stored, trial, wait_s, nothing)


async def post_report(installation: Installation, trial: Trial) -> Finding:
    """Post the trial's report from this machine to the bridge's public address, and judge what came of it."""
    check, address = Check.OWN_REPORT, trial.report.address
    answer = await installation.registers[trial.register_server].checks.post(trial.report)
    if isinstance(answer, Unavailable):
        words = f"{address} does not answer from this machine: {answer.why}."
        remedy = "Some networks lead nobody out and in again: have a report posted from outside, and wait for it here."
        return not_checkable(check, trial.about, words, remedy)
    words = f"Something answers {answer.status} at {address}, and the bridge got nothing."
    remedy = "Have the web server there hand /api/v1/ on to the bridge, and see that this database is the bridge's."
    nothing = fault(check, trial.about, words, remedy, status=answer.status)
    return await _judged(installation.stored, trial, OWN_S, nothing)


@dataclass(frozen=True, slots=True)
class _Heard:
    """Hold what the running bridge thought of a report, and the cases that it opened."""

    verdict: str
    cases: tuple[int, ...]

    @property
    def believed(self) -> bool:
        return self.verdict.startswith(STRAY) and not self.verdict.startswith(_FORGED)


async def _judged(stored: StoredReader, trial: Trial, wait_s: float, nothing: Finding) -> Finding:
    try:
        heard = await _heard(stored, trial.payment_id, wait_s)
    except SettingsError as error:
        return fault(nothing.check, trial.about, f"{error.where}: {error.what}.", f"{error.remedy}.")
    return nothing if heard is None else _judge(nothing.check, trial, heard)


async def _heard(stored: StoredReader, payment_id: str, wait_s: float) -> _Heard | None:
    """Look until a report was believed or the time is up, and return what there is then."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    while True:
        heard = await stored.read(lambda tx: _found(tx, payment_id))
        if (heard is not None and heard.believed) or loop.time() >= until:
            return heard
        await asyncio.sleep(LOOK_S)


def _found(tx: Transaction, payment_id: str) -> _Heard | None:
    verdicts = [message.verdict for message in tx.newest_strays(STRAYS) if payment_id.encode() in message.raw]
    cases = tuple(case.id for case in tx.open_cases() if case.facts.get("reported_id") == payment_id)
    heard = [_Heard(verdict, cases) for verdict in verdicts]
    return next((one for one in heard if one.believed), heard[0] if heard else None)


def _judge(check: Check, trial: Trial, heard: _Heard) -> Finding:
    facts = {"payment_id": trial.payment_id, "verdict": heard.verdict}
    if heard.cases:
        numbers = ", ".join(str(number) for number in heard.cases)
        words = f"The report arrived and is rightly signed, but it says paid: case {numbers} was opened."
        remedy = (
            "Resolve the case as settled, since there was no payment. Let the next report for trying say cancelled."
        )
        return warning(check, trial.about, words, remedy, **facts, cases=list(heard.cases))
    if heard.believed:
        return ok(check, trial.about, "The report arrived and is rightly signed.", **facts)
    if heard.verdict.startswith(_FORGED):
        words = "A report arrived, and its signature is wrong."
        remedy = "Compare source and secret with the register server's. A bridge reads its secret when it is started."
        return fault(check, trial.about, words, remedy, **facts)
    words = f"A report arrived and could not be taken: {heard.verdict}."
    return fault(check, trial.about, words, "Have it posted as it was given, to its own address.", **facts)
