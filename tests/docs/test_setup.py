# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from docs.conftest import Machine

PIP = "python -m pip install --quiet --disable-pip-version-check --no-input"
MADE = "python -m venv .venv"
LOCKED = f"{PIP} --require-hashes --only-binary=:all: -r requirements.lock"
LOCKED_TESTS = f"{PIP} --require-hashes --only-binary=:all: -r requirements-test.lock"
PROJECT = f"{PIP} --no-deps --no-build-isolation -e ."
APT_UPDATE = "apt-get -qq -o DPkg::Lock::Timeout=120 update (noninteractive)"
APT_INSTALL = (
    "apt-get -qq -o DPkg::Lock::Timeout=120 install -y --no-install-recommends"
    " -o DPkg::Options::=--force-confold {} (noninteractive)"
)


def test_the_first_set_up_installs_only_hashed_wheels_and_then_the_project(machine: Machine) -> None:
    assert machine.set_up().returncode == 0
    assert machine.calls() == [MADE, LOCKED, PROJECT]


def test_a_set_up_for_tests_adds_the_test_packages(machine: Machine) -> None:
    machine.set_up("test")
    assert machine.calls() == [MADE, LOCKED, LOCKED_TESTS, PROJECT]


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        pytest.param("runtime", "runtime", [], id="the same again"),
        pytest.param("test", "runtime", [], id="less than there is"),
        pytest.param("runtime", "test", [LOCKED_TESTS], id="more than there is"),
    ],
)
def test_a_second_set_up_does_only_what_is_missing(
    machine: Machine, before: str, now: str, expected: list[str]
) -> None:
    machine.set_up(before)
    machine.calls()
    assert machine.set_up(now).returncode == 0
    assert machine.calls() == expected


def test_a_set_up_that_finds_everything_ready_says_nothing(machine: Machine) -> None:
    assert machine.set_up().stderr.endswith("setup: ready\n")
    assert machine.set_up().stderr == ""


def test_a_search_path_of_the_caller_does_not_leak_into_the_set_up(machine: Machine) -> None:
    machine.run("env", "PYTHONPATH=src", "scripts/setup")
    assert machine.calls() == [MADE, LOCKED, PROJECT]


def _append(name: str) -> Callable[[Path], Path]:
    def change(checkout: Path) -> Path:
        with (checkout / name).open("a") as file:
            file.write("\n# changed\n")
        return checkout

    return change


def _move(checkout: Path) -> Path:
    return checkout.rename(checkout.with_name("elsewhere"))


def _lose_python(checkout: Path) -> Path:
    (checkout / ".venv/bin/python").unlink()
    return checkout


def _lose_stamps(checkout: Path) -> Path:
    (checkout / ".venv/stamp-runtime").unlink()
    return checkout


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(_append("requirements.lock"), [MADE, LOCKED, PROJECT], id="lock file changed"),
        pytest.param(_append("requirements-test.lock"), [MADE, LOCKED, PROJECT], id="test lock file changed"),
        pytest.param(_append("scripts/setup"), [MADE, LOCKED, PROJECT], id="the script changed"),
        pytest.param(_append("pyproject.toml"), [PROJECT], id="pyproject changed"),
        pytest.param(_append("src/tillbridge/__init__.py"), [PROJECT], id="version changed"),
        pytest.param(_move, [MADE, LOCKED, PROJECT], id="checkout moved"),
        pytest.param(_lose_python, [MADE, LOCKED, PROJECT], id="interpreter gone"),
        pytest.param(_lose_stamps, [MADE, LOCKED, PROJECT], id="a .venv that was not finished"),
    ],
)
def test_a_change_is_followed_by_what_it_needs(
    machine: Machine, change: Callable[[Path], Path], expected: list[str]
) -> None:
    machine.set_up()
    machine.calls()
    checkout = change(machine.checkout)
    assert machine.run("scripts/setup", cwd=checkout).returncode == 0
    assert machine.calls() == expected
    machine.run("scripts/setup", cwd=checkout)
    assert machine.calls() == []


def test_nothing_is_said_on_standard_output(machine: Machine) -> None:
    machine.lacks("ensurepip")
    machine.has("root")
    done = machine.set_up("test")
    assert done.stdout == ""
    assert "chatter of pip" in done.stderr
    assert "chatter of apt-get" in done.stderr


def test_it_may_be_called_from_any_folder(machine: Machine) -> None:
    assert machine.run(str(machine.checkout / "scripts/setup"), cwd=machine.world).returncode == 0
    assert (machine.checkout / ".venv/bin/python").exists()


def test_a_set_up_without_the_package_index_says_so_and_starts_again(machine: Machine) -> None:
    machine.has("no-index")
    failed = machine.set_up()
    assert failed.returncode == 1
    assert "could not be installed" in failed.stderr
    machine.lacks("no-index")
    machine.calls()
    assert machine.set_up().returncode == 0
    assert machine.calls() == [MADE, LOCKED, PROJECT]


@pytest.fixture
def held(machine: Machine) -> Iterator[subprocess.Popen[str]]:
    """A set-up that stands in the middle of pip until the gate is opened."""
    os.mkfifo(machine.world / "gate")
    process = machine.start("scripts/setup")
    with process:
        assert process.stderr is not None
        while "chatter of pip" not in process.stderr.readline():
            assert process.poll() is None
        yield process
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def test_a_killed_set_up_is_started_again_from_the_beginning(machine: Machine, held: subprocess.Popen[str]) -> None:
    os.killpg(held.pid, signal.SIGKILL)
    held.wait()
    machine.lacks("gate")
    machine.calls()
    assert machine.set_up().returncode == 0
    assert machine.calls() == [MADE, LOCKED, PROJECT]


def test_two_set_ups_at_once_do_the_work_once(machine: Machine, held: subprocess.Popen[str]) -> None:
    with machine.start("scripts/setup") as second:
        assert second.stderr is not None
        assert "waiting for another set-up" in second.stderr.readline()
        gate = machine.world / "gate"
        waiting = os.open(gate, os.O_WRONLY)
        gate.unlink()
        os.close(waiting)
        held.communicate()
        second.communicate()
    assert (held.returncode, second.returncode) == (0, 0)
    assert (machine.world / "waited").exists()
    assert machine.calls() == [MADE, LOCKED, PROJECT]


@pytest.mark.parametrize(
    "right", [pytest.param("root", id="as root"), pytest.param("sudo", id="with sudo that asks nothing")]
)
def test_what_debian_lacks_is_installed_where_that_is_allowed(machine: Machine, right: str) -> None:
    machine.lacks("ensurepip")
    machine.has(right)
    assert machine.set_up().returncode == 0
    assert machine.calls() == [APT_UPDATE, APT_INSTALL.format("python3-venv"), MADE, LOCKED, PROJECT]


def test_without_the_right_the_missing_package_and_the_command_are_named(machine: Machine) -> None:
    machine.lacks("ensurepip")
    declined = machine.set_up()
    assert declined.returncode == 1
    assert "apt-get update && apt-get install --no-install-recommends python3-venv\n" in declined.stderr
    assert machine.calls() == []
    assert not (machine.checkout / ".venv").exists()


def test_a_machine_without_apt_get_is_told_what_is_missing(machine: Machine) -> None:
    machine.lacks("ensurepip")
    (machine.bin / "apt-get").unlink()
    declined = machine.set_up()
    assert declined.returncode == 1
    assert "what Debian calls python3-venv" in declined.stderr


def test_a_failing_apt_get_ends_the_set_up_in_plain_words(machine: Machine) -> None:
    machine.lacks("ensurepip")
    machine.has("root", "apt-fails")
    failed = machine.set_up()
    assert failed.returncode == 1
    assert "apt-get could not install: python3-venv" in failed.stderr
    assert machine.calls() == [APT_UPDATE]


def test_an_installation_that_helps_nothing_is_not_taken_for_success(machine: Machine) -> None:
    machine.lacks("ensurepip")
    machine.has("root", "apt-is-useless")
    failed = machine.set_up()
    assert failed.returncode == 1
    assert "still cannot use it" in failed.stderr
    assert not (machine.checkout / ".venv").exists()


def test_a_venv_that_is_there_needs_no_package_to_make_one(machine: Machine) -> None:
    machine.set_up()
    machine.lacks("ensurepip")
    assert machine.set_up("test").returncode == 0


def test_packages_for_tests_are_asked_for_only_when_tests_are_set_up(machine: Machine) -> None:
    script = machine.checkout / "scripts/setup"
    listed = f'test_packages="chromium:{machine.world}/chromium bash:/bin/sh"'
    script.write_text(re.sub(r'test_packages="[^"]*"', lambda _: listed, script.read_text()))
    assert machine.set_up("runtime").returncode == 0
    declined = machine.set_up("test")
    assert declined.returncode == 1
    assert "may not install them: chromium\n" in declined.stderr
    machine.has("root")
    assert machine.set_up("test").returncode == 0


def test_an_old_python_is_refused_and_a_way_out_is_named(machine: Machine) -> None:
    machine.has("too-old")
    refused = machine.set_up()
    assert refused.returncode == 1
    assert "Python 3.11 or later is needed" in refused.stderr
    assert "PYTHON=" in refused.stderr
    assert not (machine.checkout / ".venv").exists()


def test_without_a_wish_any_python_that_is_new_enough_will_do(machine: Machine) -> None:
    script = machine.checkout / "scripts/setup"
    script.write_text(script.read_text().replace("/usr/bin/python3.11", "/nowhere/python3.11"))
    done = machine.run("env", "-u", "PYTHON", "scripts/setup")
    assert done.returncode == 0
    assert f"with {machine.bin}/python3 " in done.stderr


def test_an_unknown_level_is_refused_with_the_known_ones(machine: Machine) -> None:
    refused = machine.set_up("everything")
    assert refused.returncode == 1
    assert "scripts/setup [runtime|test]" in refused.stderr


def test_the_interpreter_of_an_activated_venv_stands_for_the_one_it_was_made_with(
    machine: Machine,
) -> None:
    machine.set_up()
    machine.calls()
    real = shutil.which("python3", path="/usr/bin") or shutil.which("python3")
    assert real
    inside = machine.bin / "python-of-venv"
    inside.write_text(f'#!/bin/sh\ncase "$*" in *_base_executable*) echo {machine.bin}/python3 ;; *) exit 1 ;; esac\n')
    inside.chmod(0o755)
    _append("requirements.lock")(machine.checkout)
    done = machine.run("env", f"PYTHON={inside}", "scripts/setup")
    assert done.returncode == 0
    assert machine.calls() == [MADE, LOCKED, PROJECT]
