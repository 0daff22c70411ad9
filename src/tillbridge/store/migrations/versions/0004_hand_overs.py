# SPDX-License-Identifier: GPL-3.0-or-later
"""Hand-overs from the library system's own pages, and accounts that come from there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("person", sa.Column("origin", sa.String(length=16), nullable=True))
    op.add_column("person", sa.Column("origin_id", sa.String(length=80), nullable=True))
    op.create_index("uq_person_origin", "person", ["origin", "origin_id"], unique=True)
    op.create_table(
        "hand_over",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("at", sa.Float(precision=53), nullable=False),
        sa.Column("person_id", sa.String(length=80), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_hand_over_payment_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_hand_over_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hand_over")),
    )
    # What somebody may have to be told, and nobody has erased yet.
    where = sa.text("content <> ''")
    op.create_index("ix_hand_over_content", "hand_over", ["at"], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    op.drop_index("ix_hand_over_content", table_name="hand_over")
    op.drop_table("hand_over")
    op.drop_index("uq_person_origin", table_name="person")
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.drop_column("origin_id")
        batch_op.drop_column("origin")
