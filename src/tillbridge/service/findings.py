# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check found: facts with a verdict and a remedy, the same for a terminal, a script and a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Level(StrEnum):
    """Say how good or bad a finding is; what cannot be checked is neither."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"
    NOT_CHECKABLE = "not_checkable"


class Check(StrEnum):
    """Name what is checked; the names are stable."""

    DATABASE = "database"
    PRODUCT_MAP = "product_map"
    DEBIT_TYPES = "debit_types"
    PRODUCT_CODES = "product_codes"
    LIBRARY_ANSWERS = "library_answers"
    LIBRARY_INTERFACE = "library_interface"
    LIBRARY_RIGHTS = "library_rights"
    LIBRARY_BRANCHES = "library_branches"
    PAYMENT_TYPE = "payment_type"
    REGISTER_ANSWERS = "register_answers"
    CLOCK = "clock"
    CERTIFICATE = "certificate"
    BRIDGE_RUNS = "bridge_runs"
    OWN_REPORT = "own_report"
    OUTSIDE_REPORT = "outside_report"


@dataclass(frozen=True, slots=True)
class Finding:
    """Hold one finding: `about` names the server or branch, `words` say it plainly, `remedy` what to do about it."""

    check: Check
    about: str
    level: Level
    words: str
    remedy: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)


def ok(check: Check, about: str, words: str, **facts: object) -> Finding:
    """State that all is well."""
    return Finding(check, about, Level.OK, words, facts=facts)


def warning(check: Check, about: str, words: str, remedy: str, **facts: object) -> Finding:
    """State that payments can go, and that somebody should look."""
    return Finding(check, about, Level.WARNING, words, remedy, facts)


def fault(check: Check, about: str, words: str, remedy: str, **facts: object) -> Finding:
    """State that payments will fail like this."""
    return Finding(check, about, Level.FAULT, words, remedy, facts)


def not_checkable(check: Check, about: str, words: str, remedy: str = "", **facts: object) -> Finding:
    """State that nobody can tell from here."""
    return Finding(check, about, Level.NOT_CHECKABLE, words, remedy, facts)


def worst(findings: Iterable[Finding]) -> Level:
    """Return the worst of the findings' levels; what cannot be checked makes nothing worse."""
    levels = {finding.level for finding in findings}
    return next((level for level in (Level.FAULT, Level.WARNING) if level in levels), Level.OK)
