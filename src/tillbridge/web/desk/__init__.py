# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages for the library's staff: made on the server, live by server-sent events."""

from __future__ import annotations

from tillbridge.web.desk import (
    case,
    cases,
    charges,
    check,
    front,
    hand_over,
    journal,
    me,
    patrons,
    payment,
    payments,
    people,
    products,
    receipts,
    refunds,
    second_looks,
    servers,
    settings,
    signing,
    versions,
    waiting,
)
from tillbridge.web.desk.routing import DeskRouter

desk = DeskRouter()
for _part in (
    signing,
    front,
    patrons,
    charges,
    hand_over,
    waiting,
    people,
    journal,
    me,
    payments,
    payment,
    refunds,
    receipts,
    settings,
    products,
    versions,
    check,
    servers,
    cases,
    case,
    second_looks,
):
    desk.include_router(_part.routes)
