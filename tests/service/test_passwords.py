# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords: which are good enough, and how they are hashed without holding up the bridge."""

from __future__ import annotations

import asyncio
import threading
import unicodedata
from collections.abc import Iterator
from typing import Literal

import pytest
from argon2 import PasswordHasher, extract_parameters

from support.people import CHEAP
from tillbridge.errors import Declined
from tillbridge.service import passwords as module
from tillbridge.service.passwords import AT_ONCE, LONGEST_TYPED, Passwords, checked_password

DECOMPOSED, COMPOSED = "sa\u0308hko\u0308posti", "s\u00e4hk\u00f6posti"


@pytest.fixture
def cheap() -> Iterator[Passwords]:
    made = Passwords(memory_kib=8, rounds=1)
    yield made
    made.close()


async def test_a_password_is_known_again_by_its_hash_alone() -> None:
    made = await CHEAP.hash("kolme iloista rosvoa")
    assert made.startswith("$argon2id$")
    assert "rosvoa" not in made
    assert made != await CHEAP.hash("kolme iloista rosvoa")
    assert await CHEAP.check(made, "kolme iloista rosvoa")
    assert not await CHEAP.check(made, "kolme iloista rosvoA")


def test_a_hash_costs_what_a_small_machine_can_bear_unless_another_cost_is_asked_for(cheap: Passwords) -> None:
    usual = Passwords()
    costs = [extract_parameters(each.hash_now("kolme iloista rosvoa")) for each in (usual, cheap)]
    usual.close()
    assert [(cost.memory_cost, cost.time_cost, cost.parallelism) for cost in costs] == [(19456, 3, 1), (8, 1, 1)]


@pytest.mark.parametrize("kept", [None, "", "no hash"])
async def test_nobody_s_password_is_never_right(kept: str | None) -> None:
    assert not await CHEAP.check(kept, "kolme iloista rosvoa")


class Watched:
    """A hasher that notes what is checked."""

    def __init__(self, real: PasswordHasher) -> None:
        self.real, self.checked = real, list[str]()

    def verify(self, password_hash: str, password: bytes) -> bool:
        self.checked.append(password_hash)
        return self.real.verify(password_hash, password)


async def test_where_there_is_no_hash_another_one_is_checked_in_its_place(
    cheap: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cheap, "_nobodys", cheap.hash_now("the stand-in"))
    watched = Watched(cheap._hasher)
    monkeypatch.setattr(cheap, "_hasher", watched)
    assert not await cheap.check(None, "wrong")
    assert not await cheap.check(None, "the stand-in")
    assert watched.checked == [cheap._nobodys] * 2


async def test_the_same_signs_are_the_same_password_whatever_the_keyboard_sends() -> None:
    assert await CHEAP.check(await CHEAP.hash(DECOMPOSED), COMPOSED)


async def test_half_a_sign_is_a_wrong_password_and_no_fault() -> None:
    assert not await CHEAP.check(CHEAP.hash_now("kolme iloista rosvoa"), "kolme \ud83d")


async def test_a_hash_of_another_cost_is_still_right_and_known_as_outdated(cheap: Passwords) -> None:
    old = cheap.hash_now("kolme iloista rosvoa")
    dearer = Passwords(memory_kib=16, rounds=1)
    assert await dearer.check(old, "kolme iloista rosvoa")
    assert (dearer.outdated(old), cheap.outdated(old)) == (True, False)
    dearer.close()


def test_what_nobody_could_type_is_not_put_together_at_all(cheap: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs with thousands of parts take seconds, in which nothing else in the process goes on."""
    put_together: list[int] = []
    monkeypatch.setattr(module, "unicodedata", Composing(put_together))
    endless = "\u0315\u0300" * 15_000
    assert not cheap._is_right(None, endless)
    with pytest.raises(Declined):
        checked_password(endless, "anna", "Anna")
    assert max(put_together) <= LONGEST_TYPED


async def test_a_password_with_more_behind_it_than_is_looked_at_is_wrong() -> None:
    whole = "e\u0323\u0302\u0327\u0328" * 200
    made = await CHEAP.hash(whole)
    assert await CHEAP.check(made, whole)
    assert not await CHEAP.check(made, whole + "x")


class Composing:
    """A `unicodedata` that notes how much it was given to put together."""

    def __init__(self, noted: list[int]) -> None:
        self.noted = noted

    def normalize(self, form: Literal["NFC"], text: str) -> str:
        self.noted.append(len(text))
        return unicodedata.normalize(form, text)


class Slow:
    """A hasher that waits at a gate, and counts how many wait there at most."""

    def __init__(self) -> None:
        self.gate, self.full, self._lock = threading.Event(), threading.Event(), threading.Lock()
        self.running = self.most = 0

    def hash(self, _password: bytes) -> str:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
            if self.running == AT_ONCE:
                self.full.set()
        self.gate.wait(10)
        with self._lock:
            self.running -= 1
        return "hash"


async def test_hashing_holds_up_nobody_and_two_at_most_are_made_at_once(
    cheap: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow()
    monkeypatch.setattr(cheap, "_hasher", slow)
    work = [asyncio.create_task(cheap.hash("kolme iloista rosvoa")) for _ in range(6)]
    assert await asyncio.to_thread(slow.full.wait, 10)
    slow.gate.set()
    assert await asyncio.gather(*work) == ["hash"] * 6
    assert slow.most == AT_ONCE


@pytest.mark.parametrize(
    "password",
    [
        "kolme iloista rosvoa",
        "x" * 5 + "y" * 5,
        "ab" * 100,
        "anna on virtanen",
        "maija ja maija",
    ],
)
def test_a_good_password_is_taken(password: str) -> None:
    checked_password(password, "anna", "Anna Virtanen")


WEAK = {
    "too short": ("ei riitä", "length"),
    "too short by one": ("ninesigns", "length"),
    "short once its signs are put together": ("a\u0308" * 8, "length"),
    "too long": ("ab" * 100 + "c", "length"),
    "too long to be looked at": ("e\u0323\u0302" * 350, "length"),
    "one of the most common": ("1234567890", "common"),
    "one of the most common in capitals": ("SALASANA123", "common"),
    "one sign again and again": ("zzzzzzzzzzzz", "common"),
    "the person's name": ("Anna Virtanen", "own_name"),
    "the person's name with a year": ("annavirtanen1984!", "own_name"),
    "the sign-in name": ("anna.virtanen", "own_name"),
}


@pytest.mark.parametrize(("password", "why"), WEAK.values(), ids=WEAK)
def test_a_weak_password_is_refused_with_the_reason(password: str, why: str) -> None:
    with pytest.raises(Declined) as declined:
        checked_password(password, "anna.virtanen", "Anna Virtanen")
    assert (declined.value.code, declined.value.facts) == ("weak_password", {"field": "password", "why": why})
    assert password not in str(declined.value)


def test_a_sign_in_name_of_digits_is_no_password() -> None:
    with pytest.raises(Declined):
        checked_password("2010405060", "2010405060", "Anna")
    checked_password("2010405061", "2010405060", "Anna")


def test_the_common_ones_are_as_long_as_a_password_must_be() -> None:
    assert [each for each in module.COMMON if len(each) < module.SHORTEST or each != each.casefold()] == []
