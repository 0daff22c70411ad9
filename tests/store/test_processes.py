# SPDX-License-Identifier: GPL-3.0-or-later
"""What other processes may do to a store: one that is killed loses nothing, a second one is turned away."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tillbridge.domain.history import first_break
from tillbridge.errors import SettingsError
from tillbridge.service.store_port import TaskKind, Transaction
from tillbridge.store.sqlite import SqliteStore

WRITING = Path(__file__).with_name("writing_process.py")
FOLDERS = [folder for folder in sys.path if folder]


@contextmanager
def writing(path: Path, prefix: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(FOLDERS)}
    command = [sys.executable, str(WRITING), str(path), prefix]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    with process:
        try:
            yield process
        finally:
            process.kill()


def killed_after(path: Path, prefix: str, acknowledged: int) -> set[str]:
    """Let a process write, kill it after so many acknowledged writes, and return all that it acknowledged."""
    with writing(path, prefix) as process:
        assert process.stdout is not None
        heard = [process.stdout.readline().strip() for _ in range(acknowledged)]
        process.send_signal(signal.SIGKILL)
        heard += [line.strip() for line in process.stdout if line.endswith("\n")]
        assert process.wait() == -signal.SIGKILL
    return set(heard)


def look(tx: Transaction) -> tuple[set[str], set[str], set[str]]:
    """Return the payments that are there, those that have their task, and those that have their event."""
    there = {payment.id for payment in tx.payments_in_doubt()}
    tasks = tx.claim_tasks("check", [TaskKind.SEND], 9.0, 9.0, 100_000)
    histories = {payment_id: tx.history(payment_id) for payment_id in there}
    whole = {payment_id for payment_id, chain in histories.items() if len(chain) == 1 and first_break(chain) is None}
    return there, {task.payment_id for task in tasks}, whole


async def test_whatever_was_acknowledged_is_there_after_a_kill_at_any_moment(path: Path) -> None:
    """The same file goes on after each kill; what was not acknowledged is there whole or not at all."""
    chance = random.Random(8470)  # noqa: S311 - it guards nothing: it picks moments
    promised: set[str] = set()
    for round_ in "abc":
        promised |= killed_after(path, round_, chance.randrange(1, 250))
        store = SqliteStore(path)
        there, with_task, with_event = await store.write(look)
        store.close()
        assert promised <= there
        assert with_task == with_event == there


def test_a_second_process_on_the_same_file_is_turned_away_until_the_first_has_died(path: Path) -> None:
    with writing(path, "a") as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "a0\n"
        with writing(path, "b") as second:
            said, complaint = second.communicate()
            assert said == ""
            assert second.returncode == 1
            assert f"{path}: another bridge has this database open. Stop it first" in complaint
        with pytest.raises(SettingsError, match="another bridge"):
            SqliteStore(path)
    SqliteStore(path).close()


def linked_file(path: Path) -> Path:
    link = path.with_name("other.db")
    link.symlink_to(path)
    return link


def linked_folder(path: Path) -> Path:
    (path.parent / "data").symlink_to(path.parent)
    return path.parent / "data" / path.name


def link_to_a_link(path: Path) -> Path:
    return linked_folder(linked_file(path))


@pytest.mark.parametrize("linked", [linked_file, linked_folder, link_to_a_link])
def test_another_name_of_the_same_file_is_turned_away_too(path: Path, linked: Callable[[Path], Path]) -> None:
    other = linked(path)
    for first, second in ((path, other), (other, path)):
        held = SqliteStore(first)
        with pytest.raises(SettingsError, match="another bridge"):
            SqliteStore(second)
        held.close()


def test_a_name_that_leads_to_itself_is_told(path: Path) -> None:
    path.symlink_to(path)
    with pytest.raises(SettingsError, match="the database cannot be used"):
        SqliteStore(path)


def test_a_second_store_in_the_same_process_is_turned_away_too(path: Path) -> None:
    first = SqliteStore(path)
    with pytest.raises(SettingsError, match="another bridge"):
        SqliteStore(path)
    first.close()
    SqliteStore(path).close()
