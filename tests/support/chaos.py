# SPDX-License-Identifier: GPL-3.0-or-later
"""A seeded storm: processes that stop at every step, tills and people who do what they like, and a library with faults.

Work runs as coroutines that stop at gates (around each transaction and each answer from outside); what goes on next is
drawn from the seed. Nothing is drawn that the documents name as what remains: a process that is paused between the
check of its lease and the first byte, and a charge that is paid elsewhere between the last look and the credit.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, TypeVar

from support.fakes import report
from support.rules import check
from support.worlds import Bench
from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined
from tillbridge.service.deciding import agree, decide_case, decide_payment, refuse, withdraw
from tillbridge.service.register_port import Answer, AtRegister, Cancelled, NeverSent, NoOutcome, Order, Paid, Refused
from tillbridge.service.resolving import ACTIONS, Action, Word, resolve_case, resolve_payment, stop_waiting
from tillbridge.service.sending import wish_to_cancel
from tillbridge.service.starting import ByHand, Chosen, StartRequest, record_by_hand
from tillbridge.service.store_port import Task, Transaction

T = TypeVar("T")

FAULTS = ("never", "refused", "gone", "lost", "kept", "error_kept", "error", "unapplied", "error_unapplied", "late", "")
JUMPS_S = (1, 2, 5, 30, 61, 130, 601, 3700)
LANDS_WITHIN_S = 590.0
NEVER = float("inf")
TASK_KINDS_OF_BOOKING = ("book", "look_up")


@dataclass
class Gates:
    """Hold the coroutines that stand still, each at its gate."""

    open: bool = False
    standing: list[asyncio.Future[None]] = field(default_factory=list)
    quiet: asyncio.Event = field(default_factory=asyncio.Event)

    async def stop(self) -> None:
        """Stand still until the storm lets go on."""
        if self.open:
            return
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.standing.append(gate)
        self.quiet.set()
        await gate


class Gated:
    """Wrap a port: stop before and after a transaction, and after everything else."""

    def __init__(self, inner: Any, gates: Gates) -> None:
        self._inner, self._gates = inner, gates

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name in ("send", "record", "credits_of", "open_charges"):
            return self._gated(found)
        return found

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run a transaction between two gates."""
        await self._gates.stop()
        return await self._gated(self._inner.write)(work)  # type: ignore[no-any-return]

    def _gated(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def gated(*arguments: Any) -> Any:
            result = await call(*arguments)
            await self._gates.stop()
            return result

        return gated


class Storm:
    """Draw what happens next, and check the rules after each step."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.quiet, self.random, self.gates = bench, random.Random(seed), Gates()  # noqa: S311 - a storm, no secret
        world = replace(
            bench.world,
            store=Gated(bench.store, self.gates),
            library=Gated(bench.library, self.gates),
            registers={"city": Gated(bench.till, self.gates)},
        )
        self.bench = replace(bench, world=world)
        self.working: dict[asyncio.Task[None], Task] = {}
        self.truth: dict[str, str] = {}
        self.to_report: list[bytes] = []
        self.owner = 0
        self.oldest_in_flight: float | None = None
        bench.till.steps = _Endless(self._answer)  # type: ignore[assignment]

    async def blow(self, steps: int) -> None:
        """Do so many steps."""
        for _ in range(steps):
            (action,) = self.random.choices(list(self._weights), list(self._weights.values()))
            with contextlib.suppress(Declined):
                await action(self)
            await check(self.quiet)

    async def calm(self) -> None:
        """End the faults, let every report arrive, and let time pass until nothing is left to do."""
        self.gates.open = True
        await self.die()
        self.quiet.library.faults.clear()
        self.quiet.library.away = None
        self.quiet.library.land()
        for raw in self.to_report:
            assert (await self.quiet.report(raw)).status == 200
        self.quiet.till.steps.clear()
        for _ in range(12):
            await self.quiet.wait_and_work(650)
            await check(self.quiet)

    async def start(self) -> None:
        """Start a payment of some charges, whole or in part."""
        patron = self.random.choice(["5", "6", "7"])
        mine = sorted(c.charge_id for c in self.quiet.library.charges.values() if c.patron_id == patron and c.owed > 0)
        chosen = tuple(Chosen(charge) for charge in self.random.sample(mine, min(len(mine), self.random.randint(1, 3))))
        request = StartRequest("CPL", "10", "anna", patron_id=patron, charges=chosen)
        if self.random.random() < 0.1:
            await record_by_hand(self.quiet.world, request, ByHand("77", "sari", "the bridge was down"))
        else:
            part = self.random.choice([None, None, 150])
            await self.quiet.start(card_number=None, patron_id=patron, charges=chosen, sum_minor=part)

    async def claim(self) -> None:
        """Let a process take up what is due."""
        self.owner += 1
        for task in await self.quiet.due(owner=f"process {self.owner}"):
            working = asyncio.create_task(self._do(task))
            self.working[working] = task
            await self._until_quiet()

    async def go_on(self) -> None:
        """Let one of those who stand still go on to the next gate."""
        if self.gates.standing:
            self.gates.standing.pop(self.random.randrange(len(self.gates.standing))).set_result(None)
            await self._until_quiet()

    async def die(self) -> None:
        """Let every process die, and new ones know themselves to be alone."""
        for working in self.working:
            working.cancel()
        for standing in self.gates.standing:
            standing.cancel()  # a process that dies stores nothing more, whatever it would still like to
        await asyncio.gather(*self.working, return_exceptions=True)
        self.gates.standing.clear()
        self.working.clear()
        await self.quiet.store.write(lambda tx: tx.expire_leases())

    async def pass_time(self) -> None:
        """Let time pass; what is on its way to the library system arrives before it surely ended."""
        seconds = self.random.choice(JUMPS_S)
        if self.oldest_in_flight is None and self.quiet.library.in_flight:
            self.oldest_in_flight = self.quiet.clock.now()
        if self.quiet.clock.now() + seconds > (self.oldest_in_flight or NEVER) + LANDS_WITHIN_S:
            await self.land()
        self.quiet.clock.advance(seconds)

    async def land(self) -> None:
        """Let late requests arrive at the library system."""
        self.quiet.library.land()
        self.oldest_in_flight = None

    async def customer(self) -> None:
        """Let a customer pay or go, or come back for the money."""
        if not self.truth:
            return
        payment_id = self.random.choice(list(self.truth))
        match self.truth[payment_id]:
            case "waits":
                self._till_says(payment_id, self.random.choice(["paid", "paid", "paid", "cancelled"]))
            case "paid" if self.random.random() < 0.3:
                self._till_says(payment_id, "cancelled")

    async def deliver(self) -> None:
        """Deliver a report, in any order, perhaps twice."""
        if self.to_report:
            raw = self.random.choice(self.to_report)
            if self.random.random() < 0.7:
                self.to_report.remove(raw)
            await self.quiet.report(raw)

    async def mischief(self) -> None:
        """Deliver a report that proves or decides nothing, or names another sum."""
        payments = await self._payments()
        if payments:
            payment = self.random.choice(payments)
            says, total = self.random.choice([("forged", None), ("odd", None), ("paid", 1)])
            if says != "paid" or self.truth.get(payment.id) == "paid":
                await self.quiet.report(report(payment.id, says, total=total))

    async def clerk(self) -> None:
        """Let a clerk cancel, stop waiting, or say what the till did, right or wrong."""
        payments = [payment for payment in await self._payments() if payment.undecided]
        if not payments:
            return
        payment = self.random.choice(payments)
        match self.random.randrange(3):
            case 0:
                await wish_to_cancel(self.quiet.world, payment.id, "anna")
            case 1:
                await stop_waiting(self.quiet.world, payment.id, "anna")
            case _:
                action = self.random.choice([Action.PAID, Action.NOT_PAID])
                word = Word(action, "anna", "I looked", "4711")
                if self.random.random() < 0.5:
                    await decide_payment(self.quiet.world, payment.id, word, second_look=True)
                else:
                    await resolve_payment(self.quiet.world, payment.id, word)

    async def supervisor(self) -> None:
        """Let a supervisor decide a case in any way that the case allows."""
        cases = await self.quiet.cases()
        if cases:
            case = self.random.choice(cases)
            action = self.random.choice(sorted(ACTIONS[case.kind]))
            word = Word(action, "sari", "I looked", "4711", self.random.choice(["5", "6", "7"]))
            if self.random.random() < 0.5:
                await decide_case(self.quiet.world, case.id, word, second_look=True)
            else:
                await resolve_case(self.quiet.world, case.id, word)

    async def second(self) -> None:
        """Let another person agree to what waits, or refuse it, or who has decided take it back."""
        waiting = await self.quiet.store.read(lambda tx: tx.open_second_looks())
        if waiting:
            wish = self.random.choice(waiting)
            match self.random.randrange(4):
                case 0:
                    await refuse(self.quiet.world, wish.id, "otto", "no")
                case 1:
                    await withdraw(self.quiet.world, wish.id, wish.person)
                case _:
                    await agree(self.quiet.world, wish.id, "otto")

    async def library(self) -> None:
        """Let the library system have a fault, or be away, or be back."""
        if self.random.random() < 0.2:
            self.quiet.library.away = None if self.quiet.library.away else "connection refused"
        else:
            self.quiet.library.faults.append(self.random.choice(FAULTS))

    async def charges(self) -> None:
        """Let a charge grow or be paid at the library system's own button, while no booking is under way."""
        if any(task.kind in TASK_KINDS_OF_BOOKING for task in self.working.values()):
            return
        charge = self.random.choice(list(self.quiet.library.charges.values()))
        owed = self.random.choice([Decimal(0), charge.owed + 1, charge.owed / 2])
        self.quiet.library.owes(charge.charge_id, str(owed))

    async def merge(self) -> None:
        """Merge a patron into another one, once in a while."""
        gone, kept = self.random.sample(["5", "6", "7"], 2)
        if {gone, kept} <= set(self.quiet.library.patrons) and self.random.random() < 0.2:
            self.quiet.library.merge(gone, kept)

    async def void(self) -> None:
        """Let a librarian take a credit back."""
        valid = [credit for _, credit in self.quiet.library.credits if not credit.void]
        if valid:
            self.quiet.library.void(self.random.choice(valid).credit_id)

    _weights: dict[Callable[[Storm], Awaitable[None]], int] = {  # noqa: RUF012 - a table that nobody changes
        start: 6, claim: 10, go_on: 60, die: 1, pass_time: 8, land: 1, customer: 10, deliver: 10, mischief: 2,
        clerk: 6, supervisor: 14, second: 25, library: 6, charges: 2, merge: 1, void: 1,
    }  # fmt: skip

    async def _do(self, task: Task) -> None:
        try:
            await self.bench.do(task)
        finally:
            self.working.pop(asyncio.current_task(), None)  # type: ignore[arg-type]
            self.gates.quiet.set()

    async def _until_quiet(self) -> None:
        if self.working:
            await self.gates.quiet.wait()
        self.gates.quiet.clear()

    async def _answer(self, order: Order, at_till: Callable[[], Awaitable[None]]) -> Answer:
        """Be the till for one order: never reached, or with a customer who decides while we hold or hang up."""
        way = self.random.choice(["never", "report", "report", "held", "lost", "refused", "at once"])
        if way == "never":
            return NeverSent("connection refused")
        if way == "refused":
            return Refused("99", b"99")
        self.truth[order.payment_id] = "waits"
        if way == "held":
            await at_till()
            await self.gates.stop()
        if way in ("held", "at once"):
            return self._outcome(order.payment_id)
        return AtRegister() if way == "report" else NoOutcome("time-out")

    def _outcome(self, payment_id: str) -> Answer:
        if self.truth[payment_id] == "waits":
            self._till_says(payment_id, self.random.choice(["paid", "cancelled"]))
        return Paid("4711", None, b"paid") if self.truth[payment_id] == "paid" else Cancelled(b"cancelled")

    def _till_says(self, payment_id: str, says: str) -> None:
        self.truth[payment_id] = says if self.truth[payment_id] == "waits" else "reversed"
        self.to_report.append(report(payment_id, says))

    async def _payments(self) -> tuple[Payment, ...]:
        return await self.quiet.store.read(lambda tx: tx.recent_payments(100))


class _Endless(list[Any]):
    """Steps of a till that never run out, until they are cleared."""

    def __init__(self, step: Any) -> None:
        super().__init__([step])

    def popleft(self) -> Any:
        """Return the step again."""
        return self[0]
