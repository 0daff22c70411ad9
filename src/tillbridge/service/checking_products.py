# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge the product map: which one counts, and whether every debit type has a product code in every branch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from tillbridge.domain.product_map import DEFAULT, NoProductCode, ProductMap
from tillbridge.errors import SettingsError
from tillbridge.service.administration_port import BranchSwitch, ProductMapVersion
from tillbridge.service.checking_port import DebitTypes, NotAllowed, StoredReader
from tillbridge.service.findings import Check, Finding, fault, not_checkable, ok, warning
from tillbridge.service.installation import Installation
from tillbridge.service.library_port import Unavailable
from tillbridge.service.products import FILE
from tillbridge.service.store_port import Transaction

BRIDGE = "bridge"


@dataclass(frozen=True, slots=True)
class Stored:
    """Hold what a bridge has stored that a check needs; nothing where there is no database yet."""

    debit_types: frozenset[str] = frozenset()
    counting: ProductMapVersion | None = None
    from_file: ProductMapVersion | None = None
    switches: Mapping[str, BranchSwitch] = field(default_factory=dict)


async def look_at_store(reader: StoredReader) -> tuple[Stored, Finding]:
    """Read what is stored."""
    check = Check.DATABASE
    try:
        if not await reader.is_there():
            return Stored(), ok(check, BRIDGE, "There is no database yet: the bridge makes it when it is started.")
        return await reader.read(_stored), ok(check, BRIDGE, "It can be read.")
    except SettingsError as error:
        return Stored(), fault(check, BRIDGE, f"{error.where}: {error.what}.", f"{error.remedy}.")


def _stored(tx: Transaction) -> Stored:
    switches = {switch.branch: switch for switch in tx.branch_switches()}
    return Stored(tx.debit_types(), tx.product_map(), tx.product_map_from(FILE), switches)


def look_at_products(
    installation: Installation, stored: Stored, listed: DebitTypes | NotAllowed | Unavailable
) -> Iterator[Finding]:
    """Find the product map that counts, and look every debit type up in it for every branch."""
    counting, found = _product_map(installation, stored)
    yield from found
    types = _known_types(installation, stored, listed)
    yield judge_types(types, listed)
    if counting is None:
        return
    yield from judge_map_branches(counting, installation.branches)
    for branch in installation.branches:
        yield judge_codes(branch, counting, types, stored.switches.get(branch))


def _product_map(installation: Installation, stored: Stored) -> tuple[ProductMap | None, tuple[Finding, ...]]:
    file, check = installation.map_text, Check.PRODUCT_MAP
    if isinstance(file, SettingsError):
        wrong = fault(check, file.where, f"{file.what}. No product map is taken up from it.", f"{file.remedy}.")
        counting = _parsed(installation, stored.counting) if stored.counting else None
        return counting, (wrong,)
    if file is not None and (stored.from_file is None or stored.from_file.text != file):
        return installation.parse(file, "product map"), (_new_file(stored.counting),)
    if stored.counting is None:
        return None, (fault(check, BRIDGE, "There is no product map.", "Name its file: [bridge] product_map."),)
    version = stored.counting
    words = f"Version {version.version} counts, from {version.by}."
    return _parsed(installation, version), (ok(check, BRIDGE, words, version=version.version),)


def _new_file(counting: ProductMapVersion | None) -> Finding:
    if counting is None:
        return ok(Check.PRODUCT_MAP, BRIDGE, "The file is right; it counts as soon as the bridge is started.")
    words = f"The file has changed and is right, but version {counting.version} counts until the bridge takes it up."
    return warning(Check.PRODUCT_MAP, BRIDGE, words, "Start the bridge again. What follows is about the file.")


def _parsed(installation: Installation, version: ProductMapVersion) -> ProductMap:
    """Read a stored text; it was read and found right before it was stored."""
    return installation.parse(version.text, f"product map {version.version}")


@dataclass(frozen=True, slots=True)
class KnownTypes:
    """Hold debit types: those that are charged for sure, and those that every such library system begins with."""

    sure: frozenset[str]
    usual: frozenset[str]
    seen: int
    named: int


def _known_types(
    installation: Installation, stored: Stored, listed: DebitTypes | NotAllowed | Unavailable
) -> KnownTypes:
    codes = frozenset(listed.codes) if isinstance(listed, DebitTypes) else frozenset[str]()
    sure = stored.debit_types | installation.debit_types
    if isinstance(listed, DebitTypes) and listed.whole:
        sure |= codes
    return KnownTypes(sure, codes - sure, len(stored.debit_types), len(installation.debit_types))


def judge_types(types: KnownTypes, listed: DebitTypes | NotAllowed | Unavailable) -> Finding:
    """Say how much is known of what the library charges for."""
    check, about = Check.DEBIT_TYPES, "library"
    known = f"{types.seen} seen on charges and {types.named} named to this check"
    remedy = "Name the debit types of the library's own to this check."
    match listed:
        case DebitTypes(codes, whole=True):
            return ok(check, about, f"The library system lists {len(codes)} debit types.")
        case DebitTypes(codes) if types.named:
            return ok(check, about, f"Looked up are {len(codes)} usual ones, {known}.")
        case DebitTypes(codes):
            words = f"The library system does not list its own. Looked up are {len(codes)} usual ones, {known}."
            return not_checkable(check, about, words, remedy)
        case NotAllowed(right):
            words = f"The bridge's account may not list them without the right {right}. Looked up are {known}."
            return not_checkable(check, about, words, remedy)
        case Unavailable(why):  # the last case
            words = f"They cannot be listed: {why}. Looked up are {known}."
            return not_checkable(check, about, words, remedy)


def judge_map_branches(counting: ProductMap, branches: Collection[str]) -> Iterator[Finding]:
    """Warn of branches in the product map that the settings do not have: a slip of the pen, perhaps."""
    for name in counting.branches:
        if name != DEFAULT and name not in branches:
            words = f"The product map has a branch {name}, and the settings do not."
            yield warning(Check.PRODUCT_CODES, f"branch {name}", words, "Correct it in one of the two.")


def judge_codes(branch: str, counting: ProductMap, types: KnownTypes, switch: BranchSwitch | None) -> Finding:
    """Judge whether each debit type has a product code in a branch."""
    check, about = Check.PRODUCT_CODES, f"branch {branch}"
    if not counting.is_on(branch):
        return ok(check, about, "The product map switches it off: it takes no payments.", on=False)
    codes = {debit_type: _code(counting, branch, debit_type) for debit_type in sorted(types.sure | types.usual)}
    facts = {"on": switch is None or switch.on, "codes": codes}
    off = "" if facts["on"] else " The branch is switched off."
    missing = [debit_type for debit_type, code in codes.items() if code is None]
    if not missing:
        return ok(check, about, f"All {len(codes)} debit types that are known have a product code.{off}", **facts)
    remedy = "Add them to the product map, or a Default for every other type."
    surely = [debit_type for debit_type in missing if debit_type in types.sure]
    if surely:
        words = f"{', '.join(surely)} cannot be paid at the till: no product code.{off}"
        return fault(check, about, words, remedy, **facts)
    words = f"{', '.join(missing)} could not be paid at the till if they were ever charged: no product code.{off}"
    return warning(check, about, words, remedy, **facts)


def _code(counting: ProductMap, branch: str, debit_type: str) -> str | None:
    try:
        return counting.code(branch, debit_type)
    except NoProductCode:
        return None
