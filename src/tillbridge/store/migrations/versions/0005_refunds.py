# SPDX-License-Identifier: GPL-3.0-or-later
"""Refunds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "refund",
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("owed_again", sa.Boolean(), nullable=False),
        sa.Column("branch", sa.String(length=40), nullable=False),
        sa.Column("register_server", sa.String(length=40), nullable=False),
        sa.Column("register", sa.String(length=40), nullable=False),
        sa.Column("asked_by", sa.String(length=200), nullable=False),
        sa.Column("asked_at", sa.Float(precision=53), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("receipt_number", sa.Text(), nullable=True),
        sa.Column("given_back_by", sa.String(length=200), nullable=True),
        sa.Column("given_back_at", sa.Float(precision=53), nullable=True),
        sa.Column("library_staff_id", sa.String(length=80), nullable=True),
        sa.Column("library_register_id", sa.String(length=80), nullable=True),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_refund_payment_id")),
        sa.PrimaryKeyConstraint("payment_id", "n", name=op.f("pk_refund")),
    )
    with op.batch_alter_table("refund", schema=None) as batch_op:
        batch_op.create_index("ix_refund_receipt_number", ["receipt_number"], unique=False)
    op.create_table(
        "refund_line",
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("charge_id", sa.String(length=80), nullable=False),
        sa.Column("amount_minor", sa.Integer(), nullable=False),
        sa.Column("exact", sa.String(length=40), nullable=False),
        sa.Column("credit_n", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["payment_id", "n"], ["refund.payment_id", "refund.n"], name=op.f("fk_refund_line_payment_id")
        ),
        sa.PrimaryKeyConstraint("payment_id", "n", "charge_id", name=op.f("pk_refund_line")),
    )


def downgrade() -> None:
    op.drop_table("refund_line")
    op.drop_table("refund")
