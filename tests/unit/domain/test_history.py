# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tillbridge.domain.history import GENESIS, Event, first_break, following, seal

Chain = list[tuple[Event, str]]
FACTS = st.dictionaries(
    st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.text(max_size=3))
)


def chain(length: int = 4) -> Chain:
    made: Chain = []
    for n in range(length):
        last = made[-1][0] if made else None
        event = following(last, "A1", 100.5 + n, "till", "till_paid", {"n": n})
        made.append((event, event.hash))
    return made


def test_a_chain_begins_at_one_and_fits() -> None:
    made = chain()
    assert [event.seq for event, _ in made] == [1, 2, 3, 4]
    assert made[0][0].previous == GENESIS
    assert [event.previous for event, _ in made[1:]] == [stored for _, stored in made[:-1]]
    assert first_break(made) is None
    assert first_break([]) is None


def test_hashes_and_seals_are_made_of_the_same_bytes_for_ever() -> None:
    """Whatever has been stored by any version must verify with every later one."""
    event = Event("A1", 2, 100, "till", "till_paid", {"why": "ä", "receipt": "4711"}, GENESIS)
    text = rf'["A1",2,"100.0","till","till_paid",{{"receipt":"4711","why":"\u00e4"}},"{GENESIS}"]'
    assert event.hash == sha256(text.encode()).hexdigest()
    sealed = f'["{GENESIS}","2027-03-01",[["A1",2,"{event.hash}"],["B1",1,"{GENESIS}"]]]'
    heads = [("B1", 1, GENESIS), ("A1", 2, event.hash)]
    assert seal(GENESIS, "2027-03-01", heads) == sha256(sealed.encode()).hexdigest()


CHANGES: dict[str, Callable[[Event], Event]] = {
    "payment": lambda event: replace(event, payment_id="A2"),
    "number": lambda event: replace(event, seq=event.seq + 1),
    "time": lambda event: replace(event, at=event.at + 1e-6),
    "actor": lambda event: replace(event, actor="clerk"),
    "kind": lambda event: replace(event, kind="till_cancelled"),
    "facts": lambda event: replace(event, facts={"n": "0"}),
    "more facts": lambda event: replace(event, facts={**event.facts, "x": None}),
    "previous": lambda event: replace(event, previous="1" * 64),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("at", range(4))
def test_any_change_of_an_event_shows(change: Callable[[Event], Event], at: int) -> None:
    made = chain()
    event, stored = made[at]
    made[at] = (change(event), stored)
    assert first_break(made) == at + 1


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_with_a_new_hash_shows_at_the_next_event(change: Callable[[Event], Event]) -> None:
    made = chain()
    changed = change(made[1][0])
    made[1] = (changed, changed.hash)
    assert first_break(made) in (2, 3)


@given(st.integers(1, 8), st.data())
def test_a_removed_event_shows_unless_it_was_the_last(length: int, data: st.DataObject) -> None:
    made = chain(length)
    at = data.draw(st.integers(0, length - 1))
    del made[at]
    assert first_break(made) == (None if at == length - 1 else at + 1)


@given(st.integers(2, 8), st.data())
def test_two_swapped_events_show(length: int, data: st.DataObject) -> None:
    made = chain(length)
    one, other = sorted(data.draw(st.sets(st.integers(0, length - 1), min_size=2, max_size=2)))
    made[one], made[other] = made[other], made[one]
    assert first_break(made) == one + 1


def test_a_doubled_event_shows() -> None:
    made = chain()
    assert first_break([*made[:2], *made[1:]]) == 3


@given(FACTS, st.floats(0, 1e11))
def test_an_event_has_the_same_hash_after_it_was_stored_as_text(facts: dict[str, object], at: float) -> None:
    event = following(None, "A1", at, "Äijä\x00", "noted", facts)
    back = replace(event, at=float(repr(at)), facts=json.loads(json.dumps(facts)))
    assert back.hash == event.hash


def test_an_instant_that_is_a_whole_number_has_the_hash_that_it_has_after_storing() -> None:
    assert following(None, "A1", 5, "till", "noted", {}).hash == following(None, "A1", 5.0, "till", "noted", {}).hash


def test_the_order_of_facts_does_not_matter() -> None:
    facts = {"a": 1, "b": 2}
    turned = dict(reversed(facts.items()))
    assert following(None, "A1", 0.0, "x", "y", facts).hash == following(None, "A1", 0.0, "x", "y", turned).hash


HEADS = [("A1", 3, "1" * 64), ("A2", 1, "2" * 64)]


def test_a_seal_does_not_depend_on_the_order_of_the_chains() -> None:
    assert seal(GENESIS, "2026-11-23", HEADS) == seal(GENESIS, "2026-11-23", HEADS[::-1])


@pytest.mark.parametrize(
    ("previous", "day", "heads"),
    [
        ("1" * 64, "2026-11-23", HEADS),
        (GENESIS, "2026-11-24", HEADS),
        (GENESIS, "2026-11-23", HEADS[:1]),
        (GENESIS, "2026-11-23", []),
        (GENESIS, "2026-11-23", [HEADS[0], ("A2", 2, "2" * 64)]),
        (GENESIS, "2026-11-23", [HEADS[0], ("A3", 1, "2" * 64)]),
        (GENESIS, "2026-11-23", [HEADS[0], ("A2", 1, "3" * 64)]),
    ],
)
def test_whatever_changes_under_a_seal_breaks_it(previous: str, day: str, heads: list[tuple[str, int, str]]) -> None:
    assert seal(previous, day, heads) != seal(GENESIS, "2026-11-23", HEADS)
