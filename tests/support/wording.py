# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold what the service says to how it is meant to be read: sentences by people, names in small letters by programs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from tillbridge.domain.lifecycle import Heard
from tillbridge.errors import Declined
from tillbridge.service.findings import Finding
from tillbridge.service.people_port import Deed
from tillbridge.store.transaction import SqlTransaction

_SENTENCE = re.compile(r"(?![a-z']+[ ,?])(?![A-Z]{2,}[a-z]).*[a-z]{2}.*", re.DOTALL)
"""Begins with one capital letter or with the name of something, and is not shouted."""
_PHRASE = re.compile(r"(?![A-Z]{2,}[a-z])(.*[a-z]|\d+$)", re.DOTALL)
"""Begins as words do, and is not shouted."""
_NEED_A_REASON = frozenset({Heard.GIVEN_UP, Heard.LOST, Heard.NEVER_SENT})
_ACTOR = re.compile(r"[a-z][a-z0-9_.@-]*")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Wording:
    """Collect what is said in a way that nobody should."""

    def __init__(self) -> None:
        self.mistakes: list[str] = []

    def sentence(self, text: str) -> None:
        """Expect a sentence for people."""
        if not _SENTENCE.fullmatch(text):
            self.mistakes.append(f"no sentence: {text!r}")

    def names(self, *names: str) -> None:
        """Expect names for programs."""
        self.mistakes += [f"no name: {name!r}" for name in names if not _NAME.fullmatch(name)]

    def declined(self, no: Declined) -> None:
        """Look at a use case's no."""
        self.names(no.code, *no.facts)
        self.sentence(no.message)

    def finding(self, finding: Finding) -> None:
        """Look at what a check has found."""
        self.names(*finding.facts)
        self.sentence(finding.words)
        if finding.remedy:
            self.sentence(finding.remedy)

    def deed(self, deed: Deed) -> None:
        """Look at what the journal is told."""
        self.names(*deed.facts)

    def event(self, payment_id: str, at: float, actor: str, kind: str, facts: Mapping[str, object]) -> None:
        """Look at what a payment's history is told."""
        self.actor(actor)
        self.names(kind, *facts)
        if "via" in facts:
            self.names(str(facts["via"]))
        self.reason(facts)
        if kind in _NEED_A_REASON and not facts.get("why"):
            self.mistakes.append(f"no reason: {kind}")

    def opened(
        self, kind: str, payment_id: str | None, at: float, facts: Mapping[str, object], others: Sequence[str] = ()
    ) -> None:
        """Look at what the list of open cases is told."""
        self.names(*facts)
        self.reason(facts)

    def closed(self, case_id: int, at: float, by: str, resolution: str) -> None:
        """Look at what is said of the end of a case."""
        self.actor(by)
        self.phrase(resolution)

    def actor(self, who: str) -> None:
        """Expect a part of the bridge, or an account as the tests have them: in small letters."""
        if not _ACTOR.fullmatch(who):
            self.mistakes.append(f"no actor: {who!r}")

    def reason(self, facts: Mapping[str, object]) -> None:
        """Expect a phrase where a reason is given."""
        if "why" in facts:
            self.phrase(str(facts["why"]))

    def phrase(self, text: str) -> None:
        """Expect words that are not shouted."""
        if not _PHRASE.match(text):
            self.mistakes.append(f"no phrase: {text!r}")


def listen(monkeypatch: pytest.MonkeyPatch, wording: Wording) -> None:
    """Hear all that is said from now on."""
    for told, hear in ((Declined, wording.declined), (Finding, wording.finding), (Deed, wording.deed)):
        monkeypatch.setattr(told, "__init__", _heard_after(told.__init__, hear))
    stored: dict[str, Callable[..., None]] = {
        "append_event": wording.event,
        "open_case": wording.opened,
        "close_case": wording.closed,
    }
    for name, hear_first in stored.items():
        monkeypatch.setattr(SqlTransaction, name, _heard_before(getattr(SqlTransaction, name), hear_first))


def _heard_before(store: Callable[..., Any], hear: Callable[..., None]) -> Callable[..., Any]:
    def stored(self: object, *told: Any, **named: Any) -> Any:
        hear(*told, **named)
        return store(self, *told, **named)

    return stored


def _heard_after(make: Callable[..., None], hear: Callable[[Any], None]) -> Callable[..., None]:
    def made(self: object, *told: Any, **named: Any) -> None:
        make(self, *told, **named)
        hear(self)

    return made
