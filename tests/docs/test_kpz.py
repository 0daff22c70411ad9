# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

SCRIPT = "src/tillbridge/web/static/koha/tillbridge.js"
FOLDER = "Koha/Plugin/Tillbridge/Register"


@pytest.fixture
def checkout(tmp_path: Path, repository: Path) -> Path:
    for name in ("scripts/kpz", "src/tillbridge/__init__.py", "LICENSE"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(repository / name, tmp_path / name)
    shutil.copytree(repository / "koha-plugin", tmp_path / "koha-plugin")
    (tmp_path / SCRIPT).parent.mkdir(parents=True)
    (tmp_path / SCRIPT).write_text("// the pages' script\n")
    return tmp_path


def pack(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([checkout / "scripts/kpz"], capture_output=True, text=True, check=False)


def packed(checkout: Path) -> Path:
    done = pack(checkout)
    assert (done.returncode, done.stderr) == (0, "")
    return checkout / done.stdout.strip()


def test_the_same_files_give_the_same_bytes(checkout: Path) -> None:
    first = packed(checkout).read_bytes()
    for path in (checkout / "koha-plugin").rglob("*"):
        path.touch()
    assert packed(checkout).read_bytes() == first


def test_a_changed_file_has_another_time_so_that_koha_does_not_take_it_for_the_old_one(checkout: Path) -> None:
    page = f"{FOLDER}/configure.tt"
    with zipfile.ZipFile(packed(checkout)) as archive:
        before = {entry.filename: entry.date_time for entry in archive.infolist()}
    with (checkout / "koha-plugin" / page).open("a") as file:
        file.write("\n")
    with zipfile.ZipFile(packed(checkout)) as archive:
        after = {entry.filename: entry.date_time for entry in archive.infolist()}
    assert [name for name in after if after[name] != before[name]] == [page]


def test_it_holds_the_plugin_the_script_and_the_licence_and_no_tests(checkout: Path) -> None:
    with zipfile.ZipFile(packed(checkout)) as archive:
        names = archive.namelist()
        assert archive.read(f"{FOLDER}/tillbridge.js") == b"// the pages' script\n"
    assert names == sorted(names)
    assert {f"{FOLDER}.pm", f"{FOLDER}/openapi.json", f"{FOLDER}/configure.tt", f"{FOLDER}/LICENSE"} <= set(names)
    assert [name for name in names if not name.startswith("Koha/Plugin/Tillbridge/")] == []


def test_without_the_script_nothing_is_packed(checkout: Path) -> None:
    (checkout / SCRIPT).unlink()
    failed = pack(checkout)
    assert failed.returncode == 1
    assert failed.stderr == f"kpz: there is nothing to pack without {SCRIPT}\n"
    assert not (checkout / "dist").exists()


def test_a_plugin_of_another_version_than_the_bridge_is_not_packed(checkout: Path) -> None:
    init = checkout / "src/tillbridge/__init__.py"
    init.write_text(init.read_text().replace('__version__ = "', '__version__ = "9'))
    failed = pack(checkout)
    assert failed.returncode == 1
    assert "one version" in failed.stderr
