# SPDX-License-Identifier: GPL-3.0-or-later
"""Play a script from its beginning to the rest at its end, and tell how it went."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Coroutine, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.exc import OperationalError

from tillbridge.domain.money import exact_of
from tillbridge.errors import Declined
from tillbridge.simulation.announcing import step_in_words
from tillbridge.simulation.bridge import GoneError
from tillbridge.simulation.drawing import DEEDS
from tillbridge.simulation.ledgers import Sums, compare
from tillbridge.simulation.loop import StuckError
from tillbridge.simulation.rules import BrokenRule, need, no_words_in
from tillbridge.simulation.saying import GOOD
from tillbridge.simulation.script import Script, Step
from tillbridge.simulation.settling import NO_ANSWER, ROUND_S, Settlers
from tillbridge.simulation.stage import Stage
from tillbridge.simulation.telling import Telling
from tillbridge.simulation.wording import plain

GRACE_S = 120.0
"""How long after the last step faults go on, so that they find something to hit."""


@dataclass(frozen=True)
class Outcome:
    """Say how a run went: `broken` is the rule that did not hold, if there was one."""

    script: Script
    telling: Telling
    broken: str | None
    payments: int
    seconds: float
    sums: Sums

    @property
    def trace(self) -> str:
        """Return every step in plain words, one a line."""
        return "".join(f"{at:12.3f}  {text}\n" for at, text in self.telling.lines)


def play(script: Script) -> Outcome:
    """Play a script; the same one gives the same outcome, byte by byte."""
    telling = Telling()
    stage = Stage(script.seed, script.setup, telling)
    sums, broken = perform(stage, _all_of(stage, script))
    return Outcome(script, telling, broken, len(stage.known), stage.loop.time(), sums)


def perform(stage: Stage, work: Coroutine[Any, Any, Sums]) -> tuple[Sums, str | None]:
    """Let all that is on a stage happen; return what there is at the end, and the rule that did not hold if any."""
    sums, broken = Sums(), None
    with _listening(stage):
        asyncio.events.set_event_loop(stage.loop)
        try:
            sums = stage.loop.run_until_complete(_performed(stage, work))
            need(not stage.loop.troubles, f"something failed unseen: {stage.loop.troubles[:1]}")
        except BrokenRule as rule:
            broken = str(rule)
        except StuckError as stuck:
            broken = str(stuck)
        finally:
            stage.count_cases()
            stage.loop.bury()
            asyncio.events.set_event_loop(None)
            stage.loop.close()
            stage.inline.close()
    if broken is not None:
        stage.telling.say(f"BROKEN: {broken}")
    return sums, broken


async def _performed(stage: Stage, work: Coroutine[Any, Any, Sums]) -> Sums:
    playing = asyncio.ensure_future(work)
    while not playing.done():
        await asyncio.wait((playing, stage.found_broken), return_when=asyncio.FIRST_COMPLETED)
        if stage.broken is not None:
            raise stage.broken
    return playing.result()


async def _all_of(stage: Stage, script: Script) -> Sums:
    await begin(stage)
    under_way = [asyncio.ensure_future(_step(stage, step)) for step in script.steps]
    await asyncio.gather(*under_way)
    await asyncio.sleep(GRACE_S)
    return await come_to_rest(stage)


async def begin(stage: Stage) -> None:
    """Start the bridge's processes."""
    for number in range(stage.setup.processes):
        await stage.fleet.start(number)


async def come_to_rest(stage: Stage, first_s: float = ROUND_S) -> Sums:
    """Let honest people settle what is open, after so many seconds; return what there is then, held to every rule."""
    everything = await Settlers(stage).settle(first_s)
    for held in everything:
        stage.look_at(held.payment.id)
    stage.people.check_listed()
    stage.check_whole_store()
    sums = compare(stage, everything)
    till, bridge = plain(exact_of(sums.till_minor)), plain(exact_of(sums.bridge_minor))
    stage.telling.say(
        f"at rest: the till has {till}, the bridge says {bridge}, "
        f"the library has {plain(sums.library)}, named differences {plain(sums.named)}"
    )
    return sums


async def _step(stage: Stage, step: Step) -> None:
    await asyncio.sleep(step.at)
    what = _announced(stage, step)
    stage.telling.say(f"step: {what}")
    try:
        await DEEDS[step.do](stage, step)
    except Declined as no:
        stage.telling.say(f"{what}: no. {no.message}")
    except GoneError:
        stage.telling.say(f"{what}: {NO_ANSWER}")
    except OperationalError as error:
        stage.telling.say(f"{what}: the bridge says 503, {error.orig}")


def _announced(stage: Stage, step: Step) -> str:
    held = stage.payment(step.n)
    payment_id = None if held is None else held.payment.id
    return step_in_words(step, payment_id, stage.patron(step.n), step.n % stage.setup.processes)


@contextlib.contextmanager
def _listening(stage: Stage) -> Iterator[None]:
    """Write no log; but in one is neither a name nor a secret, nor a failure that no fault accounts for."""
    private = [*stage.cards, *stage.names, *GOOD]

    def listen(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        fault = sys.exc_info()[1]
        stage.judged(lambda: no_words_in(event, private))
        if event.get("exc_info") and not isinstance(fault, OperationalError):
            text = f"the bridge failed: {event['event']}: {type(fault).__name__}: {fault}"
            stage.judged(lambda: need(False, text))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[listen], wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET))
    try:
        yield
    finally:
        structlog.configure(**before)
