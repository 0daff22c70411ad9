# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables. Amounts are integer cents or exact decimal text; times are seconds since 1970 in UTC."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""A number that the database counts up; SQLite knows one kind of whole number."""

payment = Table(
    "payment",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("library", String(40), nullable=False),
    Column("patron_id", String(80), nullable=False),
    Column("branch", String(40), nullable=False),
    Column("register_server", String(40), nullable=False),
    Column("register", String(40), nullable=False),
    Column("clerk", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("total_minor", Integer, nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("remarks", Text, nullable=False),
    Column("collection", String(16), nullable=False),
    Column("decided_by", String(16)),
    Column("booking", String(16), nullable=False),
    Column("receipt_number", Text),
    Column("collected_minor", Integer),
    Column("cancel_wished", Boolean, nullable=False),
    Column("library_staff_id", String(80)),
    Column("library_register_id", String(80)),
    Index("ix_payment_created_at", "created_at", "id"),
    Index("ix_payment_branch", "branch", "register", "created_at", "id"),
    # Clerks stay at few registers: with these in the index, a clerk is sought elsewhere without reading the payments.
    Index("ix_payment_clerk", "clerk", "created_at", "id", "branch", "register"),
    Index("ix_payment_patron_id", "patron_id", "created_at", "id"),
    Index("ix_payment_total_minor", "total_minor", "created_at", "id"),
    Index("ix_payment_receipt_number", "receipt_number", "created_at", "id"),
    Index("ix_payment_collection_booking", "collection", "booking", "created_at", "id"),
)

line = Table(
    "line",
    metadata,
    Column("payment_id", ForeignKey("payment.id"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("charge_id", String(80), nullable=False),
    Column("debit_type", String(80), nullable=False),
    Column("description", Text, nullable=False),
    Column("product_code", String(99), nullable=False),
    Column("amount_minor", Integer, nullable=False),
    Column("owed", String(40), nullable=False),
    Index("ix_line_charge_id", "charge_id"),
)

payer = Table(
    "payer",
    metadata,
    Column("payment_id", ForeignKey("payment.id"), primary_key=True),
    Column("surname", Text, nullable=False),
    Column("firstname", Text, nullable=False),
    Column("card_number", Text, nullable=False),
)

claim = Table(
    "claim",
    metadata,
    Column("library", String(40), primary_key=True),
    Column("charge_id", String(80), primary_key=True),
    Column("payment_id", ForeignKey("payment.id"), nullable=False, index=True),
)

event = Table(
    "event",
    metadata,
    # Where the event stands among those of all payments, for whoever follows the news.
    Column("position", _NUMBER, primary_key=True),
    Column("payment_id", ForeignKey("payment.id"), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("at", Float(53), nullable=False, index=True),
    Column("actor", String(200), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("facts", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("payment_id", "seq"),
    sqlite_autoincrement=True,
)

seal = Table(
    "seal",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("hash", String(64), nullable=False),
)

message = Table(
    "message",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("payment_id", ForeignKey("payment.id"), index=True),
    Column("at", Float(53), nullable=False),
    Column("direction", String(16), nullable=False),
    Column("verdict", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
)

task = Table(
    "task",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("payment_id", String(40), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("due_at", Float(53), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("lease_owner", String(80)),
    Column("lease_until", Float(53), nullable=False),
    # From when on it is wanted once more by somebody who found it leased.
    Column("again_at", Float(53)),
    UniqueConstraint("payment_id", "kind"),
    Index("ix_task_kind_due_at", "kind", "due_at"),
    # A task's number is never given again: who still works on a dropped task must not end the next one.
    sqlite_autoincrement=True,
)

patron_lock = Table(
    "patron_lock",
    metadata,
    Column("library", String(40), primary_key=True),
    Column("patron_id", String(80), primary_key=True),
    Column("payment_id", ForeignKey("payment.id"), nullable=False),
)

credit = Table(
    "credit",
    metadata,
    Column("payment_id", ForeignKey("payment.id"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("charge_ids", Text, nullable=False),
    Column("amount", String(40), nullable=False),
    Column("owed_before", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("sent_at", Float(53)),
    Column("ended", Boolean, nullable=False),
    Column("credit_id", String(80)),
    Column("keyed", Boolean),
)

refund = Table(
    "refund",
    metadata,
    Column("payment_id", ForeignKey("payment.id"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("owed_again", Boolean, nullable=False),
    Column("branch", String(40), nullable=False),
    Column("register_server", String(40), nullable=False),
    Column("register", String(40), nullable=False),
    Column("asked_by", String(200), nullable=False),
    Column("asked_at", Float(53), nullable=False),
    Column("reason", Text, nullable=False),
    Column("receipt_number", Text),
    Column("given_back_by", String(200)),
    Column("given_back_at", Float(53)),
    Column("library_staff_id", String(80)),
    Column("library_register_id", String(80)),
    Index("ix_refund_receipt_number", "receipt_number"),
)

refund_line = Table(
    "refund_line",
    metadata,
    Column("payment_id", String(40), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("charge_id", String(80), primary_key=True),
    Column("amount_minor", Integer, nullable=False),
    Column("exact", String(40), nullable=False),
    Column("credit_n", Integer, nullable=False),
    ForeignKeyConstraint(["payment_id", "n"], ["refund.payment_id", "refund.n"]),
)

open_case = Table(
    "open_case",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("payment_id", ForeignKey("payment.id"), index=True),
    Column("opened_at", Float(53), nullable=False),
    Column("facts", Text, nullable=False),
    Column("closed_at", Float(53)),
    Column("closed_by", String(200)),
    Column("resolution", Text),
    Index(
        "ix_open_case_open",
        "opened_at",
        sqlite_where=text("closed_at IS NULL"),
        postgresql_where=text("closed_at IS NULL"),
    ),
    Index(
        "uq_open_case_payment_kind",
        "payment_id",
        "kind",
        unique=True,
        sqlite_where=text("closed_at IS NULL"),
        postgresql_where=text("closed_at IS NULL"),
    ),
)

named_payment = Table(
    "named_payment",
    metadata,
    # A case's other payments: those whose screens say so too.
    Column("case_id", ForeignKey("open_case.id"), primary_key=True),
    Column("payment_id", ForeignKey("payment.id"), primary_key=True, index=True),
)

second_look = Table(
    "second_look",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("case_id", ForeignKey("open_case.id")),
    Column("payment_id", ForeignKey("payment.id"), index=True),
    Column("action", String(16), nullable=False),
    Column("person", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("receipt_number", Text),
    Column("patron_id", String(80)),
    Column("wished_at", Float(53), nullable=False),
    Column("ended_at", Float(53)),
    Column("ended_by", String(200)),
    Column("ending", String(16)),
    Column("ending_reason", Text),
    Index(
        "uq_second_look_case_id",
        "case_id",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    Index(
        "uq_second_look_payment_id",
        "payment_id",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    # A number is never given again: who agrees late must not agree to another decision.
    sqlite_autoincrement=True,
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(80), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("scopes", Text, nullable=False),
    Column("branches", Text),
    Column("created_at", Float(53), nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("withdrawn_at", Float(53)),
    Column("withdrawn_by", String(200)),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("api_key_id", String(16), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("at", Float(53), nullable=False, index=True),
    Column("fingerprint", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
)

product_map = Table(
    "product_map",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("at", Float(53), nullable=False),
    Column("by", String(200), nullable=False),
    Column("origin", String(16), nullable=False),
    Column("text", Text, nullable=False),
    sqlite_autoincrement=True,
)

branch_switch = Table(
    "branch_switch",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("branch", String(40), nullable=False, index=True),
    Column("at", Float(53), nullable=False),
    Column("by", String(200), nullable=False),
    Column("on", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    sqlite_autoincrement=True,
)

alarm = Table(
    "alarm",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("case_id", ForeignKey("open_case.id"), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("tried_at", Float(53)),
    Column("done_at", Float(53)),
    UniqueConstraint("case_id", "channel"),
    Index("ix_alarm_channel", "channel", "tried_at"),
    Index(
        "ix_alarm_waiting",
        "channel",
        "id",
        sqlite_where=text("done_at IS NULL"),
        postgresql_where=text("done_at IS NULL"),
    ),
)

person = Table(
    "person",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("name", String(80), nullable=False),
    Column("roles", Text, nullable=False),
    Column("branches", Text),
    Column("language", String(2)),
    Column("password_hash", Text, nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("password_changed_at", Float(53), nullable=False),
    Column("withdrawn_at", Float(53)),
    Column("withdrawn_by", String(200)),
    Column("origin", String(16)),
    Column("origin_id", String(80)),
    Index("uq_person_origin", "origin", "origin_id", unique=True),
)

hand_over = Table(
    "hand_over",
    metadata,
    # The token's own number (jti): it is taken once.
    Column("id", String(64), primary_key=True),
    Column("at", Float(53), nullable=False),
    Column("person_id", ForeignKey("person.id"), nullable=False),
    Column("content", Text, nullable=False),
    Column("payment_id", ForeignKey("payment.id")),
    Index(
        "ix_hand_over_content",
        "at",
        sqlite_where=text("content <> ''"),
        postgresql_where=text("content <> ''"),
    ),
)

session = Table(
    "session",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("person_id", ForeignKey("person.id"), nullable=False, index=True),
    Column("csrf", String(64), nullable=False),
    Column("began_at", Float(53), nullable=False),
    Column("ends_at", Float(53), nullable=False, index=True),
)

deed = Table(
    "deed",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("at", Float(53), nullable=False),
    # No reference: who works on the command line needs no account.
    Column("person_id", String(200), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("facts", Text, nullable=False),
    Index("ix_deed_person_id", "person_id", "id"),
    sqlite_autoincrement=True,
)
