# SPDX-License-Identifier: GPL-3.0-or-later
"""Read product maps for people: as a table of codes, and as what a change of one means for the branches."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from tillbridge.domain.product_map import DEFAULT, BranchOff, Difference, NoProductCode, ProductMap, differences
from tillbridge.errors import SettingsError, WrongProductMap
from tillbridge.marking import marked
from tillbridge.product_file import parse_product_map
from tillbridge.service.administration_port import ProductMapVersion
from tillbridge.service.products import COMMAND, FILE, PAGE
from tillbridge.web.desk.texts import Texts

NOTHING = ProductMap({})

ORIGINS: Mapping[str, str] = {
    FILE: marked("the file"),
    COMMAND: marked("the command"),
    PAGE: marked("these pages"),
    "api": marked("the API"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """Hold a code; None where there is none, and whether the branch is off or the code is missed."""

    code: str | None
    off: bool
    missed: bool


@dataclass(frozen=True, slots=True)
class Row:
    """Hold the codes of a debit type; `seen` where a payment has had it."""

    debit_type: str
    seen: bool
    cells: Sequence[Cell]

    @property
    def missed(self) -> bool:
        """Tell whether a code is missed at a branch."""
        return any(cell.missed for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Meaning:
    """Say what a change of the product map means for the branches of the settings."""

    entries: Sequence[Difference]
    now_off: Sequence[str]
    now_on: Sequence[str]
    lost: Mapping[str, Sequence[str]]
    """Debit type → the branches where it had a code and has none then."""
    strange: Sequence[str]
    """Branches of the new map that the settings do not have."""
    lines: Sequence[str]
    """The two texts, compared line by line."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """Say what is wrong in a product map: the line's number and what stands there, what it is, what to do."""

    line: int | None
    text: str
    what: str
    remedy: str


def columns(counting: ProductMap, branches: Sequence[str]) -> list[str]:
    """Name the table's columns: Default, the branches of the settings, then others that the map names."""
    return list(dict.fromkeys([DEFAULT, *branches, *sorted(counting.branches)]))


def table(counting: ProductMap, branches: Sequence[str], seen: Collection[str]) -> list[Row]:
    """Look every debit type up for every column."""
    names = columns(counting, branches)
    types = [*sorted((_types(counting) | set(seen)) - {DEFAULT}), DEFAULT]
    return [
        Row(
            debit_type,
            debit_type in seen,
            [_cell(counting, name, debit_type, debit_type in seen and name in branches) for name in names],
        )
        for debit_type in types
    ]


def meaning(old: str, new: str, branches: Sequence[str], seen: Collection[str]) -> Meaning:
    """Say what it means that one text replaces another; raise SettingsError where the new one cannot be read."""
    before, after = parsed(old) or NOTHING, parse_product_map(new, "product map")
    return Meaning(
        entries=differences(before, after),
        now_off=[name for name in branches if before.is_on(name) and not after.is_on(name)],
        now_on=[name for name in branches if after.is_on(name) and not before.is_on(name)],
        lost=dict(_lost(before, after, branches, seen)),
        strange=[name for name in after.branches if name != DEFAULT and name not in branches],
        lines=list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=2))[2:],
    )


@lru_cache(maxsize=64)
def parsed(text: str) -> ProductMap | None:
    """Read a text that was stored; None where nobody can."""
    try:
        return parse_product_map(text, "product map")
    except SettingsError:
        return None


def changed_entries(versions: Sequence[ProductMapVersion]) -> list[int | None]:
    """Count how many entries each version changed against the one behind it in the list; None where nobody can tell."""
    maps = [parsed(version.text) for version in versions] + [NOTHING]
    pairs = pairwise(maps)
    return [None if new is None or old is None else len(differences(old, new)) for new, old in pairs]


def wrong_of(texts: Texts, error: SettingsError, text: str) -> Wrong:
    """Say what is wrong in a text, in the reader's language."""
    if not isinstance(error, WrongProductMap):
        return Wrong(None, "", error.what, error.remedy)
    lines = text.splitlines()
    there = lines[error.line - 1] if error.line is not None and error.line <= len(lines) else ""
    said, advice = texts.gettext(error.said), texts.gettext(error.advice)
    return Wrong(error.line, there, said % error.facts, advice % error.facts)


def origin_words(texts: Texts, version: ProductMapVersion) -> str:
    """Say where a version came from."""
    return texts.gettext(ORIGINS.get(version.origin, version.origin))


def _types(counting: ProductMap) -> set[str]:
    return {debit_type for codes in counting.branches.values() for debit_type in codes or {}}


def _lost(
    before: ProductMap, after: ProductMap, branches: Sequence[str], seen: Collection[str]
) -> Iterator[tuple[str, Sequence[str]]]:
    for debit_type in sorted(_types(before) | set(seen)):
        had = [name for name in branches if _cell(before, name, debit_type, missed=False).code is not None]
        lost = [name for name in had if _cell(after, name, debit_type, missed=True).missed]
        if lost:
            yield debit_type, lost


def _cell(counting: ProductMap, branch: str, debit_type: str, missed: bool) -> Cell:
    try:
        return Cell(counting.code(branch, debit_type), off=False, missed=False)
    except BranchOff:
        return Cell(None, off=True, missed=False)
    except NoProductCode:
        return Cell(None, off=False, missed=missed)
