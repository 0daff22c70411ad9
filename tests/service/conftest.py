# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.keyed import KeyedLibrary
from support.stores import ENGINES, server_for
from support.wording import Wording, listen
from support.worlds import Bench, open_bench


@pytest.fixture(autouse=True)
def wording(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wording]:
    """Nothing is said to people or programs in a way that they cannot read."""
    heard = Wording()
    listen(monkeypatch, heard)
    yield heard
    assert heard.mistakes == []


@pytest.fixture(params=ENGINES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """A world on each of the two engines."""
    with open_bench(tmp_path, server_for(request)) as made:
        yield made


@pytest.fixture
def library() -> KeyedLibrary:
    """A library system with every ability."""
    return KeyedLibrary()


@pytest.fixture
def able(library: KeyedLibrary, tmp_path: Path) -> Iterator[Bench]:
    """A world whose library system has every ability."""
    with open_bench(tmp_path, library=library) as made:
        yield made


@pytest.fixture
def far_east() -> Iterator[None]:
    """A machine where it is tomorrow already."""
    with pytest.MonkeyPatch.context() as there:
        there.setenv("TZ", "Pacific/Kiritimati")
        time.tzset()
        yield
    time.tzset()
