# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the product map: the YAML that users of the Perl plugin know, read strictly and with line numbers.

branch → debit type → product code; ``Default`` for every other branch or type; a branch that is ``off`` or
``disabled``, or whose ``POSInterface`` is ``disabled``, is switched off. Codes are text: ``0123`` keeps its zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ruamel.yaml import YAML, MappingNode, Node, ScalarNode
from ruamel.yaml.error import YAMLError

from tillbridge.domain.product_map import ProductMap
from tillbridge.errors import SettingsError, WrongSetting

OFF = frozenset({"off", "disabled", "false", "no"})
INTERFACE = "POSInterface"
CODE_LIMIT = 25
NOT_IN_CODES = frozenset(";'")
"""What tills are known to stumble over, so that an adapter would take it out: the code would then be another one."""


def product_map_file(path: Path, place: Sequence[str] = ("bridge", "product_map")) -> str:
    """Return the text of a product map's file; raise WrongSetting, of what named it, where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        what = f"the product map {path} cannot be read"
        raise WrongSetting(place, what, "Check its path, rights and UTF-8") from error


def parse_product_map(text: str, name: str) -> ProductMap:
    """Read the product map from text; `name` stands for the file in errors."""
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except (YAMLError, ValueError, OverflowError) as error:  # the last two for escapes beyond Unicode
        what = f"this is not valid YAML: {' '.join(str(error).split())}"
        raise SettingsError(name, what, "Mend the line that is named") from error
    branches = {key.value: _branch(name, key, value) for key, value in _pairs(name, root, "branch: codes")}
    if not branches:
        raise SettingsError(name, "the product map is empty", "Map at least the branch Default")
    return ProductMap(branches)


def _branch(name: str, branch: ScalarNode, node: Node) -> dict[str, str] | None:
    if isinstance(node, ScalarNode) and node.value.lower() in OFF:
        return None
    pairs = [] if isinstance(node, ScalarNode) else _pairs(name, node, "debit type: product code")
    codes = {key.value: _code(name, key, value) for key, value in pairs}
    if codes.pop(INTERFACE, "").lower() in OFF:
        return None
    if not codes:
        raise _error(name, branch, f"branch {branch.value} has no codes", "List its debit types, or write: off")
    return codes


def _pairs(name: str, node: Node | None, form: str) -> list[tuple[ScalarNode, Node]]:
    if not isinstance(node, MappingNode):
        raise _error(name, node, "a mapping is expected here", f"Write it as {form}")
    pairs: dict[str, tuple[ScalarNode, Node]] = {}
    for key, value in node.value:
        if not isinstance(key, ScalarNode) or not key.value.strip():
            raise _error(name, key, "a name is expected here", f"Write it as {form}")
        if key.value in pairs:
            raise _error(name, key, f"{key.value} stands here twice", "Keep one of them")
        pairs[key.value] = (key, value)
    return list(pairs.values())


def _code(name: str, debit_type: ScalarNode, node: Node) -> str:
    if not isinstance(node, ScalarNode) or not node.value.strip():
        what = f"{debit_type.value} has no product code"
        raise _error(name, debit_type, what, "Write the till's product code behind it")
    code = str(node.value).strip()
    if len(code) > CODE_LIMIT or not code.isprintable() or set(code) & NOT_IN_CODES:
        remedy = f"A code has at most {CODE_LIMIT} characters, and no ; or '"
        raise _error(name, debit_type, f"{code!r} is no product code", remedy)
    return code


def _error(name: str, node: Node | None, what: str, remedy: str) -> SettingsError:
    line = node.start_mark.line + 1 if node is not None else 1
    return SettingsError(f"{name}, line {line}", what, remedy)
