# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP API for programs: payments, events, open cases, branches."""

from __future__ import annotations

from fastapi import APIRouter

from tillbridge.web.api import branches, cases, events, payments, refunds

api = APIRouter(prefix="/api/v1")
for _part in (payments, refunds, events, cases, branches):
    api.include_router(_part.routes)
