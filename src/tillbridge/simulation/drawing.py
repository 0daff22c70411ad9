# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw a script from a seed: who is there, what they do, and which faults this run has (each has a mix of its own)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from random import Random

from tillbridge.simulation import librarians, mishaps, people, refunds
from tillbridge.simulation.chance import Chance
from tillbridge.simulation.library_side import ODD
from tillbridge.simulation.plots import PLOTS, REFUND_PLOTS, drawn_pick, told
from tillbridge.simulation.script import Script, Setup, Step
from tillbridge.simulation.stage import Stage

Deed = Callable[[Stage, Step], Awaitable[None]]

DEEDS: Mapping[str, Deed] = {
    each.__name__: each
    for each in (
        people.start, people.start_twice, people.start_again, people.start_other, people.tamper, people.by_hand,
        people.cancel, people.stop, people.word, people.second, people.pay, people.pay_newest, people.leave,
        people.take_back, people.other_sum, people.decide, refunds.ask_refund, refunds.hand_out, refunds.withdraw,
        librarians.grow, librarians.write_off, librarians.pay_in_koha, librarians.change_charge, librarians.void,
        librarians.void_at_once, librarians.merge, librarians.delete, librarians.delete_payer,
        librarians.meet_librarian, librarians.meet_other_bridge, librarians.switch_plugin,
        mishaps.harm_till, mishaps.harm_report, mishaps.harm_read, mishaps.harm_write, mishaps.till_fault,
        mishaps.rotate, mishaps.koha_fault, mishaps.koha_away, mishaps.crash, mishaps.sleep, mishaps.oversleep,
        mishaps.database_fault, mishaps.jump, mishaps.forge, mishaps.odd_report, mishaps.lie, mishaps.step_clock,
        mishaps.slow_report, mishaps.slow_write, mishaps.alarm_fault, mishaps.refund_fault,
    )
}  # fmt: skip
"""Everything that a step of a script may name."""

_MISHAPS = (
    "harm_till", "harm_report", "harm_read", "harm_write", "till_fault", "rotate", "koha_fault", "koha_away", "crash",
    "sleep", "database_fault", "jump", "forge", "odd_report", "grow", "write_off", "pay_in_koha", "void", "merge",
    "delete", "decide", "take_back", "other_sum", "start_twice", "by_hand", "cancel", "stop", "word", "second",
    "meet_librarian", "meet_other_bridge", "oversleep", "void_at_once", "alarm_fault",
    "switch_plugin", "ask_refund", "hand_out", "withdraw", "refund_fault",
)  # fmt: skip

_BUSY = ("pay", "leave", "start", "start_again", "change_charge", "second", "decide", "word")
"""What many people do on a day on which everything happens at once."""

_CROWDED = 0.25
"""How many of the seeds are such a day."""

_AMOUNTS = ("0.20", "0.60", "1.00", "2.40", "3.00", "5.55", "12.80", "24.90", "0.333", "0.666", "2.345")
_NAMES = ("Virtanen", "Mäkinen", "Korhonen", *ODD)
_STARTS = tuple(
    datetime.fromisoformat(f"{when}Z").timestamp()
    for when in ("2026-09-14T09:00", "2026-10-24T23:50", "2026-10-25T00:40", "2027-03-28T00:45", "2026-12-31T21:55")
)
"""A morning, and times right before midnight and before both changes of summer time."""


def draw(seed: int) -> Script:
    """Return the script of a seed."""
    draws = Chance(seed).of("script")
    setup = _setup(draws)
    if _turn(seed) in REFUND_PLOTS:
        setup = replace(setup, plugin=True)
    begins = sorted(round(draws.uniform(0.0, 600.0), 3) for _ in range(draws.randint(1, 4)))
    steps = [step for n, at in enumerate(begins) for step in _payment(draws, n, at, _turn(seed) if n == 0 else None)]
    moments = [step.at for step in steps]
    crowded = draws.random() < _CROWDED
    kinds = draws.sample(_MISHAPS, draws.randint(1, len(_MISHAPS) if crowded else 7))
    steps += [_mishap(draws, draws.choice(kinds), moments) for _ in range(draws.randint(0, 45 if crowded else 10))]
    if crowded:
        steps += [_mishap(draws, draws.choice(_BUSY), moments) for _ in range(draws.randint(5, 25))]
    return Script(seed, setup, tuple(sorted(steps, key=lambda step: (step.at, step.do, step.n))))


def _setup(draws: Random) -> Setup:
    names = draws.sample(_NAMES, draws.randint(1, 3))
    patrons = tuple((name, tuple(draws.choices(_AMOUNTS, k=draws.randint(1, 4)))) for name in names)
    return Setup(
        start=draws.choice(_STARTS),
        processes=draws.choice((1, 1, 2, 2, 3)),
        mode=draws.choice((1, 2, 2)),
        tls=draws.random() < 0.7,  # noqa: PLR2004 - mostly
        version=draws.choice(("2.0", "3.0.5")),
        oauth=draws.random() < 0.3,  # noqa: PLR2004 - some
        retries=draws.choice((0, 0, 2, 5)),
        names_payer=draws.random() < 0.5,  # noqa: PLR2004 - half
        restart_after=draws.choice((0, 0, 0, 7)),
        plugin=draws.random() < 0.3,  # noqa: PLR2004 - some
        patrons=patrons,
    )


def _turn(seed: int) -> str:
    """Return the plot whose turn it is, so that in so many seeds each one is told."""
    return tuple(PLOTS)[seed % len(PLOTS)]


def _payment(draws: Random, n: int, begins: float, plot: str | None) -> list[Step]:
    starts = Step(begins, "start", draws.randrange(3), drawn_pick(draws))
    name = draws.choice(tuple(PLOTS)) if draws.random() < 0.7 else draws.choice(("pays", "leaves"))  # noqa: PLR2004
    return [starts, *told(draws, plot or name, n, begins)]


def _mishap(draws: Random, do: str, moments: Sequence[float]) -> Step:
    """Let something happen: mostly right before something else does, or at any time."""
    if draws.random() < 0.7:  # noqa: PLR2004 - mostly
        at = draws.choice(moments) + draws.uniform(-1.0, 3.0)
    else:
        at = draws.uniform(0.0, max(moments) + 600.0)
    return Step(round(max(0.0, at), 3), do, draws.randrange(12), drawn_pick(draws))
