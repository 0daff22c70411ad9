# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements about keys, answers given, product maps, switches and alarms."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, text, update

from tillbridge.service.administration_port import Alarm, Answered, ApiKey, BranchSwitch, ProductMapVersion, Scope
from tillbridge.store import tables as t

_OF_CHANNEL = t.alarm.c.channel == bindparam("of_channel")
_WAITS = (_OF_CHANNEL, t.alarm.c.done_at.is_(None))
# Built once: they are looked at every minute, for as long as a bridge runs.
_WAITING_ALARMS = select(t.alarm).where(*_WAITS).order_by(t.alarm.c.id).limit(bindparam("most"))
_LAST_ALARM = select(func.max(t.alarm.c.tried_at)).where(_OF_CHANNEL)


class AdministrationStatements:
    """Bind the statements to one connection with an open transaction."""

    _connection: Connection

    def add_api_key(self, key: ApiKey) -> None:
        row = {
            "id": key.id,
            "name": key.name,
            "hash": key.hash,
            "scopes": " ".join(sorted(key.scopes)),
            "branches": None if key.branches is None else json.dumps(sorted(key.branches)),
            "created_at": key.created_at,
            "created_by": key.created_by,
        }
        self._connection.execute(insert(t.api_key).values(row))

    def api_keys(self) -> tuple[ApiKey, ...]:
        rows = self._connection.execute(select(t.api_key).order_by(t.api_key.c.created_at, t.api_key.c.id))
        return tuple(_key(row) for row in rows)

    def api_key_with_hash(self, secret_hash: str) -> ApiKey | None:
        row = self._connection.execute(select(t.api_key).where(t.api_key.c.hash == secret_hash)).first()
        return _key(row) if row else None

    def withdraw_api_key(self, key_id: str, at: float, by: str) -> bool:
        valid = (t.api_key.c.id == key_id) & t.api_key.c.withdrawn_at.is_(None)
        change = update(t.api_key).where(valid).values(withdrawn_at=at, withdrawn_by=by)
        return self._connection.execute(change).rowcount == 1

    def answered(self, api_key_id: str, key: str) -> Answered | None:
        mine = (t.idempotency.c.api_key_id == api_key_id) & (t.idempotency.c.key == key)
        row = self._connection.execute(select(t.idempotency).where(mine)).first()
        return Answered(row.api_key_id, row.key, row.at, row.fingerprint, row.status, row.body) if row else None

    def keep_answer(self, answered: Answered) -> None:
        row = {
            "api_key_id": answered.api_key_id,
            "key": answered.key,
            "at": answered.at,
            "fingerprint": answered.fingerprint,
            "status": answered.status,
            "body": answered.body,
        }
        self._connection.execute(insert(t.idempotency).values(row))

    def forget_answers(self, before: float) -> None:
        self._connection.execute(delete(t.idempotency).where(t.idempotency.c.at < before))

    def hold_settings(self) -> None:
        # On SQLite there is one writer at a time.
        if self._connection.dialect.name == "postgresql":
            both = f"{t.product_map.name}, {t.branch_switch.name}"
            self._connection.execute(text(f"LOCK TABLE {both} IN SHARE ROW EXCLUSIVE MODE"))

    def add_product_map(self, at: float, by: str, origin: str, text: str) -> ProductMapVersion:
        row = {"at": at, "by": by, "origin": origin, "text": text}
        added = insert(t.product_map).values(row).returning(t.product_map.c.version)
        return ProductMapVersion(int(self._connection.execute(added).scalar_one()), at, by, origin, text)

    def product_map(self, version: int | None = None) -> ProductMapVersion | None:
        wanted = select(t.product_map).order_by(t.product_map.c.version.desc()).limit(1)
        if version is not None:
            wanted = wanted.where(t.product_map.c.version == version)
        row = self._connection.execute(wanted).first()
        return _version(row) if row else None

    def product_map_from(self, origin: str) -> ProductMapVersion | None:
        newest = select(t.product_map).where(t.product_map.c.origin == origin)
        row = self._connection.execute(newest.order_by(t.product_map.c.version.desc()).limit(1)).first()
        return _version(row) if row else None

    def product_map_versions(self, limit: int, before: int | None = None) -> tuple[ProductMapVersion, ...]:
        newest = select(t.product_map).order_by(t.product_map.c.version.desc()).limit(limit)
        if before is not None:
            newest = newest.where(t.product_map.c.version < before)
        return tuple(_version(row) for row in self._connection.execute(newest))

    def switch_branch(self, switch: BranchSwitch) -> None:
        row = {"branch": switch.branch, "at": switch.at, "by": switch.by, "on": switch.on, "reason": switch.reason}
        self._connection.execute(insert(t.branch_switch).values(row))

    def branch_switches(self) -> tuple[BranchSwitch, ...]:
        newest = select(func.max(t.branch_switch.c.id)).group_by(t.branch_switch.c.branch)
        rows = self._connection.execute(
            select(t.branch_switch).where(t.branch_switch.c.id.in_(newest)).order_by(t.branch_switch.c.branch)
        )
        return tuple(BranchSwitch(row.branch, row.at, row.by, row.on, row.reason) for row in rows)

    def add_alarm(self, case_id: int, channel: str) -> None:
        self._connection.execute(insert(t.alarm).values(case_id=case_id, channel=channel, attempts=0))

    def waiting_alarms(self, channel: str, limit: int) -> tuple[Alarm, ...]:
        rows = self._connection.execute(_WAITING_ALARMS, {"of_channel": channel, "most": limit})
        return tuple(Alarm(row.id, row.case_id, row.channel, row.attempts, row.tried_at) for row in rows)

    def last_alarm_at(self, channel: str) -> float | None:
        return self._connection.execute(_LAST_ALARM, {"of_channel": channel}).scalar()

    def alarm_tried(self, alarm_id: int, at: float, *, delivered: bool) -> None:
        tried = {"attempts": t.alarm.c.attempts + 1, "tried_at": at, "done_at": at if delivered else None}
        # Who slept while it told may say so when another one has told by then: that stays told.
        waits = (t.alarm.c.id == alarm_id) & t.alarm.c.done_at.is_(None)
        self._connection.execute(update(t.alarm).where(waits).values(tried))

    def end_alarm(self, alarm_id: int, at: float) -> None:
        self._connection.execute(update(t.alarm).where(t.alarm.c.id == alarm_id).values(done_at=at))


def _key(row: Any) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        hash=row.hash,
        scopes=frozenset(Scope(scope) for scope in row.scopes.split()),
        branches=None if row.branches is None else frozenset(json.loads(row.branches)),
        created_at=row.created_at,
        created_by=row.created_by,
        withdrawn_at=row.withdrawn_at,
        withdrawn_by=row.withdrawn_by,
    )


def _version(row: Any) -> ProductMapVersion:
    return ProductMapVersion(row.version, row.at, row.by, row.origin, row.text)
