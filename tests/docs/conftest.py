# SPDX-License-Identifier: GPL-3.0-or-later
"""A bare machine out of shell scripts: a Python, an apt-get and a sudo that only note what they are asked."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_TOOLS = [
    "bash",
    "cat",
    "cp",
    "dirname",
    "echo",
    "env",
    "expand",
    "find",
    "make",
    "mkdir",
    "paste",
    "rm",
    "sed",
    "sh",
    "sha256sum",
    "touch",
]

_PYTHON = """#!/bin/sh
case "$*" in
*_base_executable*) [ ! -e "$WORLD/too-old" ] && echo "$0"; exit ;;
*ensurepip*) [ -e "$WORLD/ensurepip" ]; exit ;;
"-c ") exit 0 ;;
esac
echo "python $*${PYTHONPATH:+ with PYTHONPATH}" >>"$WORLD/calls"
case "$*" in
"-m venv .venv")
    mkdir -p .venv/bin
    cp "$0" .venv/bin/python
    for tool in tillbridge ruff mypy coverage; do cp "$WORLD/tool" ".venv/bin/$tool"; done
    ;;
*"-m pip"*)
    echo "chatter of pip"
    [ ! -e "$WORLD/gate" ] || cat "$WORLD/gate"
    [ ! -e "$WORLD/no-index" ]
    ;;
esac
"""

_TOOL = """#!/bin/sh
name=${0##*/}
echo "$name $*" >>"$WORLD/calls"
echo "$name $*"
[ ! -e "$WORLD/fails-$name-$1" ]
"""

_APT_GET = """#!/bin/sh
[ "$*" != --version ] || exit 0
echo "apt-get $* ($DEBIAN_FRONTEND)" >>"$WORLD/calls"
echo "chatter of apt-get"
[ ! -e "$WORLD/apt-fails" ] || exit 100
[ ! -e "$WORLD/apt-is-useless" ] || exit 0
case "$*" in *install*) touch "$WORLD/ensurepip" "$WORLD/chromium" ;; esac
"""

_SUDO = """#!/bin/sh
[ -e "$WORLD/sudo" ] && [ "$1" = -n ] || exit 1
shift
exec "$@"
"""

_FLOCK = f"""#!/bin/sh
[ "$1" = -n ] || touch "$WORLD/waited"
exec {shutil.which("flock")} "$@"
"""

_ID = """#!/bin/sh
[ -e "$WORLD/root" ] && echo 0 || echo 1000
"""


def _fake(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@dataclass(frozen=True, slots=True)
class Machine:
    """Hold a checkout on a machine that has nothing but what a file in `world` says that it has."""

    checkout: Path
    world: Path
    bin: Path

    def has(self, *facts: str) -> None:
        for fact in facts:
            (self.world / fact).touch()

    def lacks(self, *facts: str) -> None:
        for fact in facts:
            (self.world / fact).unlink()

    def environment(self) -> dict[str, str]:
        return {
            "PATH": str(self.bin),
            "WORLD": str(self.world),
            "PYTHON": str(self.bin / "python3"),
            "HOME": str(self.world),
        }

    def start(self, *command: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=cwd or self.checkout,
            env=self.environment(),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, *command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        with self.start(*command, cwd=cwd) as process:
            out, err = process.communicate()
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def set_up(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("scripts/setup", *arguments)

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("make", *arguments)

    def calls(self) -> list[str]:
        """Return what the fakes were asked since the last time."""
        notes = self.world / "calls"
        if not notes.exists():
            return []
        lines = notes.read_text().splitlines()
        notes.unlink()
        return lines


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).resolve().parents[2]


@pytest.fixture
def machine(tmp_path: Path, repository: Path) -> Machine:
    bare = Machine(tmp_path / "check out", tmp_path / "world", tmp_path / "bin")
    for folder in (bare.checkout / "src/tillbridge", bare.checkout / "scripts", bare.world, bare.bin):
        folder.mkdir(parents=True)
    for name in ("Makefile", "scripts/setup", "pyproject.toml", "src/tillbridge/__init__.py"):
        shutil.copy(repository / name, bare.checkout / name)
    for name in ("requirements.lock", "requirements-test.lock"):
        (bare.checkout / name).write_text(f"{name}\n")
    _furnish(bare)
    bare.has("ensurepip")
    return bare


def _furnish(bare: Machine) -> None:
    for name in _TOOLS:
        real = shutil.which(name)
        assert real, f"{name} is needed"
        (bare.bin / name).symlink_to(real)
    _fake(bare.world / "tool", _TOOL)
    _fake(bare.bin / "prove", _TOOL)
    for name, text in {"python3": _PYTHON, "apt-get": _APT_GET, "sudo": _SUDO, "id": _ID, "flock": _FLOCK}.items():
        _fake(bare.bin / name, text)
