# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about the commands names every command, argument and option with its default, and none that is not there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import typer.main

from tillbridge.cli import app
from tillbridge.service.administration_port import Scope

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
SECTION = re.compile(r"^## `(tillbridge[^`\n]*)`\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| (`[^|]+`) \| (.+?) \| (.{10,}) \|$", re.MULTILINE)
NONE = "–"  # noqa: RUF001 - the sign that the page uses

described = dict(SECTION.findall(PAGE))


def walk(command: Any, *path: str) -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, with its whole name."""
    if not hasattr(command, "commands"):
        yield " ".join(path), command
        return
    if command.invoke_without_command:
        yield " ".join(path), command
    for name, inner in command.commands.items():
        yield from walk(inner, *path, name)


COMMANDS = dict(walk(typer.main.get_command(app), "tillbridge"))
LONGEST_FIRST = sorted(COMMANDS, key=len, reverse=True)


def name_of(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    return ", ".join(f"`{each}`" for each in (*parameter.opts, *parameter.secondary_opts))


def default_of(parameter: Any) -> str:
    if parameter.required:
        return "needed"
    if parameter.secondary_opts:
        return f"`{parameter.opts[0] if parameter.default else parameter.secondary_opts[0]}`"
    if parameter.default is None or parameter.default is False or parameter.default == "":
        return NONE
    return f"`{getattr(parameter.default, 'value', parameter.default)}`"


def test_every_command_has_its_section_and_no_other_has() -> None:
    assert sorted(described) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_argument_and_option_is_described_with_its_default_and_no_other_is(command: str) -> None:
    rows = {name: default for name, default, _ in ROW.findall(described[command])}
    assert len(ROW.findall(described[command])) == len(rows)
    assert rows == {name_of(each): default_of(each) for each in COMMANDS[command].params}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_in_its_help_what_it_and_each_option_is_for(command: str) -> None:
    assert COMMANDS[command].help
    assert [name_of(each) for each in COMMANDS[command].params if not each.help] == []


def choices_of(annotation: Any) -> Iterator[str]:
    """Yield what an option may be, where that is one of a few words."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        yield from (str(each.value) for each in annotation)
    elif get_origin(annotation) is Literal:
        yield from map(str, get_args(annotation))
    else:
        yield from (choice for part in get_args(annotation) for choice in choices_of(part))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_choice_that_an_option_has_is_named(command: str) -> None:
    told = {name: default + meaning for name, default, meaning in ROW.findall(described[command])}
    options = [(name_of(each), each.type_descriptor.annotation) for each in COMMANDS[command].params]
    choices = [(name, choice) for name, annotation in options for choice in choices_of(annotation)]
    assert [(name, choice) for name, choice in choices if f"`{choice}`" not in told[name]] == []


def test_choices_are_found_at_all() -> None:
    scope = next(each for each in COMMANDS["tillbridge key add"].params if each.name == "scope")
    assert list(choices_of(scope.type_descriptor.annotation)) == list(Scope)


DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def examples() -> Iterator[list[str]]:
    """Yield the words of every line in the documents that runs one of the commands."""
    for document in DOCUMENTS:
        for block in BLOCK.findall(document.read_text(encoding="utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                if re.match(r"(\.venv/bin/)?tillbridge ", line):
                    yield shlex.split(line, comments=True)


def test_every_example_in_the_documents_names_a_command_with_options_that_it_has() -> None:
    for _, *words in examples():
        command = next(
            (name for name in LONGEST_FIRST if ["tillbridge", *words][: len(name.split())] == name.split()), ""
        )
        assert command != "tillbridge", words
        options = {option for each in COMMANDS[command].params for option in (*each.opts, *each.secondary_opts)}
        assert [word for word in words if word.startswith("--") and word.partition("=")[0] not in options] == [], words


def test_examples_are_found_at_all() -> None:
    assert len(list(examples())) > 10
