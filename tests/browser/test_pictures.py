# SPDX-License-Identifier: GPL-3.0-or-later
"""`make screenshots`: each picture is taken in each language on each of its screens."""

from __future__ import annotations

import struct
from pathlib import Path

from playwright.async_api import Browser, Page

from support.pictures import DARK, PHONE, PICTURES, Picture, take
from support.scenes import Scene


async def _health(page: Page, scene: Scene) -> None:
    del scene
    await page.goto("/health")


async def test_a_picture_is_taken_in_each_language_on_each_of_its_screens(
    browser: Browser, scene: Scene, tmp_path: Path
) -> None:
    files = await take(browser, scene, tmp_path / "new", [Picture("health", _health, (DARK, PHONE))])
    names = [f"health-{language}-{view}.png" for language in ("fi", "sv", "en") for view in ("dark", "phone")]
    assert [file.name for file in files] == names
    assert [_width(file) for file in files] == [1280, 375] * 3


def test_no_two_pictures_have_the_same_name() -> None:
    names = [picture.name for picture in PICTURES]
    assert len(set(names)) == len(names) > 0


def _width(file: Path) -> int:
    found: int = struct.unpack(">I", file.read_bytes()[16:20])[0]
    return found
