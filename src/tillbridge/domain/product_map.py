# SPDX-License-Identifier: GPL-3.0-or-later
"""The product map turns a branch and a debit type into the till's product code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

DEFAULT: Final = "Default"


class NoProductCode(LookupError):  # noqa: N818 - reads as the sentence it is
    """Say that the map has no code for a debit type in a branch."""


class BranchOff(LookupError):  # noqa: N818 - reads as the sentence it is
    """Say that payments at the register are switched off for a branch."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Hold one entry in which two product maps differ; `before` is None where it is new, `after` where it is gone."""

    branch: str
    debit_type: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class ProductMap:
    """Hold branch → debit type → product code; `Default` stands for every other branch or type.

    A branch that is mapped to None is switched off. The nearest entry wins: the branch's own type, the branch's
    `Default`, then the type and the `Default` of the branch called `Default`.
    """

    branches: Mapping[str, Mapping[str, str] | None]

    def code(self, branch: str, debit_type: str) -> str:
        """Return the product code; raise BranchOff or NoProductCode."""
        for codes in self._blocks(branch):
            for key in (debit_type, DEFAULT):
                if key in codes:
                    return codes[key]
        raise NoProductCode(f"the product map has no code for {debit_type} in branch {branch}")

    def is_on(self, branch: str) -> bool:
        """Tell whether the branch is switched on."""
        return self.branches.get(branch, self.branches.get(DEFAULT)) is not None

    def entries(self) -> dict[tuple[str, str], str]:
        """Return every code by branch and debit type; a branch that is switched off has one entry that says so."""
        entries = {(branch, ""): "off" for branch, codes in self.branches.items() if codes is None}
        for branch, codes in self.branches.items():
            entries |= {(branch, debit_type): code for debit_type, code in (codes or {}).items()}
        return entries

    def _blocks(self, branch: str) -> list[Mapping[str, str]]:
        own = self.branches.get(branch, self.branches.get(DEFAULT))
        if own is None:
            raise BranchOff(f"payments at the register are switched off for branch {branch}")
        return [own, self.branches.get(DEFAULT) or {}]


def differences(old: ProductMap, new: ProductMap) -> tuple[Difference, ...]:
    """List the entries in which two product maps differ, by branch and debit type."""
    before, after = old.entries(), new.entries()
    changed = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    return tuple(Difference(*key, before.get(key), after.get(key)) for key in changed)
