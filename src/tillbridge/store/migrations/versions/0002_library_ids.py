# SPDX-License-Identifier: GPL-3.0-or-later
"""The library system's own ids of who asked for a payment, and of its register."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payment", sa.Column("library_staff_id", sa.String(length=80), nullable=True))
    op.add_column("payment", sa.Column("library_register_id", sa.String(length=80), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("payment", schema=None) as batch_op:
        batch_op.drop_column("library_register_id")
        batch_op.drop_column("library_staff_id")
