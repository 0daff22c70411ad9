# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo library: an embedded stand-in for Koha, with its measured quirks, faults to order, and a page."""

from tillbridge.simulators.library.app import build_app
from tillbridge.simulators.library.book import Book
from tillbridge.simulators.library.demo_data import seed_demo
from tillbridge.simulators.library.serving import serving
from tillbridge.simulators.library.settings import EVERY_RIGHT, DemoLibrarySettings, StaffAccount

__all__ = ["EVERY_RIGHT", "Book", "DemoLibrarySettings", "StaffAccount", "build_app", "seed_demo", "serving"]
