# SPDX-License-Identifier: GPL-3.0-or-later
"""Help pytest under mutmut, as a plugin: tests that have found changes nearby come first, and forks have live threads.

Which tests those are is written down in the folder that `FINDERS` names, a file for each function.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

FINDERS = "TILLBRIDGE_MUTANT_FINDERS"


def _mutated() -> tuple[str, str] | None:
    """Return the module and the function that are changed now; None where mutmut does something else."""
    module, dot, mutant = os.environ.get("MUTANT_UNDER_TEST", "").rpartition(".")
    return (module, mutant.partition("__mutmut_")[0]) if dot and "__mutmut_" in mutant else None


def _found_before(module: str, function: str) -> Iterator[str]:
    """Yield the tests that have found something, the nearest and newest first."""
    folder = Path(os.environ[FINDERS])
    own = folder / f"{module}.{function}"
    others = sorted(folder.glob(f"{module}.*"), key=lambda file: -file.stat().st_mtime)
    for file in (own, *others):
        if file.exists():
            yield from reversed(file.read_text(encoding="utf-8").splitlines())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put them first."""
    if (mutated := _mutated()) is None:
        return
    ranks: dict[str, int] = {}
    for nodeid in _found_before(*mutated):
        ranks.setdefault(nodeid, len(ranks))
    items.sort(key=lambda item: ranks.get(item.nodeid, len(ranks)))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write down which test has found a change."""
    if report.failed and (mutated := _mutated()) is not None:
        with (Path(os.environ[FINDERS]) / ".".join(mutated)).open("a", encoding="utf-8") as file:
            file.write(f"{report.nodeid}\n")


def pytest_collection_finish() -> None:
    """Give what all tests share threads of its own: mutmut forks, and no thread comes along."""
    shared = sys.modules.get("support.people")
    if shared is not None:
        shared.CHEAP._threads = ThreadPoolExecutor(1)  # noqa: SLF001
