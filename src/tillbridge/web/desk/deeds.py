# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell one line of the journal: who, what, and what it was about, with the way there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tillbridge.marking import marked
from tillbridge.service.people_port import Deed, Person
from tillbridge.web.desk.staff_words import DECISIONS, DEEDS, branch_words, language_words, role_words
from tillbridge.web.desk.texts import Texts

FIRST = ("person", "payment", "case", "branch", "on", "action")
"""Which facts come first; the others come in the order in which they are kept."""

NOBODY = marked("a name that nobody has")

FIELDS: Mapping[str, str] = {
    "name": marked("Name: %(value)s"),
    "roles": marked("Roles: %(value)s"),
    "branches": marked("Branches: %(value)s"),
    "language": marked("Language: %(value)s"),
}
CHANGED = marked("%(value)s (before: %(old)s)")

PLAIN: Mapping[str, str] = {
    "source": marked("from the address %(value)s"),
    "reason": marked("reason: %(value)s"),
    "version": marked("version %(value)s"),
    "key": marked("key %(value)s"),
    "origin": marked("from the library system (%(value)s)"),
}
SWITCHED = {True: marked("switched on"), False: marked("switched off")}

LINKED: Mapping[str, tuple[str, str]] = {
    "payment": ("/payments/", marked("payment %(value)s")),
    "case": ("/cases/", marked("case %(value)s")),
}


@dataclass(frozen=True, slots=True)
class Detail:
    """Hold what a deed was about, and the page that shows it, where there is one."""

    text: str
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Teller:
    """Tell deeds to one reader."""

    texts: Texts
    people: Mapping[str, Person]
    branches: Mapping[str, str]

    def who(self, deed: Deed) -> str:
        """Name who did it: by the account's name, or as a command was told."""
        if not deed.person_id:
            return self.texts.gettext(NOBODY)
        known = self.people.get(deed.person_id)
        return known.name if known else deed.person_id

    def what(self, deed: Deed) -> str:
        """Say what was done."""
        return self.texts.gettext(DEEDS[deed.kind])

    def details(self, deed: Deed) -> list[Detail]:
        """Say what it was about; a fact that has no words here is shown as it is kept."""
        # None for branches means all of them; for anything else there is nothing to say.
        said = [(name, value) for name, value in deed.facts.items() if value is not None or name == "branches"]
        said.sort(key=lambda each: FIRST.index(each[0]) if each[0] in FIRST else len(FIRST))
        return [self._told(name, value) for name, value in said]

    def _told(self, name: str, value: object) -> Detail:
        gettext = self.texts.gettext
        if name in LINKED:
            path, words = LINKED[name]
            return Detail(gettext(words) % {"value": value}, f"{path}{value}")
        if name == "person":
            known = self.people.get(str(value))
            return Detail(known.name if known else str(value), f"/people/{value}" if known else None)
        if name in FIELDS:
            return Detail(gettext(FIELDS[name]) % {"value": self._field(name, value)})
        if name in PLAIN:
            return Detail(gettext(PLAIN[name]) % {"value": value})
        return Detail(self._other(name, value))

    def _other(self, name: str, value: object) -> str:
        match name, value:
            case "branch", str():
                return self.branches.get(value, value)
            case "on", bool():
                return self.texts.gettext(SWITCHED[value])
            case "action", str() if value in DECISIONS:
                return self.texts.gettext(next(words for action, words in DECISIONS.items() if action == value))
            case _:
                return f"{name}: {value}"

    def _field(self, name: str, value: object) -> str:
        """Say what a field of an account is, and what it was before."""
        if isinstance(value, dict) and value.keys() == {"from", "to"}:
            old, new = self._one(name, value["from"]), self._one(name, value["to"])
            return self.texts.gettext(CHANGED) % {"value": new, "old": old}
        return self._one(name, value)

    def _one(self, name: str, value: object) -> str:
        listed = [str(each) for each in value] if isinstance(value, list) else None
        match name:
            case "roles":
                return role_words(self.texts, listed or [])
            case "branches":
                return branch_words(self.texts, self.branches, listed)
            case "language":
                return language_words(self.texts, value if isinstance(value, str) else None)
            case _:
                return str(value)
