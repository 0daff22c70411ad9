# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

LICENCE = "SPDX-License-Identifier: GPL-3.0-or-later"
SOURCES = {
    *(".css", ".html", ".j2", ".js", ".mako", ".pl", ".pm", ".py", ".sh", ".sql", ".t", ".toml", ".tt", ".yaml", ".yml")
}
SOURCES_WITHOUT_SUFFIX = {"Makefile", "diagrams", "kpz", "lock", "run", "screenshots", "setup"}
LOCK_FILES = ["requirements.lock", "requirements-test.lock"]
FOLDER_OF_ONE_MACHINE = re.compile(r"(?<![\w.:/])/(?:home|root|tmp|Users|var/tmp|work)/[\w.]")
PACKAGE_REGISTRY = re.compile(r"pypi\.org|pythonhosted\.org|registry\.(?:npmjs|yarnpkg)|deb\.debian\.org")
ADDRESS = re.compile(r"[a-z]+://|^\s*-(?:i|f|-index-url|-extra-index-url|-find-links|-trusted-host)\b", re.MULTILINE)
PINNED = re.compile(
    r"^([a-z0-9-]+)==(\S+)(?: ; [^\\]+)? \\$((?:\n    --hash=sha256:[0-9a-f]{64}(?: \\)?$)+)", re.MULTILINE
)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")


@pytest.fixture(scope="module")
def files(repository: Path) -> list[Path]:
    """Every file that the repository holds or is about to hold; vendored ones have their own licences."""
    # The checkout may belong to another user than the one who runs the tests, which git would refuse.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True).stdout
    paths = [Path(name) for name in listed.split("\0") if name]
    return [path for path in paths if (repository / path).is_file() and "vendor" not in path.parts]


def text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8", errors="replace")


def pins(lock: Path) -> dict[str, str]:
    return {name: version for name, version, _ in PINNED.findall(lock.read_text())}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, list[str]]:
    """The direct dependencies by kind (runtime, build, test), without the extras that they are asked for with."""
    facts = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    kinds = {"runtime": facts["dependencies"], **facts["optional-dependencies"]}
    return {kind: [name.partition("[")[0] for name in names] for kind, names in kinds.items()}


def is_source(path: Path) -> bool:
    return path.suffix in SOURCES or (not path.suffix and path.name in SOURCES_WITHOUT_SUFFIX)


def says_licence(text: str) -> bool:
    lines = text.splitlines()[:2] or [""]
    claimed = lines[0].lower().startswith(("#!", "<!doctype"))
    return LICENCE in (lines[-1] if claimed else lines[0])


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (f"# {LICENCE}\n", True),
        (f"#!/bin/sh\n# {LICENCE}\n", True),
        (f"{{# {LICENCE} #}}\n<p>", True),
        (f'"""Docs."""\n# {LICENCE}\n', False),
        (f"<!doctype html>\n{{# {LICENCE} #}}\n", True),
        ("#!/bin/sh\n", False),
        ("", False),
    ],
)
def test_the_licence_is_looked_for_in_the_first_line_that_is_free(text: str, good: bool) -> None:
    assert says_licence(text) is good


def test_every_source_file_begins_with_its_licence(repository: Path, files: list[Path]) -> None:
    assert [str(path) for path in files if is_source(path) and not says_licence(text_of(repository / path))] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("open('/" + "home/anna/x')", True),
        ("see /" + "tmp/output", True),
        ("https://example.org/work/1", False),
        ("/etc/tillbridge", False),
        ("/homepage/x", False),
    ],
)
def test_a_folder_of_one_machine_is_recognised(text: str, found: bool) -> None:
    assert bool(FOLDER_OF_ONE_MACHINE.search(text)) is found


def test_no_file_names_a_folder_of_one_machine(repository: Path, files: list[Path]) -> None:
    assert [str(path) for path in files if FOLDER_OF_ONE_MACHINE.search(text_of(repository / path))] == []


def test_no_file_names_a_package_registry(repository: Path, files: list[Path]) -> None:
    assert [str(path) for path in files if PACKAGE_REGISTRY.search(text_of(repository / path))] == []


@pytest.mark.parametrize("lock", LOCK_FILES)
def test_a_lock_file_holds_no_address(repository: Path, lock: str) -> None:
    assert ADDRESS.findall((repository / lock).read_text()) == []


@pytest.mark.parametrize("lock", LOCK_FILES)
def test_every_line_of_a_lock_file_is_a_version_with_hashes(repository: Path, lock: str) -> None:
    assert PINNED.sub("", (repository / lock).read_text()).strip() == ""


def test_the_tests_run_with_the_versions_that_the_product_is_locked_to(repository: Path) -> None:
    product, tests = (pins(repository / lock) for lock in LOCK_FILES)
    assert product.items() <= tests.items()


@pytest.mark.parametrize(
    ("kind", "lock"), [("runtime", LOCK_FILES[0]), ("build", LOCK_FILES[0]), ("test", LOCK_FILES[1])]
)
def test_every_dependency_is_locked(repository: Path, project: dict[str, list[str]], kind: str, lock: str) -> None:
    assert {normal(name) for name in project[kind]} <= pins(repository / lock).keys()


def test_decisions_are_numbered_without_gaps(repository: Path) -> None:
    numbers = sorted(int(path.name[:4]) for path in (repository / "docs/decisions").glob("[0-9]*.md"))
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers


def test_every_decision_has_its_number_and_its_parts(repository: Path) -> None:
    for path in (repository / "docs/decisions").glob("[0-9]*.md"):
        text = path.read_text()
        assert text.startswith(f"# {int(path.name[:4])}. "), path.name
        assert re.findall(r"^## (.*)$", text, re.MULTILINE)[:2] == ["Why", "What we decided"], path.name


def test_every_dependency_has_its_reason_and_nothing_else_has(repository: Path, project: dict[str, list[str]]) -> None:
    table = (repository / "docs/decisions/0001-what-we-stand-on.md").read_text()
    reasoned = re.findall(r"^\| ([\w.-]+) \| [^|\n]{3,} \| [^|\n]{20,} \|$", table, re.MULTILINE)
    assert sorted(reasoned) == sorted(name for names in project.values() for name in names)


def test_the_changelog_tells_of_the_version(repository: Path) -> None:
    version = re.search(r'__version__ = "(.+)"', (repository / "src/tillbridge/__init__.py").read_text())
    assert version
    assert f"\n## [{version[1]}]" in (repository / "CHANGELOG.md").read_text()


def test_links_between_documents_lead_somewhere(repository: Path, files: list[Path]) -> None:
    lost = [
        f"{path}: {target}"
        for path in files
        if path.suffix == ".md"
        for target in LINK.findall(text_of(repository / path))
        if "://" not in target and not (repository / path.parent / target).exists()
    ]
    assert lost == []


def test_contributing_names_every_command(repository: Path) -> None:
    commands = re.findall(r"^([a-z]+):.*## ", (repository / "Makefile").read_text(), re.MULTILINE)
    guide = (repository / "CONTRIBUTING.md").read_text()
    assert [command for command in commands if f"`make {command}" not in guide] == []
