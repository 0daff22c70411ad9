# SPDX-License-Identifier: GPL-3.0-or-later
"""Work out, once at start, where each branch's payments go and what proves the messages about them."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from tillbridge.errors import WrongSetting
from tillbridge.registers.ceepos.client import Target
from tillbridge.registers.ceepos.hashes import RequestOrder, version_of
from tillbridge.registers.ceepos.judge import Terms
from tillbridge.registers.ceepos.settings import Branch, Settings
from tillbridge.secret import read_secret

_Table = tuple[str, ...]
"""The place of a table, or of a setting in it, in the settings file."""

_Trust = tuple[Path | None, Path | None, Path | None]


@dataclass(frozen=True, slots=True)
class Place:
    """Say where a branch's payments go, how they are signed and what is believed."""

    target: Target
    order: RequestOrder
    terms: Terms


class Places:
    """Find a branch's place; a branch without settings of its own has the register server's."""

    def __init__(self, settings: Settings, name: str, folder: Path) -> None:
        self._version = version_of(settings.api_version)
        self._folder = folder
        self._contexts: dict[_Trust, ssl.SSLContext] = {}
        table = ("register_server", name)
        self._default = self._place(settings, table)
        self._own = {
            branch: self._place(own.over(settings), (*table, "branch", branch))
            for branch, own in settings.branch.items()
        }

    def of(self, branch: str) -> Place:
        """Return the place of a branch."""
        return self._own.get(branch, self._default)

    def targets(self) -> tuple[Target, ...]:
        """Return every distinct target."""
        return tuple(dict.fromkeys(place.target for place in self._all()))

    def terms(self) -> tuple[Terms, ...]:
        """Return every distinct pair of a source and its secrets."""
        return tuple(dict.fromkeys(place.terms for place in self._all()))

    def _all(self) -> tuple[Place, ...]:
        return (self._default, *self._own.values())

    def _place(self, branch: Branch, table: _Table) -> Place:
        assert branch.address is not None  # noqa: S101 - the register server's settings demand these three
        assert branch.source is not None  # noqa: S101 - as above
        assert branch.order is not None  # noqa: S101 - as above
        return Place(
            target=Target(branch.address, self._tls(branch, table)),
            order=branch.order,
            terms=Terms(branch.source, self._version, self._secrets(branch, table)),
        )

    def _secrets(self, branch: Branch, table: _Table) -> tuple[str, ...]:
        current = read_secret((*table, "secret"), self._folder, branch.secret_file, branch.secret_variable)
        file, variable = branch.previous_secret_file, branch.previous_secret_variable
        if file is None and variable is None:
            return (current,)
        previous = read_secret((*table, "previous_secret"), self._folder, file, variable)
        return tuple(dict.fromkeys((current, previous)))

    def _tls(self, branch: Branch, table: _Table) -> ssl.SSLContext | None:
        """Return one context for each set of files: places that share it count as one target."""
        if not (branch.address or "").lower().startswith("https:"):
            return None
        trust = (branch.ca_file, branch.client_certificate, branch.client_key)
        if trust not in self._contexts:
            self._contexts[trust] = _context(trust, table, self._folder)
        return self._contexts[trust]


def _context(trust: _Trust, table: _Table, folder: Path) -> ssl.SSLContext:
    """Make a context that verifies certificate and host name; a CA file replaces the system's authorities."""
    ca_file, certificate, key = (folder / path if path is not None else None for path in trust)
    context = _trusting(ca_file, (*table, "ca_file"))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        _identify(context, certificate, key, (*table, "client_certificate"))
    return context


def _trusting(ca_file: Path | None, place: _Table) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        remedy = "Name a PEM file with the certificate of the authority that signed the register server's"
        raise WrongSetting(place, f"the CA file {ca_file} cannot be used", remedy) from error


def _identify(context: ssl.SSLContext, certificate: Path, key: Path | None, place: _Table) -> None:
    try:
        context.load_cert_chain(certificate, key, password=_no_pass_phrase)
    except (OSError, ValueError) as error:
        remedy = "Name PEM files that belong together, and remove the pass phrase from the key"
        raise WrongSetting(place, f"the client certificate {certificate} cannot be used", remedy) from error


def _no_pass_phrase() -> str:
    """Keep OpenSSL from asking on the terminal: a service has no one to answer."""
    return ""
