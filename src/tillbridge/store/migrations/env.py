# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell Alembic which connection and which tables to use."""

from __future__ import annotations

from alembic import context

from tillbridge.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
