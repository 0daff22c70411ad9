# SPDX-License-Identifier: GPL-3.0-or-later
"""The wheel has everything that runs: pages, templates and migrations too, and the licences of what is not ours."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

VENDORED = "tillbridge/web/static/vendor/swagger-ui"


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


def test_the_pages_and_their_licences_are_in_the_wheel(names: set[str]) -> None:
    wanted = ("LICENSE", "NOTICE", "README.md", "swagger-ui-bundle.js", "swagger-ui.css")
    assert {f"{VENDORED}/{name}" for name in wanted} <= names
    licences = {name.partition(".dist-info/licenses/")[2] for name in names if ".dist-info/licenses/" in name}
    assert {"LICENSE", f"src/{VENDORED}/LICENSE", f"src/{VENDORED}/NOTICE"} <= licences
