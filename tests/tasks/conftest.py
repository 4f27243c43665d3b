"""A real executor, and small benchmark files in every format."""

import json
import os
from pathlib import Path

import pytest

from code_envs.execution.local import LocalExecutor


@pytest.fixture(scope="session")
def executor():
    with LocalExecutor(2) as opened:
        yield opened


@pytest.fixture
def data_folder():
    value = os.environ.get("CODE_ENVS_DATA")
    if not value:
        pytest.skip("CODE_ENVS_DATA is not set: it names the folder with the benchmark files")
    return Path(value)


HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": 'def double(n: int) -> int:\n    """Return twice n.\n    >>> double(2)\n    4\n    """\n',
    "entry_point": "double",
    "canonical_solution": "    return 2 * n\n",
    "test": "def check(candidate):\n" + "".join(f"    assert candidate({n}) == {2 * n}\n" for n in range(6)),
}
PACK = {
    "task_id": "Python/0",
    "prompt": HUMANEVAL["prompt"],
    "declaration": "def double(n: int) -> int:\n",
    "canonical_solution": "    return 2 * n\n",
    "buggy_solution": "    return n\n",
    "docstring": "Return twice n.\n>>> double(2)\n4",
    "entry_point": "double",
    "test": "def check(double):\n"
    + "".join(f"    assert double({n}) == {2 * n}\n" for n in range(6))
    + "\ncheck(double)",
    "example_test": "def check(double):\n    assert double(9) == 18\ncheck(double)\n",
}
PACK_JAVASCRIPT = {
    "task_id": "JavaScript/0",
    "prompt": "",
    "declaration": "const twice = (n) => n + n\n\nconst double = (n) => {\n",
    "canonical_solution": "  return twice(n)\n}\n\n",
    "buggy_solution": "  return n\n}\n\n",
    "docstring": "Return twice n.",
    "entry_point": "double",
    "test": "const testDouble = () => {\n"
    + "".join(f"  console.assert(double({n}) === {2 * n})\n" for n in range(6))
    + "}\n\ntestDouble()\n",
    "example_test": "const testDouble = () => {\n  console.assert(\n    double(9) === 18\n  )\n}\ntestDouble()\n",
}
MBPP_FULL = {
    "task_id": 7,
    "text": "Write a function to add two numbers.",
    "code": "def helper(x):\r\n    return x\r\n\r\ndef add(a, b):\r\n    return helper(a) + b",
    "test_list": ["assert add(1, 2) == 3", "assert add(0, 0) == 0", "assert add(5, 5) == 10"],
    "test_setup_code": "",
    "challenge_test_list": ["assert add(-1, 1) == 0"],
}
MBPP_SANITIZED = {
    "task_id": 8,
    "prompt": "Write a function to halve a number.",
    "code": "def halve(x):\n    return x / 2",
    "test_imports": ["import math"],
    "test_list": [
        "assert math.isclose(halve(3), 1.5, rel_tol=0.001)",
        "assert math.isclose(halve(4), 2, rel_tol=0.001)",
        "assert math.isclose(halve(5), 2.5, rel_tol=0.001)",
    ],
}


@pytest.fixture
def write(tmp_path):
    """Write records as JSON lines and return the path."""

    def written(records, name="tasks.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return path

    return written
