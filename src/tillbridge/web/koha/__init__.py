# SPDX-License-Identifier: GPL-3.0-or-later
"""What Koha's own pages load from the bridge, ask it, and hand over to it."""

from __future__ import annotations

from fastapi import APIRouter

from tillbridge.web.koha import open_payments, script

koha = APIRouter(include_in_schema=False)
koha.include_router(script.routes)
koha.include_router(open_payments.routes)
