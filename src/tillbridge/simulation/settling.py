# SPDX-License-Identifier: GPL-3.0-or-later
"""The second half of a run: nothing fails any more, honest people settle what is open, and all must come to rest."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.exc import OperationalError

from tillbridge.domain.lifecycle import Collection
from tillbridge.errors import Declined
from tillbridge.service.deciding import agree, decide_case
from tillbridge.service.refund_steps import REFUND_CASES
from tillbridge.service.resolving import Action, Word
from tillbridge.service.store_port import Case, CaseKind
from tillbridge.simulation.alarms import SLACK_S
from tillbridge.simulation.bridge import GoneError
from tillbridge.simulation.librarians import apply_credits, void_credits, void_extra_credits
from tillbridge.simulation.people import fitting_actions, true_word
from tillbridge.simulation.refunds import honest_word, put_back_all
from tillbridge.simulation.rules import Held, check_rest, held_in, need
from tillbridge.simulation.saying import SECRET
from tillbridge.simulation.stage import Stage
from tillbridge.simulation.wording import spaced

ROUND_S = 300.0
MOST_ROUNDS = 60
RECORDED_S = 900.0
"""How much later than other work a refund that is not recorded may be put on the list: it is told four times before."""
PATIENCE = 4
"""After how many looks at a case a person takes it for settled."""

NO_ANSWER = "the bridge does not answer"

_WISHED: dict[CaseKind, tuple[Action, ...]] = {
    CaseKind.PAID_FOR_UNKNOWN_ID: (Action.SETTLED,),
    CaseKind.SUM_DIFFERS: (Action.BOOK, Action.SETTLED),
    CaseKind.SAME_RECEIPT: (Action.BOOK, Action.SETTLED),
    CaseKind.COLLECTED_TWICE: (Action.SETTLED,),
    CaseKind.NOT_BOOKED: (Action.LOOK,),
    CaseKind.SURPLUS: (Action.OTHER_PATRON, Action.SETTLED),
    CaseKind.NOT_APPLIED: (Action.LOOK,),
    CaseKind.WRONG_CREDIT: (Action.LOOK,),
    CaseKind.BOOKED_TWICE: (Action.LOOK,),
    CaseKind.CREDIT_VOIDED: (Action.BOOK, Action.SETTLED),
    CaseKind.PATRON_GONE: (Action.OTHER_PATRON, Action.SETTLED),
    CaseKind.REFUSED_BY_LIBRARY: (Action.BOOK, Action.SETTLED),
    CaseKind.VOID_BY_HAND: (Action.LOOK,),
}


class Settlers:
    """Be the honest people."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._looks: dict[int, int] = {}

    async def settle(self, first_s: float = ROUND_S) -> list[Held]:
        """End the faults, and go on until all is at rest; raise BrokenRule where it never is.

        People look for the first time after `first_s` seconds.
        """
        stage = self._stage
        stage.telling.say("from here on nothing fails any more")
        stage.wires.heal()
        stage.database.heal()
        stage.library.library.faults.clear()
        stage.till.till.faults.remove()
        stage.till.sign_with(SECRET)
        stage.people.troubles.clear()
        stage.fleet.oversleeps = 0
        for process in stage.fleet.processes.values():
            process.dies_in = process.sleeps_in = None
        stage.people.check_waiting(stage.loop.time(), stage.loop.time())
        for n in range(MOST_ROUNDS):
            await asyncio.sleep(ROUND_S if n else first_s)
            everything = self._look()
            self._check_in_time(everything)
            for held in everything:
                put_back_all(stage, held)
            if await self._at_rest(everything):
                check_rest(everything)
                return everything
            await self._round(everything)
        need(False, f"it does not come to rest: {'; '.join(self._restless(self._look()))}")
        return []

    def _look(self) -> list[Held]:
        known = self._stage.known
        return self._stage.look(lambda connection: [held_in(connection, payment_id) for payment_id in known])

    def _check_in_time(self, everything: Sequence[Held]) -> None:
        """Need that what is late stands on the list, and that people know what stands there."""
        stage, now = self._stage, self._stage.loop.time()
        awake_since = stage.fleet.awake_since if stage.fleet.awake else now
        stage.people.check_waiting(now, awake_since)
        for held in everything:
            since = max(stage.late_since.get(held.payment.id, now), awake_since)
            in_time = now - since <= stage.fleet.limits.late_s + SLACK_S
            need(in_time or held.cases, f"{held.payment.id} is paid, not booked, and on no list")
            since = max(stage.given_since.get(held.payment.id, now), awake_since)
            in_time = now - since <= stage.fleet.limits.late_s + RECORDED_S
            need(in_time or held.kinds & REFUND_CASES, f"{held.payment.id}: given back, not recorded, and on no list")

    async def _at_rest(self, everything: Sequence[Held]) -> bool:
        return not self._restless(everything) and not self._stage.fleet.asleep and not await self._cases()

    def _restless(self, everything: Sequence[Held]) -> list[str]:
        return [
            f"{held.payment.id} is {held.payment.standing}, {held.payment.booking}, with {sorted(held.tasks)}"
            f" and {sorted(held.kinds)}"
            for held in everything
            if held.tasks or held.cases or held.payment.undecided or any(refund.open for refund in held.refunds)
        ]

    async def _cases(self) -> tuple[Case, ...]:
        try:
            return await self._stage.fleet.call(lambda world: world.store.read(lambda tx: tx.open_cases()))
        except GoneError:
            return ()

    async def _round(self, everything: Sequence[Held]) -> None:
        for held in everything:
            there = self._stage.till.truth(held.payment.id)
            if there is not None and there.state == "waiting":
                self._stage.till.till.cancel(held.payment.id)
                self._stage.telling.say(f"the customer of {held.payment.id} has left: the cashier cancels")
        await self._second_looks()
        by_id = {held.payment.id: held for held in everything}
        for case in await self._cases():
            await self._try(case, by_id.get(case.payment_id or ""))

    async def _second_looks(self) -> None:
        stage = self._stage
        try:
            waiting = await stage.fleet.call(lambda world: world.store.read(lambda tx: tx.open_second_looks()))
            for wish in waiting:
                await stage.fleet.call(lambda world, wish=wish: agree(world, wish.id, "otto"))  # type: ignore[misc]
        except (Declined, GoneError):
            stage.telling.say("a second look came too late")

    async def _try(self, case: Case, held: Held | None) -> None:
        self._looks[case.id] = self._looks.get(case.id, 0) + 1
        try:
            said = self._help(case, held) or await self._word(case, held)
            if said is not None:
                await self._say(case, said)
        except (Declined, GoneError, OperationalError) as no:
            self._stage.telling.say(f"case {case.id} ({spaced(case.kind)}): {str(no) or NO_ANSWER}")

    async def _say(self, case: Case, said: Word) -> None:
        """Decide; a receipt that somebody has typed for another payment by mistake gets a mark of its own."""
        try:
            await self._stage.fleet.call(lambda world: decide_case(world, case.id, said, second_look=False))
        except Declined as no:
            if no.code != "receipt_used":
                raise
            marked = replace(said, receipt_number=f"{said.receipt_number} (case {case.id})")
            await self._stage.fleet.call(lambda world: decide_case(world, case.id, marked, second_look=False))

    def _help(self, case: Case, held: Held | None) -> Word | None:
        """Do in the library system what the case asks for."""
        if held is None:
            return None
        if case.kind in (CaseKind.NOT_APPLIED, CaseKind.WRONG_CREDIT):
            apply_credits(self._stage, held)
        if case.kind is CaseKind.BOOKED_TWICE:
            void_extra_credits(self._stage, held)
        if case.kind is CaseKind.VOID_BY_HAND and held.payment.collection is Collection.REVERSED:
            void_credits(self._stage, held.payment.id)
        return None

    async def _word(self, case: Case, held: Held | None) -> Word | None:
        fitting = await fitting_actions(self._stage, case)
        if case.kind in REFUND_CASES and held is not None:
            return honest_word(self._stage, case, held, self._looks[case.id], fitting)
        wished = _WISHED.get(case.kind)
        if wished is None and held is not None:
            true = true_word(self._stage, held.payment, "sari")
            if true.action in fitting:
                return true
        if self._looks[case.id] > PATIENCE or wished is None:
            wished = (Action.SETTLED, *(wished or ()))
        heir = self._heir(held)
        possible = [each for each in wished if each in fitting and (each is not Action.OTHER_PATRON or heir)]
        return Word(possible[0], "sari", "looked at till and library", None, heir) if possible else None

    def _heir(self, held: Held | None) -> str | None:
        heirs = self._stage.library.heirs
        patron = None if held is None else int(held.payment.patron_id)
        found = None
        while patron in heirs and found != heirs[patron]:
            found = patron = heirs[patron]
        return None if found is None else str(found)
