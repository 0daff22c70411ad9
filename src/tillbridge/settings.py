# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the settings: one strict TOML file and the product map; every error names file, line and remedy."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from tillbridge.alarms.settings import AlarmSettings
from tillbridge.errors import SettingsError, WrongSetting

M = TypeVar("M", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _address(text: str) -> str:
    if not re.fullmatch(r"https?://[^/?#@;\s]+(/[^?#;\s]*)?", text) or not text.isprintable():
        raise ValueError("give an address such as https://bridge.example.fi, with no user, blank, ?, # or ;")
    return text


class BridgeSettings(_Strict):
    """Say where the bridge listens and keeps its data."""

    public_address: Annotated[str, AfterValidator(_address)]
    database: str = "tillbridge.db"
    database_password_file: Path | None = None
    database_password_variable: str | None = None
    product_map: Path | None = Path("products.yaml")
    host: str = "127.0.0.1"
    port: int = Field(default=8470, ge=0, le=65535, strict=True)
    api_key_file: Path | None = None
    api_key_variable: str | None = None


class BranchSettings(_Strict):
    """Say which register server a branch uses, what people call it, and which registers stand there (number → name).

    `library_registers` says which of the library system's own registers a register is (number → id).
    """

    register_server: str
    name: str = ""
    registers: dict[str, str] = Field(default_factory=dict)
    library_registers: dict[str, Annotated[str, Field(min_length=1, max_length=80)]] = Field(default_factory=dict)


class LimitSettings(_Strict):
    """Change time limits, in seconds; what is not named keeps its start value."""

    reach_s: float = Field(default=60.0, gt=0, le=3600, strict=True)
    at_register_s: float = Field(default=600.0, gt=0, le=86400, strict=True)
    ask_s: float = Field(default=600.0, gt=0, le=86400, strict=True)
    remind_s: float = Field(default=180.0, gt=0, le=86400, strict=True)
    surely_ended_s: float = Field(default=600.0, ge=600, le=86400, strict=True)


def _none_twice(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("name each of them once")
    return names


Languages = Annotated[tuple[Literal["fi", "sv", "en"], ...], Field(min_length=1), AfterValidator(_none_twice)]
RefundRoles = Annotated[
    tuple[Literal["clerk", "supervisor", "bookkeeper", "administrator"], ...], AfterValidator(_none_twice)
]


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("this system knows no such time zone; give one such as Europe/Helsinki") from error
    return name


class DeskSettings(_Strict):
    """Say how the pages for people behave; the first language is the one that they begin with."""

    session_h: float = Field(default=12.0, gt=0, le=24, strict=True)
    second_look: bool = Field(default=False, strict=True)
    languages: Languages = ("fi", "sv", "en")
    time_zone: Annotated[str, AfterValidator(_time_zone)] = "Europe/Helsinki"
    refund_roles: RefundRoles = ("supervisor",)


class Settings(_Strict):
    """Hold the whole file; adapters validate their own tables."""

    bridge: BridgeSettings
    library: dict[str, Any]
    register_server: dict[str, dict[str, Any]]
    branch: dict[str, BranchSettings]
    limits: LimitSettings = LimitSettings()
    alarm: AlarmSettings = AlarmSettings()
    desk: DeskSettings = DeskSettings()


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """Hold validated settings with where they came from, so that later errors can name the line."""

    path: Path
    text: str
    settings: Settings

    @property
    def folder(self) -> Path:
        """Return the folder that relative paths start from."""
        return self.path.parent

    def error(self, place: Sequence[str], what: str, remedy: str) -> SettingsError:
        """Make an error that names file and line."""
        return _error(self.path, self.text, place, what, remedy)

    @contextmanager
    def placing(self, place: Sequence[str] = ()) -> Iterator[None]:
        """Add file and line to what is told inside: to a wrong setting by its own place, to all else by this one."""
        try:
            yield
        except WrongSetting as wrong:
            raise self.error(wrong.place, f"{wrong.where}: {wrong.what}", wrong.remedy) from wrong
        except SettingsError as wrong:
            if not place:
                raise
            raise self.error(place, f"{'.'.join(place)}: {wrong.where}: {wrong.what}", wrong.remedy) from wrong

    def validated(self, model: type[M], table: Mapping[str, Any], place: Sequence[str]) -> M:
        """Validate an adapter's own table."""
        return _validated(self.path, self.text, model, table, place)


def read_settings(path: Path) -> SettingsFile:
    """Read and validate a settings file; raise SettingsError."""
    text = _text(path)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(str(path), f"this is not valid TOML: {error}", "Mend the line that is named") from error
    settings = _validated(path, text, Settings, document, ())
    file = SettingsFile(path, text, settings)
    for name, branch in settings.branch.items():
        if branch.register_server not in settings.register_server:
            known = ", ".join(settings.register_server) or "none"
            what = f"there is no register server {branch.register_server}"
            raise file.error(("branch", name, "register_server"), what, f"Known are: {known}")
    return file


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SettingsError(str(path), "there is no such file", "Name the settings file with --settings") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            str(path), "the file cannot be read", "Check its path, rights and that it is UTF-8"
        ) from error


def _validated(path: Path, text: str, model: type[M], table: Mapping[str, Any], place: Sequence[str]) -> M:
    try:
        return model.model_validate(table)
    except ValidationError as error:
        told = error.errors(include_url=False, include_input=False)
        # What a slip of the pen has made is told before what is missing because of it.
        first = next((each for each in told if each["type"] == "extra_forbidden"), told[0])
        where = (*place, *(str(part) for part in first["loc"]))
        raise _error(path, text, where, *_plain(first["type"], first["msg"], where)) from None


def _plain(kind: str, message: str, where: Sequence[str]) -> tuple[str, str]:
    name = ".".join(where)
    match kind:
        case "extra_forbidden":
            return f"{name} is not a setting", "Remove it, or look for a slip of the pen"
        case "missing":
            return f"{name} is missing", "Add it"
        case _:
            return f"{name}: {message.removeprefix('Value error, ')}", "Mend the value"


def _error(path: Path, text: str, place: Sequence[str], what: str, remedy: str) -> SettingsError:
    return SettingsError(f"{path}, line {_line_of(text, place)}", what, remedy)


def _line_of(text: str, place: Sequence[str]) -> int:
    """Return the line of the setting, or of the nearest table around it."""
    table: tuple[str, ...] = ()
    best, depth = 1, 0
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line):
            table = _keys(header.group(1))
            here = table
        elif key := re.match(r"\s*((?:\"[^\"]*\"|'[^']*'|[A-Za-z0-9_. -])+?)\s*=", line):
            here = table + _keys(key.group(1))
        else:
            continue
        shared = min(len(here), len(place))
        if shared > depth and here[:shared] == tuple(place[:shared]):
            best, depth = number, shared
    return best


def _keys(dotted: str) -> tuple[str, ...]:
    return tuple("".join(parts) for parts in re.findall(r"\"([^\"]*)\"|'([^']*)'|([A-Za-z0-9_-]+)", dotted))
