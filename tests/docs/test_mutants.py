# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
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
        "score": "60.0 %",
        "score_where_types_say_nothing": "50.0 %",
        "modules": {
            "tillbridge.domain.money": {"mutants": 4, "found_by_types": 1, "found_by_tests": 2, "not_found": 1},
            "tillbridge.service.keys": {"mutants": 1, "found_by_types": 0, "found_by_tests": 0, "not_found": 1},
        },
    }
