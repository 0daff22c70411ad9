# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the product map: the YAML that users of the Perl plugin know, read strictly and with line numbers.

branch → debit type → product code; ``Default`` for every other branch or type; a branch that is ``off`` or
``disabled``, or whose ``POSInterface`` is ``disabled``, is switched off. Codes are text: ``0123`` keeps its zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ruamel.yaml import YAML, MappingNode, Node, ScalarNode
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from tillbridge.domain.product_map import ProductMap
from tillbridge.errors import WrongProductMap, WrongSetting
from tillbridge.marking import marked

OFF = frozenset({"off", "disabled", "false", "no"})
INTERFACE = "POSInterface"
CODE_LIMIT = 25
_WRITE_IT = marked("Write it as %(form)s")
_MEND_IT = marked(
    "Mend this line or the one above it: names of the same kind begin in the same column, "
    "behind each stands a colon and a blank, and there are no tabs"
)
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
    """Read the product map from text; `name` stands for the file in errors. Raise WrongProductMap."""
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    # ValueError and OverflowError are for escapes beyond Unicode, RecursionError for brackets without end.
    except (YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise _no_yaml(name, error) from error
    branches = {key.value: _branch(name, key, value) for key, value in _pairs(name, root, "branch: codes")}
    if not branches:
        raise WrongProductMap(name, None, marked("the product map is empty"), marked("Map at least the branch Default"))
    return ProductMap(branches)


def _branch(name: str, branch: ScalarNode, node: Node) -> dict[str, str] | None:
    if isinstance(node, ScalarNode) and node.value.lower() in OFF:
        return None
    pairs = [] if isinstance(node, ScalarNode) else _pairs(name, node, "debit type: product code")
    codes = {key.value: _code(name, key, value) for key, value in pairs}
    if codes.pop(INTERFACE, "").lower() in OFF:
        return None
    if not codes:
        what, remedy = marked("branch %(branch)s has no codes"), marked("List its debit types, or write: off")
        raise _error(name, branch, what, remedy, branch=branch.value)
    return codes


def _pairs(name: str, node: Node | None, form: str) -> list[tuple[ScalarNode, Node]]:
    if not isinstance(node, MappingNode):
        raise _error(name, node, marked("a mapping is expected here"), _WRITE_IT, form=form)
    pairs: dict[str, tuple[ScalarNode, Node]] = {}
    for key, value in node.value:
        if not isinstance(key, ScalarNode) or not key.value.strip():
            raise _error(name, key, marked("a name is expected here"), _WRITE_IT, form=form)
        if key.value in pairs:
            raise _error(name, key, marked("%(key)s stands here twice"), marked("Keep one of them"), key=key.value)
        pairs[key.value] = (key, value)
    return list(pairs.values())


def _code(name: str, debit_type: ScalarNode, node: Node) -> str:
    if not isinstance(node, ScalarNode) or not node.value.strip():
        what, remedy = marked("%(type)s has no product code"), marked("Write the till's product code behind it")
        raise _error(name, debit_type, what, remedy, type=debit_type.value)
    code = str(node.value).strip()
    if len(code) > CODE_LIMIT or not code.isprintable() or set(code) & NOT_IN_CODES:
        what, remedy = (
            marked("%(code)s is no product code"),
            marked("A code has at most %(most)s characters, and no ; or '"),
        )
        raise _error(name, debit_type, what, remedy, code=repr(code), most=str(CODE_LIMIT))
    return code


def _error(name: str, node: Node | None, what: str, remedy: str, **facts: str) -> WrongProductMap:
    line = node.start_mark.line + 1 if node is not None else 1
    return WrongProductMap(name, line, what, remedy, **facts)


def _no_yaml(name: str, error: Exception) -> WrongProductMap:
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    why = error.problem if isinstance(error, MarkedYAMLError) and error.problem else str(error)
    line = None if mark is None else mark.line + 1
    return WrongProductMap(name, line, marked("this is not valid YAML: %(why)s"), _MEND_IT, why=" ".join(why.split()))
