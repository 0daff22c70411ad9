# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tillbridge.simulation.drawing import _turn, draw
from tillbridge.simulation.play import play

SOURCES = Path(__file__).resolve().parents[2] / "src"
PROGRAM = "import sys; from tillbridge.cli import app; app(sys.argv[1:])"


def simulate(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(SOURCES)}
    command = [sys.executable, "-c", PROGRAM, "simulate", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=100)


GIVES_BACK = next(seed for seed in range(100) if _turn(seed) == "given back, and Koha is away")


@pytest.mark.parametrize("seed", [7, GIVES_BACK], ids=["seven", "money is given back"])
def test_a_seed_prints_the_same_bytes_in_every_process(seed: int) -> None:
    first = simulate("--seed", str(seed), "--trace", hash_seed="1")
    second = simulate("--seed", str(seed), "--trace", hash_seed="4242")
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    assert len(first.stdout.splitlines()) > 20


def test_what_ran_before_does_not_matter() -> None:
    alone = play(draw(3)).trace
    play(draw(4))
    assert play(draw(3)).trace == alone


def test_another_seed_is_another_story() -> None:
    assert play(draw(1)).trace != play(draw(2)).trace
