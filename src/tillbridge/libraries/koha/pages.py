# SPDX-License-Identifier: GPL-3.0-or-later
"""Say how Koha's staff pages and the bridge lead to each other."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tillbridge.errors import WrongSetting
from tillbridge.libraries.koha.settings import Settings
from tillbridge.secret import read_secret
from tillbridge.service.library_pages import LibraryPages
from tillbridge.surroundings import Surroundings

ACCOUNT = "/cgi-bin/koha/members/boraccount.pl?borrowernumber={patron}"
_SECRET = re.compile(r"[0-9a-f]{64}")


def pages(settings: Settings, surroundings: Surroundings) -> LibraryPages | None:
    """Return what the settings say about Koha's pages, None where nothing; raise WrongSetting."""
    if settings.staff_address is None:
        return None
    known, place = surroundings.branches, surroundings.name
    _need_branches(settings.hide_confirm, known, (place, "hide_confirm"))
    _need_branches(tuple(settings.branches.values()), known, (place, "branches"))
    secrets = tuple(_secrets(settings, surroundings))
    hidden = frozenset(settings.hide_confirm)
    return LibraryPages(settings.staff_address, ACCOUNT, secrets, settings.branches, hidden)


def _secrets(settings: Settings, surroundings: Surroundings) -> Iterator[bytes]:
    """Read the secrets that there are, as they are keys: the bytes of their 64 digits, as the plugin takes them."""
    for name, places in settings.hand_over_places.items():
        if any(places):
            setting = (surroundings.name, name)
            secret = read_secret(setting, surroundings.folder, *places)
            if not _SECRET.fullmatch(secret):
                place = (*setting[:-1], f"{name}_{'file' if places[0] else 'variable'}")
                raise WrongSetting(
                    place, "a secret of the plugin is 64 digits 0-9 and a-f", "Copy it as the plugin shows it"
                )
            yield secret.encode()


def _need_branches(named: tuple[str, ...], known: tuple[str, ...], place: tuple[str, ...]) -> None:
    for branch in named:
        if branch not in known:
            remedy = f"Known are: {', '.join(known) or 'none'}"
            raise WrongSetting(place, f"there is no branch {branch} in the settings", remedy)
