# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements about what a payment leaves behind: events, seals, messages, credits and cases.

Those that every payment needs are built once: to build a statement takes longer than to run it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from tillbridge.domain.history import GENESIS, Event, following, seal
from tillbridge.domain.lifecycle import Booking
from tillbridge.service.store_port import Case, CaseKind, CreditState, Facts, Message, Placed, StoredCredit
from tillbridge.store import tables as t
from tillbridge.store.ordering import one_at_a_time

STRAY_MESSAGES_KEPT = 10_000
"""How many messages that belong to no payment are kept: a flood of forged reports must not fill the disk."""

STRAYS_DROPPED = 100
"""How many more there may be before the oldest are dropped."""

STRAY_BYTES_KEPT = 4096
"""How much of each of them is kept: more than any report of a till has."""

MESSAGES_KEPT = 100
"""How many messages of a payment are kept from each end: what came first tells most, what came last is news."""

DAYS_AT_ONCE = 4000
"""How many days are sealed in one transaction; what is left is sealed the next time."""


_DAY = timedelta(days=1)

_ID: BindParameter[str] = bindparam("of_payment")

_HISTORY = select(t.event).where(t.event.c.payment_id == _ID).order_by(t.event.c.seq)
_NEWEST = select(t.event).where(t.event.c.payment_id == _ID).order_by(t.event.c.seq.desc()).limit(1)
_APPEND = insert(t.event)
_BEHIND = (
    select(t.event).where(t.event.c.position > bindparam("place")).order_by(t.event.c.position).limit(bindparam("most"))
)


def append_event(connection: Connection, payment_id: str, at: float, actor: str, kind: str, facts: Facts) -> Event:
    """Add the next event to a payment's chain."""
    row = connection.execute(_NEWEST, {"of_payment": payment_id}).first()
    event = following(event_of(row) if row else None, payment_id, at, actor, kind, dict(facts))
    connection.execute(_APPEND, _event_row(event))
    return event


def history(connection: Connection, payment_id: str) -> tuple[tuple[Event, str], ...]:
    """Read a payment's events with their stored hashes."""
    rows = connection.execute(_HISTORY, {"of_payment": payment_id})
    return tuple((event_of(row), row.hash) for row in rows)


def events_after(connection: Connection, position: int, limit: int) -> tuple[Placed, ...]:
    """Read the events of all payments behind a place."""
    rows = connection.execute(_BEHIND, {"place": position, "most": limit})
    return tuple(Placed(row.position, event_of(row)) for row in rows)


def events_at(connection: Connection, positions: Sequence[int]) -> tuple[Placed, ...]:
    """Read the events at these places."""
    if not positions:
        return ()
    there = select(t.event).where(t.event.c.position.in_(positions)).order_by(t.event.c.position)
    return tuple(Placed(row.position, event_of(row)) for row in connection.execute(there))


def newest_event_at(connection: Connection) -> float:
    """Return the instant of the newest event, or 0."""
    return connection.execute(select(func.max(t.event.c.at))).scalar() or 0.0


def last_position(connection: Connection) -> int:
    """Return the place of the newest event, or 0."""
    return connection.execute(select(func.max(t.event.c.position))).scalar() or 0


def seal_missing(connection: Connection, until_day: date) -> int:
    """Seal every day (UTC) since the newest seal up to and with `until_day`; return how many.

    Without a seal it begins with the first event's day. A day on which nothing happened is sealed too, so that a
    missing seal always tells of one that was removed. A day before the newest seal is not gone back to.
    """
    newest = connection.execute(select(t.seal).order_by(t.seal.c.day.desc()).limit(1)).first()
    first = date.fromisoformat(newest.day) + _DAY if newest else _first_day(connection)
    if first is None or first > until_day:
        return 0
    previous, count = newest.hash if newest else GENESIS, min((until_day - first).days + 1, DAYS_AT_ONCE)
    for day in (first + n * _DAY for n in range(count)):
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        previous = day_seal(connection, previous, day.isoformat(), start.timestamp(), (start + _DAY).timestamp())
        connection.execute(insert(t.seal).values(day=day.isoformat(), hash=previous))
    return count


def _first_day(connection: Connection) -> date | None:
    first: float | None = connection.execute(select(func.min(t.event.c.at))).scalar()
    return None if first is None else datetime.fromtimestamp(first, UTC).date()


def day_seal(connection: Connection, previous: str, day: str, start: float, end: float) -> str:
    """Reckon a day's seal over every chain that grew in it, on top of the seal before."""
    last = (
        select(t.event.c.payment_id, func.max(t.event.c.seq).label("seq"))
        .where(t.event.c.at >= start, t.event.c.at < end)
        .group_by(t.event.c.payment_id)
        .subquery()
    )
    joined = t.event.join(last, (t.event.c.payment_id == last.c.payment_id) & (t.event.c.seq == last.c.seq))
    heads = connection.execute(select(t.event.c.payment_id, t.event.c.seq, t.event.c.hash).select_from(joined))
    return seal(previous, day, [(row.payment_id, row.seq, row.hash) for row in heads])


_KEEP = insert(t.message).returning(t.message.c.id)
_MESSAGES = select(t.message).where(t.message.c.payment_id == _ID).order_by(t.message.c.id)


def _last_kept(inwards: ColumnElement[int]) -> ScalarSelect[int]:
    own: Select[tuple[int]] = select(t.message.c.id).where(t.message.c.payment_id == _ID)
    return own.order_by(inwards).offset(bindparam("kept_but_one")).limit(1).scalar_subquery()


_DROP_MIDDLE = delete(t.message).where(
    t.message.c.payment_id == _ID,
    t.message.c.id > _last_kept(t.message.c.id),
    t.message.c.id < _last_kept(t.message.c.id.desc()),
)


def keep_message(connection: Connection, message: Message) -> None:
    """Store raw bytes of the wire, the first and the last of a payment where there are too many.

    Of those that belong to no payment, only the newest are kept, and of each only the beginning.
    """
    if message.payment_id is None:
        _drop_oldest_strays(connection, _insert_message(connection, message, message.raw[:STRAY_BYTES_KEPT]))
    else:
        _insert_message(connection, message, message.raw)
        connection.execute(_DROP_MIDDLE, {"of_payment": message.payment_id, "kept_but_one": MESSAGES_KEPT - 1})


def _insert_message(connection: Connection, message: Message, raw: bytes) -> int:
    row = {"payment_id": message.payment_id, "at": message.at, "direction": message.direction}
    return int(connection.execute(_KEEP, row | {"verdict": message.verdict, "raw": raw}).scalar_one())


def _drop_oldest_strays(connection: Connection, newest: int) -> None:
    """Drop what is too many, some at a time: there cannot be more strays than there are numbers between them."""
    stray = t.message.c.payment_id.is_(None)
    oldest = connection.execute(select(func.min(t.message.c.id)).where(stray)).scalar_one()
    if newest - oldest < STRAY_MESSAGES_KEPT + STRAYS_DROPPED:
        return
    newest_first = select(t.message.c.id).where(stray).order_by(t.message.c.id.desc())
    newest_dropped = connection.execute(newest_first.offset(STRAY_MESSAGES_KEPT).limit(1)).scalar()
    if newest_dropped is not None:
        connection.execute(delete(t.message).where(stray, t.message.c.id <= newest_dropped))


def messages(connection: Connection, payment_id: str) -> tuple[Message, ...]:
    """Read a payment's messages in order."""
    rows = connection.execute(_MESSAGES, {"of_payment": payment_id})
    return tuple(_message(row) for row in rows)


def newest_strays(connection: Connection, limit: int) -> tuple[Message, ...]:
    """Read the newest messages that belong to no payment, newest first."""
    strays = select(t.message).where(t.message.c.payment_id.is_(None)).order_by(t.message.c.id.desc())
    return tuple(_message(row) for row in connection.execute(strays.limit(limit)))


_CREDITS = select(t.credit).where(t.credit.c.payment_id == _ID).order_by(t.credit.c.n)
_CHANGE_CREDIT = update(t.credit).where(t.credit.c.payment_id == _ID, t.credit.c.n == bindparam("nth"))
_ADD_CREDIT = insert(t.credit)


def read_credits(connection: Connection, payment_id: str) -> tuple[StoredCredit, ...]:
    """Read a booking's credits in order."""
    rows = connection.execute(_CREDITS, {"of_payment": payment_id})
    return tuple(_credit(row) for row in rows)


def put_credit(connection: Connection, payment_id: str, credit: StoredCredit) -> None:
    """Store a credit, new or changed."""
    row = {
        "charge_ids": json.dumps(credit.charge_ids),
        "amount": str(credit.amount),
        "owed_before": json.dumps({key: str(value) for key, value in credit.owed_before.items()}),
        "state": credit.state,
        "sent_at": credit.sent_at,
        "ended": credit.ended,
        "credit_id": credit.credit_id,
        "keyed": credit.keyed,
    }
    if connection.execute(_CHANGE_CREDIT, row | {"of_payment": payment_id, "nth": credit.n}).rowcount == 0:
        connection.execute(_ADD_CREDIT, row | {"payment_id": payment_id, "n": credit.n})


def take_for_just_sent(connection: Connection, at: float) -> None:
    """Take every credit that is under way for sent at this instant, where it is later than what is stored.

    Not those of a payment in `booking`: whoever holds it knows, or whoever finds it takes it for sent at that instant.
    """
    held = select(t.payment.c.id).where(t.payment.c.booking == Booking.BOOKING)
    under_way = and_(t.credit.c.state == CreditState.SENT, t.credit.c.payment_id.not_in(held), t.credit.c.sent_at < at)
    connection.execute(update(t.credit).where(under_way).values(sent_at=at))


def open_case(
    connection: Connection, kind: CaseKind, payment_id: str | None, at: float, facts: Facts, others: Sequence[str]
) -> int | None:
    """Open a case that names other payments, and return its number; an open one of this kind names them instead."""
    known = [case for case in open_cases(connection, payment_id) if case.kind == kind] if payment_id else []
    if known:
        _name(connection, known[0].id, set(others).difference(known[0].other_payment_ids))
        return None
    row = {"kind": kind, "payment_id": payment_id, "opened_at": at, "facts": _json(facts)}
    case_id: int = connection.execute(insert(t.open_case).values(row).returning(t.open_case.c.id)).scalar_one()
    _name(connection, case_id, set(others))
    return case_id


def _name(connection: Connection, case_id: int, others: set[str]) -> None:
    rows = [{"case_id": case_id, "payment_id": other} for other in sorted(others)]
    if rows:
        connection.execute(insert(t.named_payment), rows)


def read_case(connection: Connection, case_id: int) -> Case | None:
    """Read a case."""
    found = read_cases(connection, _ONE, {"of_id": case_id})
    return found[0] if found else None


_CASES = select(t.open_case)


def with_names(cases: Select[Any], *, newest_first: bool = False) -> Select[Any]:
    """Return the statement that reads these cases with the payments that each of them names, in order."""
    page, name = cases.subquery(), t.named_payment
    by_id = page.c.id.desc() if newest_first else page.c.id
    named = page.outerjoin(name, name.c.case_id == page.c.id)
    return select(page, name.c.payment_id.label("other")).select_from(named).order_by(by_id, name.c.payment_id)


_OPEN = with_names(_CASES.where(t.open_case.c.closed_at.is_(None)))
_OPEN_OF_PAYMENT = with_names(_CASES.where(t.open_case.c.closed_at.is_(None), t.open_case.c.payment_id == _ID))
_OF_PAYMENT = with_names(_CASES.where(t.open_case.c.payment_id == _ID))
_STRAYS = with_names(_CASES.where(t.open_case.c.payment_id.is_(None), t.open_case.c.closed_at.is_(None)))
_ONE = with_names(_CASES.where(t.open_case.c.id == bindparam("of_id")))
_THAT_NAME = t.open_case.c.id.in_(select(t.named_payment.c.case_id).where(t.named_payment.c.payment_id == _ID))
_NAMING = with_names(_CASES.where(_THAT_NAME, t.open_case.c.closed_at.is_(None)))


def open_cases(connection: Connection, payment_id: str | None) -> tuple[Case, ...]:
    """List the open cases, oldest first."""
    if payment_id is None:
        return read_cases(connection, _OPEN)
    return read_cases(connection, _OPEN_OF_PAYMENT, {"of_payment": payment_id})


def cases_of(connection: Connection, payment_id: str) -> tuple[Case, ...]:
    """List all cases of a payment, oldest first."""
    return read_cases(connection, _OF_PAYMENT, {"of_payment": payment_id})


def stray_is_known(connection: Connection, reported_id: str) -> bool:
    """Tell whether a case is open for a report that named this id of no payment."""
    one_at_a_time(connection, f"stray {reported_id}")
    return any(case.facts.get("reported_id") == reported_id for case in read_cases(connection, _STRAYS))


def cases_naming(connection: Connection, payment_id: str) -> tuple[Case, ...]:
    """List the open cases of other payments that name this one."""
    return read_cases(connection, _NAMING, {"of_payment": payment_id})


def close_case(connection: Connection, case_id: int, at: float, by: str, resolution: str) -> None:
    """Close a case."""
    open_one = (t.open_case.c.id == case_id) & t.open_case.c.closed_at.is_(None)
    connection.execute(update(t.open_case).where(open_one).values(closed_at=at, closed_by=by, resolution=resolution))


def _json(facts: Facts) -> str:
    return json.dumps(dict(facts), sort_keys=True, ensure_ascii=False)


def _event_row(event: Event) -> dict[str, Any]:
    return {
        "payment_id": event.payment_id,
        "seq": event.seq,
        "at": event.at,
        "actor": event.actor,
        "kind": event.kind,
        "facts": _json(event.facts),
        "previous": event.previous,
        "hash": event.hash,
    }


def event_of(row: Any) -> Event:
    """Read an event from its row."""
    return Event(row.payment_id, row.seq, row.at, row.actor, row.kind, json.loads(row.facts), row.previous)


def _message(row: Any) -> Message:
    return Message(row.at, row.direction, row.verdict, row.raw, row.payment_id)


def _credit(row: Any) -> StoredCredit:
    return StoredCredit(
        n=row.n,
        charge_ids=tuple(json.loads(row.charge_ids)),
        amount=Decimal(row.amount),
        owed_before={key: Decimal(value) for key, value in json.loads(row.owed_before).items()},
        state=CreditState(row.state),
        sent_at=row.sent_at,
        ended=row.ended,
        credit_id=row.credit_id,
        keyed=bool(row.keyed),
    )


def read_cases(connection: Connection, cases: Select[Any], values: Mapping[str, Any] | None = None) -> tuple[Case, ...]:
    """Read the cases that a statement `with_names` is about, however many there are."""
    grouped = itertools.groupby(connection.execute(cases, values), key=lambda row: row.id)
    return tuple(_case([*rows]) for _, rows in grouped)


def _case(rows: Sequence[Any]) -> Case:
    row = rows[0]
    return Case(
        id=row.id,
        kind=CaseKind(row.kind),
        payment_id=row.payment_id,
        opened_at=row.opened_at,
        facts=json.loads(row.facts),
        other_payment_ids=tuple(named.other for named in rows if named.other is not None),
        closed_at=row.closed_at,
        closed_by=row.closed_by,
        resolution=row.resolution,
    )
