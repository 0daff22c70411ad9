# SPDX-License-Identifier: GPL-3.0-or-later
"""Say a decision that waits for a second look, or has waited, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tillbridge.errors import Declined
from tillbridge.marking import marked
from tillbridge.service.people_port import Right
from tillbridge.service.resolving import Action
from tillbridge.service.second_look_port import Ending, SecondLook
from tillbridge.service.store_port import Case
from tillbridge.web.desk.case_choices import choice_of
from tillbridge.web.desk.patrons import patron_of
from tillbridge.web.desk.visit import Visit
from tillbridge.web.desk.words import actor_words

ENDINGS: Mapping[Ending, str] = {
    Ending.AGREED: marked("%(person)s agreed: the decision is carried out."),
    Ending.REFUSED: marked("%(person)s refused: nothing has changed."),
    Ending.WITHDRAWN: marked("%(person)s took the decision back: nothing has changed."),
    Ending.OVERTAKEN: marked("Something else happened first: the decision is not carried out."),
}
PATRON = marked("%(name)s, card %(number)s")
UNKNOWN_PATRON = marked("patron number %(number)s")


@dataclass(frozen=True, slots=True)
class ToldLook:
    """Hold a decision with its words and what this person can do about it; `ended` is empty while it waits."""

    look: SecondLook
    says: str
    follows: str
    ended: str
    own: bool
    may_agree: bool


def told_look(visit: Visit, case: Case | None, look: SecondLook) -> ToldLook:
    """Put a decision in words."""
    choice = choice_of(visit.texts, case, Action(look.action))
    own = look.person.strip().casefold() == visit.person.id.casefold()
    return ToldLook(look, choice.says, choice.follows, _ended(visit, look), own, not own and visit.may(Right.RESOLVE))


async def patron_named(visit: Visit, told: ToldLook | None) -> str:
    """Name the patron that a decision names, as the library system does; "" where it names none."""
    if told is None or told.look.patron_id is None or told.ended:
        return ""
    try:
        patron = await patron_of(visit, told.look.patron_id)
    except Declined:
        return visit.texts.gettext(UNKNOWN_PATRON) % {"number": told.look.patron_id}
    name = f"{patron.firstname} {patron.surname}".strip()
    return visit.texts.gettext(PATRON) % {"name": name, "number": patron.card_number}


def _ended(visit: Visit, look: SecondLook) -> str:
    if look.ending is None:
        return ""
    said = visit.texts.gettext(ENDINGS[look.ending])
    return said % {"person": actor_words(visit.texts, look.ended_by or "")}
