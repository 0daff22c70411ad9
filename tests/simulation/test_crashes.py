# SPDX-License-Identifier: GPL-3.0-or-later
"""A process of the bridge dies between any two of its steps; `make crashes` tries every point, these tests a part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import URL

from support.crash_kinds import KINDS, SHORT, Kind
from support.crash_points import OpenStore, die_everywhere, live
from support.crash_postgres import crashing_postgres
from tillbridge.domain.lifecycle import Collection
from tillbridge.service import sending, settling
from tillbridge.service.sending import Sending
from tillbridge.service.store_port import Task, Transaction
from tillbridge.simulation.points import Points

pytestmark = pytest.mark.timeout(600)

STRIDE = 79
"""A process dies at every so manyth point, which is another one in each kind."""
POSTGRES_STRIDE = 151

FIRST = {kind.name: n % STRIDE for n, kind in enumerate(KINDS)}


def named(name: str) -> Kind:
    return next(kind for kind in KINDS if kind.name == name)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_process_may_die_at_any_point_and_all_comes_to_rest_as_if_it_had_not(kind: Kind) -> None:
    counted = die_everywhere(kind, STRIDE, FIRST[kind.name])
    assert counted.broken == ()
    assert counted.whole


@pytest.fixture(scope="module")
def on_postgres(postgres_server: URL) -> Iterator[OpenStore]:
    with crashing_postgres(postgres_server) as begin:
        yield begin


@pytest.mark.parametrize("kind", SHORT, ids=lambda kind: kind.name)
def test_on_postgresql_too_where_the_server_rolls_back_what_the_dead_have_begun(
    kind: Kind, on_postgres: OpenStore
) -> None:
    counted = die_everywhere(kind, POSTGRES_STRIDE, FIRST[kind.name], on_postgres)
    assert counted.broken == ()
    assert counted.whole


def test_the_points_lie_around_every_statement_every_commit_and_everything_that_is_sent() -> None:
    names = live(named("mode 2: answer and report")).points.names
    statements = [name for name in names if name.startswith("before ") and name != "before ROLLBACK"]
    assert len(statements) > 100
    for before in (*statements, "before COMMIT", "before ROLLBACK"):
        assert names.count(before) == names.count(before.replace("before", "behind"))
    for message in ("a POST", "a GET"):
        around = (f"before {message}", f"half of {message} is out", f"{message} is out")
        back = (f"half of the answer to {message} is there", f"the answer to {message} is there")
        assert {names.count(f"Koha: {each}") for each in (*around, *back)} == {names.count(f"Koha: before {message}")}
    for on_the_way in ("before the request", "half of the request is out", "the request is out", "the answer is there"):
        assert names.count(f"the till: {on_the_way}") == 1
    for about_a_report in ("it is here", "before the answer", "half of the answer is out", "the answer is out"):
        assert names.count(f"a report: {about_a_report}") == 1


def test_who_dies_twice_before_the_till_has_anything_is_gone_on_with_like_who_dies_once() -> None:
    kind = named("a second death: the first before the request")
    names = live(kind).points.names
    second = len(names) - 1 - names[::-1].index("the till: before the request")
    lived = live(kind, second)
    assert (lived.broken, lived.points.deaths) == (None, 2)


def test_a_point_is_the_same_one_every_time() -> None:
    kind = named("two bridges, mode 2: answer and report")
    assert live(kind).points.names == live(kind).points.names


def test_whoever_goes_on_after_the_death_is_found_out() -> None:
    points = Points(dies_at=0)
    with pytest.raises(AssertionError, match="went on"), points.among_statements():
        assert points.reach("somewhere")


# --- bridges that are broken on purpose ---


def _sends_again_after_a_restart(patch: pytest.MonkeyPatch) -> None:
    begin = Sending._begin

    def careless(self: Sending, tx: Transaction, task: Task) -> Any:
        payment = tx.payment(task.payment_id)
        if payment is not None and payment.collection is Collection.SENDING:
            return payment.register_server, sending._order(tx, payment)
        return begin(self, tx, task)

    patch.setattr(Sending, "_begin", careless)


def _books_again_without_a_look(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(settling.Settling, "adopt", lambda *_: False)
    patch.setattr(settling.Settling, "_surely_ended_at", lambda _: 0.0)


PLANTED: dict[Callable[[pytest.MonkeyPatch], None], str] = {
    _sends_again_after_a_restart: "mode 2: answer and report",
    _books_again_without_a_look: "mode 1: a report",
}


@pytest.mark.parametrize("plant", PLANTED)
def test_a_bridge_that_does_not_survive_a_death_is_found_out(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = named(PLANTED[plant])
    plant(monkeypatch)
    while_nobody_dies = live(kind)
    assert while_nobody_dies.broken is None
    names = while_nobody_dies.points.names
    messages_first = sorted(range(len(names)), key=lambda n: names[n].startswith(("before", "behind")))
    assert any(live(kind, n).broken for n in messages_first)
