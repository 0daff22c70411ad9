# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a credit went out under a key of its own; what is stored before did not."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("credit", sa.Column("keyed", sa.Boolean(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("credit", schema=None) as batch_op:
        batch_op.drop_column("keyed")
