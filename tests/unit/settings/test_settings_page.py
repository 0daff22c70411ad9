# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about the settings names every setting with its default, and none that is not there."""

from __future__ import annotations

import json
import re
from enum import Enum
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tillbridge.alarms import settings as alarm
from tillbridge.libraries.koha import settings as koha
from tillbridge.product_file import parse_product_map
from tillbridge.registers.ceepos import settings as ceepos
from tillbridge.registers.ceepos.request import ID_PLACEHOLDER
from tillbridge.service.ports import Limits
from tillbridge.settings import BranchSettings, BridgeSettings, DeskSettings, LimitSettings, Settings

PAGE = (Path(__file__).resolve().parents[3] / "docs/reference/settings.md").read_text(encoding="utf-8")
SECTIONS: dict[str, tuple[type[BaseModel], set[str]]] = {
    "The tables": (Settings, set()),
    "`[bridge]`": (BridgeSettings, set()),
    "`[branch.CODE]`": (BranchSettings, set()),
    "`[limits]`": (LimitSettings, set()),
    "`[alarm]`": (alarm.AlarmSettings, set()),
    "`[desk]`": (DeskSettings, set()),
    '`[register_server.NAME]` with `kind = "ceepos"`': (ceepos.Settings, {"kind"}),
    "`[register_server.NAME.branch.CODE]`": (ceepos.Branch, set()),
    '`[library]` with `kind = "koha"`': (koha.Settings, {"kind"}),
}
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.{5,}) \|$", re.MULTILINE)


def described(section: str) -> dict[str, str]:
    """Return the settings of a section with their defaults as the page has them."""
    (text,) = re.findall(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    rows = ROW.findall(text)
    assert len(rows) == len({name for name, _, _ in rows})
    return {name: default for name, default, _ in rows}


def default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    default = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(default, BaseModel):
        return "see there"
    if default in (None, "", {}, ()):
        return "–"  # noqa: RUF001 - the sign that the page uses
    if isinstance(default, Enum):
        return f"`{default.value}`"
    if isinstance(default, bool | tuple):
        return f"`{json.dumps(default)}`"  # which TOML writes alike
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_is_described_with_its_default_and_no_other_is(section: str) -> None:
    model, besides = SECTIONS[section]
    expected = {name: default_of(field) for name, field in model.model_fields.items()}
    page = described(section)
    assert page == expected | dict.fromkeys(besides, "needed")


def models() -> set[type[BaseModel]]:
    """Return every model of settings that there is in the modules that hold settings."""
    return {
        each
        for module in (ceepos, koha, alarm)
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, BaseModel) and each.__module__ == module.__name__
    }


def test_every_model_of_settings_has_its_section() -> None:
    assert models() <= {model for model, _ in SECTIONS.values()}


def test_the_limits_are_those_of_the_engine() -> None:
    assert set(LimitSettings.model_fields) <= set(Limits.__dataclass_fields__)
    assert LimitSettings().model_dump().items() <= {n: getattr(Limits(), n) for n in LimitSettings.model_fields}.items()


def test_the_example_of_a_product_map_can_be_read() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    products = parse_product_map(example, "example")
    assert (products.code("CPL", "OVERDUE"), products.code("CPL", "LOST")) == ("1001", "9000")


def test_the_page_names_the_placeholder_of_a_report_s_address() -> None:
    assert f"`{ID_PLACEHOLDER}`" in PAGE
