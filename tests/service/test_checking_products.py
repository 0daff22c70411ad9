# SPDX-License-Identifier: GPL-3.0-or-later
"""Which product map counts, and whether every debit type has a product code in every branch."""

from __future__ import annotations

from typing import Any

import pytest

from support.fake_checks import AWAY
from support.installations import NoStore, installation_of
from support.worlds import Bench
from tillbridge.errors import SettingsError
from tillbridge.service.administration_port import BranchSwitch
from tillbridge.service.checking_port import DebitTypes, NotAllowed
from tillbridge.service.checking_products import look_at_products, look_at_store
from tillbridge.service.findings import Check, Finding, Level
from tillbridge.service.library_port import Unavailable

USUAL = DebitTypes(("LOST", "OVERDUE"), whole=False)
OWN = DebitTypes(("LOST", "OVERDUE"), whole=True)
TWO_CODES = "Default:\n  LOST: 2000\n  OVERDUE: 1000\n"


async def found_in(bench: Bench, listed: Any = USUAL, **changes: Any) -> dict[str, Finding]:
    """Look, and return the findings by what they are about and which check."""
    installation = installation_of(bench, **changes)
    stored, _ = await look_at_store(installation.stored)
    findings = look_at_products(installation, stored, listed)
    return {f"{finding.check} {finding.about}": finding for finding in findings}


async def keep(bench: Bench, text: str, origin: str = "file") -> None:
    await bench.store.write(lambda tx: tx.add_product_map(1.0, "settings file", origin, text))


async def test_a_database_that_is_not_there_yet_is_as_it_should_be() -> None:
    stored, found = await look_at_store(NoStore())
    assert (found.check, found.level, stored.counting) == (Check.DATABASE, Level.OK, None)
    assert "no database yet" in found.words


async def test_a_database_that_cannot_be_read_is_a_fault_with_its_remedy() -> None:
    stored, found = await look_at_store(NoStore(SettingsError("bridge.db", "it cannot be read", "Look at its rights")))
    assert (found.level, found.words, found.remedy) == (
        Level.FAULT,
        "bridge.db: it cannot be read.",
        "Look at its rights.",
    )
    assert stored.debit_types == frozenset()


async def test_every_type_with_a_code_is_well_and_its_code_is_told(bench: Bench) -> None:
    found = (await found_in(bench, map_text=TWO_CODES))["product_codes branch CPL"]
    assert (found.level, found.facts) == (Level.OK, {"on": True, "codes": {"LOST": "2000", "OVERDUE": "1000"}})


async def test_a_usual_type_without_a_code_is_a_warning_that_names_it(bench: Bench) -> None:
    found = (await found_in(bench, map_text="Default:\n  OVERDUE: 1000\n"))["product_codes branch CPL"]
    assert (found.level, found.words.split()[0]) == (Level.WARNING, "LOST")
    assert found.remedy
    assert found.facts == {"on": True, "codes": {"LOST": None, "OVERDUE": "1000"}}


@pytest.mark.parametrize("how", ["listed", "named", "seen"])
async def test_a_type_that_the_library_surely_charges_for_is_a_fault_without_a_code(bench: Bench, how: str) -> None:
    if how == "seen":
        bench.library.add_charge("1", "5", debit_type="LOST")
        await bench.start()
    named = frozenset({"LOST"}) if how == "named" else frozenset[str]()
    listed = OWN if how == "listed" else DebitTypes(("OVERDUE",), whole=False)
    found = await found_in(bench, listed, map_text="Default:\n  OVERDUE: 1000\n", debit_types=named)
    assert found["product_codes branch CPL"].level is Level.FAULT
    assert "LOST cannot be paid at the till" in found["product_codes branch CPL"].words
    assert found["product_codes branch CPL"].facts["codes"] == {"LOST": None, "OVERDUE": "1000"}


async def test_all_that_the_library_lists_named_or_charged_is_looked_up(bench: Bench) -> None:
    bench.library.add_charge("1", "5", debit_type="LOST")
    await bench.start()
    found = await found_in(bench, DebitTypes(("COPY",), whole=True), map_text=TWO_CODES, debit_types=frozenset({"OWN"}))
    codes = {"COPY": None, "LOST": "2000", "OWN": None}
    assert found["product_codes branch CPL"].facts["codes"] == codes
    assert found["product_codes branch CPL"].words == "COPY, OWN cannot be paid at the till: no product code."


async def test_a_default_is_a_code_for_everything(bench: Bench) -> None:
    found = await found_in(bench, map_text="Default:\n  Default: 9000\n", debit_types=frozenset({"OWN"}))
    assert found["product_codes branch CPL"].facts["codes"] == dict.fromkeys(("LOST", "OVERDUE", "OWN"), "9000")


async def test_each_branch_of_the_settings_is_looked_up_by_itself(bench: Bench) -> None:
    found = await found_in(bench, map_text="CPL:\n  Default: 1\nOFF:\n  LOST: 2\n")
    assert found["product_codes branch CPL"].level is Level.OK
    assert found["product_codes branch OFF"].level is Level.WARNING


async def test_a_branch_that_the_map_switches_off_needs_no_codes(bench: Bench) -> None:
    found = (await found_in(bench, map_text=f"{TWO_CODES}CPL: off\n"))["product_codes branch CPL"]
    assert (found.level, found.facts) == (Level.OK, {"on": False})


async def test_a_branch_that_a_person_switched_off_is_still_looked_up_and_said_to_be_off(bench: Bench) -> None:
    await bench.store.write(lambda tx: tx.switch_branch(BranchSwitch("CPL", 1.0, "eeva", False, "moving")))
    await bench.store.write(lambda tx: tx.switch_branch(BranchSwitch("OFF", 1.0, "eeva", True, "moved")))
    found = await found_in(bench, map_text="Default:\n  LOST: 1\n")
    assert "The branch is switched off." in found["product_codes branch CPL"].words
    assert "switched off" not in found["product_codes branch OFF"].words


async def test_a_branch_of_the_map_that_the_settings_do_not_have_is_warned_of(bench: Bench) -> None:
    found = await found_in(bench, map_text=f"{TWO_CODES}CLP:\n  LOST: 1\n")
    assert found["product_codes branch CLP"].level is Level.WARNING


async def test_without_any_product_map_nothing_is_looked_up(bench: Bench) -> None:
    found = await found_in(bench, map_text=None)
    assert found["product_map bridge"].level is Level.FAULT
    assert not [name for name in found if name.startswith("product_codes")]


async def test_the_file_counts_from_the_first_start_on(bench: Bench) -> None:
    found = (await found_in(bench, map_text=TWO_CODES))["product_map bridge"]
    assert (found.level, "as soon as the bridge is started" in found.words) == (Level.OK, True)


async def test_the_version_that_counts_is_the_one_that_is_looked_up(bench: Bench) -> None:
    await keep(bench, TWO_CODES)
    await keep(bench, "Default:\n  Default: 5\n", origin="api")
    found = await found_in(bench, map_text=TWO_CODES)
    assert found["product_map bridge"].facts == {"version": 2}
    assert found["product_codes branch CPL"].facts["codes"] == {"LOST": "5", "OVERDUE": "5"}


async def test_a_file_that_changed_since_is_looked_up_and_said_not_to_count_yet(bench: Bench) -> None:
    await keep(bench, "Default:\n  Default: 5\n")
    found = await found_in(bench, map_text=TWO_CODES)
    assert found["product_map bridge"].level is Level.WARNING
    assert "version 1 counts" in found["product_map bridge"].words
    assert found["product_codes branch CPL"].facts["codes"] == {"LOST": "2000", "OVERDUE": "1000"}


async def test_without_a_file_the_stored_version_counts(bench: Bench) -> None:
    await keep(bench, TWO_CODES, origin="api")
    assert (await found_in(bench, map_text=None))["product_map bridge"].facts == {"version": 1}


BAD = SettingsError("products.yaml, line 3", "LOST stands here twice", "Keep one of them")


async def test_a_bad_file_is_a_fault_and_the_stored_version_goes_on_counting(bench: Bench) -> None:
    await keep(bench, TWO_CODES)
    found = await found_in(bench, map_text=BAD)
    wrong = found["product_map products.yaml, line 3"]
    assert (wrong.level, wrong.remedy) == (Level.FAULT, "Keep one of them.")
    assert wrong.words.startswith("LOST stands here twice.")
    assert found["product_codes branch CPL"].level is Level.OK


async def test_a_bad_file_before_the_first_start_leaves_nothing_to_look_up(bench: Bench) -> None:
    assert [*await found_in(bench, map_text=BAD)] == ["product_map products.yaml, line 3", "debit_types library"]


TYPES = [
    (OWN, False, Level.OK),
    (USUAL, False, Level.NOT_CHECKABLE),
    (USUAL, True, Level.OK),
    (NotAllowed("parameters"), False, Level.NOT_CHECKABLE),
    (AWAY, True, Level.NOT_CHECKABLE),
]


@pytest.mark.parametrize(("listed", "named", "level"), TYPES)
async def test_it_is_said_how_much_is_known_of_what_is_charged_for(
    bench: Bench, listed: DebitTypes | NotAllowed | Unavailable, named: bool, level: Level
) -> None:
    types = frozenset({"OWN"}) if named else frozenset[str]()
    found = (await found_in(bench, listed, map_text=TWO_CODES, debit_types=types))["debit_types library"]
    assert found.level is level
    assert bool(found.remedy) == (level is Level.NOT_CHECKABLE)
    if listed is not OWN:
        assert f"0 seen on charges and {int(named)} named to this check" in found.words
