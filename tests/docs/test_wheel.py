# SPDX-License-Identifier: GPL-3.0-or-later
"""The wheel has everything that runs: pages, templates and migrations too, and the licences of what is not ours."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

STATIC, FONTS = "tillbridge/web/static/vendor", "tillbridge/web/fonts/vendor"
VENDORED = {
    f"{STATIC}/swagger-ui": ("swagger-ui-bundle.js", "swagger-ui.css", "LICENSE", "NOTICE"),
    f"{STATIC}/bootstrap": ("bootstrap.min.css", "LICENSE"),
    f"{STATIC}/htmx": ("htmx.min.js", "sse.min.js", "LICENSE", "LICENSE-sse"),
    f"{STATIC}/idiomorph": ("idiomorph-ext.min.js", "LICENSE"),
    f"{FONTS}/dejavu": ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "LICENSE"),
}
"""What is not ours, with its licences."""
LICENCES = ("LICENSE", "NOTICE")


@pytest.fixture(scope="module")
def names(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Build the wheel and name the files in it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=repository, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_every_file_of_the_package_is_in_the_wheel(repository: Path, names: set[str]) -> None:
    source = repository / "src"
    files = {str(path.relative_to(source)) for path in (source / "tillbridge").rglob("*") if path.is_file()}
    assert sorted(name for name in files - names if "__pycache__" not in name) == []


def test_nothing_that_only_tests_need_is_in_the_wheel(names: set[str]) -> None:
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"tillbridge"}


@pytest.mark.parametrize("folder", VENDORED)
def test_what_is_not_ours_is_in_the_wheel_with_its_licences(names: set[str], folder: str) -> None:
    assert {f"{folder}/{name}" for name in ("README.md", *VENDORED[folder])} <= names
    licences = {f"src/{folder}/{name}" for name in VENDORED[folder] if name.startswith(LICENCES)}
    assert licences <= licences_in(names)


def test_our_own_licence_is_in_the_wheel(names: set[str]) -> None:
    assert "LICENSE" in licences_in(names)


def test_every_vendored_folder_is_named_here_and_in_the_decision(repository: Path) -> None:
    vendored = (repository / "src/tillbridge").rglob("vendor")
    folders = sorted(str(path.relative_to(repository / "src")) for each in vendored for path in each.iterdir())
    assert folders == sorted(VENDORED)
    decision = (repository / "docs/decisions/0001-what-we-stand-on.md").read_text()
    for folder in folders:
        title = re.search(r"^# (.+? [\d.]+)", (repository / "src" / folder / "README.md").read_text(), re.MULTILINE)
        assert title, folder
        assert title[1] in decision


def licences_in(names: set[str]) -> set[str]:
    return {name.partition(".dist-info/licenses/")[2] for name in names if ".dist-info/licenses/" in name}
