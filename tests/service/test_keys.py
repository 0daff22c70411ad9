# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of programs: random, stored as a hash, withdrawn for good."""

from __future__ import annotations

import base64

import pytest

from support.worlds import Bench
from tillbridge.service import keys as module
from tillbridge.service.administration_port import ApiKey, Scope
from tillbridge.service.keys import OWN, REMEMBERED_S, KeyRing, hash_of, new_key


async def stored(bench: Bench, *scopes: Scope) -> tuple[str, ApiKey]:
    token, key = new_key("desk", scopes, ["CPL"], 1.0, "otto")
    await bench.store.write(lambda tx: tx.add_api_key(key))
    return token, key


async def test_a_key_is_found_by_its_secret_and_by_nothing_else(bench: Bench) -> None:
    token, key = await stored(bench, Scope.PAY, Scope.READ)
    ring = KeyRing(bench.store, bench.clock, None)
    assert await ring.find(token) == key
    for wrong in ("", token[:-1], token + "x", key.hash, key.id):
        assert await ring.find(wrong) is None
    assert await bench.store.read(lambda tx: tx.api_keys()) == (key,)
    assert token not in repr(key)
    assert key.hash not in repr(key)


async def test_a_key_that_was_found_is_not_looked_up_again_at_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, key = await stored(bench, Scope.PAY)
    ring = KeyRing(bench.store, bench.clock, None)
    assert await ring.find(token) == key
    with monkeypatch.context() as without:
        without.setattr(bench.store, "read", None)
        bench.clock.advance(REMEMBERED_S - 0.1)
        assert await ring.find(token) == key
    bench.clock.advance(0.1)
    assert await ring.find(token) == key


async def test_a_withdrawn_key_is_refused_a_moment_later_and_for_ever(bench: Bench) -> None:
    token, key = await stored(bench, Scope.PAY)
    ring = KeyRing(bench.store, bench.clock, None)
    assert await ring.find(token) is not None
    assert await bench.store.write(lambda tx: tx.withdraw_api_key(key.id, 2.0, "otto"))
    bench.clock.advance(REMEMBERED_S)
    assert await ring.find(token) is None
    assert not await bench.store.write(lambda tx: tx.withdraw_api_key(key.id, 3.0, "sari"))
    (kept,) = await bench.store.read(lambda tx: tx.api_keys())
    assert (kept.withdrawn_at, kept.withdrawn_by) == (2.0, "otto")


async def test_the_key_of_the_settings_may_do_everything(bench: Bench) -> None:
    ring = KeyRing(bench.store, bench.clock, "käy-ttö")
    own = await ring.find("käy-ttö")
    assert own is not None
    assert (own.id, own.scopes, own.branches) == (OWN, frozenset(Scope), None)
    assert (own.name, own.created_by, own.withdrawn_at) == ("the bridge's own", "settings", None)
    assert await ring.find("kay-tto") is None


async def test_a_flood_of_wrong_keys_fills_no_memory(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_REMEMBERED", 5)
    ring = KeyRing(bench.store, bench.clock, None)
    for number in range(12):
        assert await ring.find(f"wrong {number}") is None
    assert len(ring._remembered) <= 5


async def test_a_key_that_is_no_text_is_refused_like_any_other(bench: Bench) -> None:
    ring = KeyRing(bench.store, bench.clock, None)
    assert await ring.find(b"\xff".decode("utf-8", "surrogateescape")) is None


def test_a_secret_has_256_random_bits_and_its_name_is_short() -> None:
    token, key = new_key("desk", [], None, 1.0, "otto")
    assert len(base64.urlsafe_b64decode(token.removeprefix(module.PREFIX) + "=")) == 32
    assert len(bytes.fromhex(key.id)) == 4


def test_two_keys_are_never_alike() -> None:
    made = [new_key("desk", [], None, 1.0, "otto") for _ in range(100)]
    assert len({token for token, _ in made}) == len({key.id for _, key in made}) == 100
    assert all(key.hash == hash_of(token) and key.branches is None for token, key in made)
