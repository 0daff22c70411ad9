# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep everything that must not be lost: tables, statements and transactions over SQLAlchemy Core."""
