# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

LISTED = """
    tillbridge.domain.money.x_minor_of__mutmut_1: killed
    tillbridge.domain.money.x_minor_of__mutmut_2: survived
    tillbridge.domain.money.x_minor_of__mutmut_3: timeout
    tillbridge.domain.money.x_minor_of__mutmut_4: not checked
    tillbridge.domain.money.x_minor_of__mutmut_5: caught by type check
    tillbridge.service.keys.xǁKeysǁfind__mutmut_1: no tests
"""
SCRIPT = """
import json, sys
sys.path.insert(0, "bench")
import mutants
print(json.dumps(mutants.document(dict(mutants.verdicts(sys.stdin)))))
"""


def test_what_no_test_fails_for_is_counted_as_not_found(repository: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=repository, check=True, input=LISTED, capture_output=True, text=True
    )
    assert json.loads(shown.stdout) == {
        "mutants": 5,
        "found_by_types": 1,
        "found_by_tests": 2,
        "not_found": 2,
        "not_tried": 1,
        "score": "60.0 %",
        "score_where_types_say_nothing": "50.0 %",
        "modules": {
            "tillbridge.domain.money": {"mutants": 4, "found_by_types": 1, "found_by_tests": 2, "not_found": 1},
            "tillbridge.service.keys": {"mutants": 1, "found_by_types": 0, "found_by_tests": 0, "not_found": 1},
        },
    }


def test_whoever_found_a_change_of_a_function_begins_at_its_next_change(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "test_three.py").write_text(
        "def test_a():\n    pass\ndef test_b():\n    assert not FAILS\ndef test_c():\n    pass\nFAILS = True\n"
    )
    (tmp_path / "finders").mkdir()

    def ran(mutant: str) -> list[str]:
        environment = os.environ | {
            "MUTANT_UNDER_TEST": mutant,
            "PYTEST_PLUGINS": "mutants_order",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": str(repository / "bench"),
            "TILLBRIDGE_MUTANT_FINDERS": str(tmp_path / "finders"),
        }
        command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "test_three.py"]
        shown = subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
        return re.findall(r"::test_(\w) (?:PASSED|FAILED)", shown.stdout)

    assert ran("stats") == ["a", "b", "c"]
    assert ran("tillbridge.domain.money.x_minor_of__mutmut_1") == ["a", "b", "c"]
    assert ran("tillbridge.domain.money.x_minor_of__mutmut_2") == ["b", "a", "c"]
    assert ran("tillbridge.domain.money.x_rounded__mutmut_1") == ["b", "a", "c"]
    assert ran("tillbridge.domain.refund.x_left_of__mutmut_1") == ["a", "b", "c"]


def test_what_was_not_found_is_forgotten_to_be_tried_again_and_nothing_else(repository: Path, tmp_path: Path) -> None:
    kept = tmp_path / "mutants/src/money.py.meta"
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps({"exit_code_by_key": {"killed": 1, "survived": 0, "no tests": 33, "typed": 37}, "x": 1}))
    script = "import sys; sys.path.insert(0, 'bench'); import mutants; from pathlib import Path; "
    script += "mutants.TREE = Path(sys.argv[1]); mutants.forget_what_was_not_found()"
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=repository, check=True)
    codes = {"killed": 1, "survived": None, "no tests": None, "typed": 37}
    assert json.loads(kept.read_text()) == {"exit_code_by_key": codes, "x": 1}
