"""Every format is read as documented, and what is wrong with a file is named."""

import gzip
import json

import pytest
from conftest import HUMANEVAL, MBPP_FULL, MBPP_SANITIZED, PACK, PACK_JAVASCRIPT

from code_envs.errors import ConfigurationError, TaskError
from code_envs.execution.executor import Limits
from code_envs.tasks import builtin_programs, humaneval, humanevalpack, mbpp, quixbugs


def solves(task, source, executor):
    """Whether a program passes the reward tests and the held-out tests."""
    limits = task.limits(Limits())
    return tuple(
        suite.run(source.encode(), executor, limits).all_passed for suite in (task.reward_tests, task.held_out_tests)
    )


# --- HumanEval ---------------------------------------------------------------------------------------


def test_humaneval(write, executor):
    (task,) = tasks = humaneval.load(write([HUMANEVAL]), executor)
    assert (tasks.name, tasks.licence, tasks.ids) == ("humaneval-v0", "MIT", ("humaneval-v0/HumanEval/0",))
    assert (task.entry_point, task.start, task.steps) == ("double", None, 1010)
    assert task.description == "Return twice n.\n>>> double(2)\n4"
    assert task.reward_tests.descriptions == ("double(0) == 0", "double(2) == 4", "double(3) == 6", "double(4) == 8")
    assert task.held_out_tests.descriptions == ("double(1) == 2", "double(5) == 10")
    assert solves(task, task.reference, executor) == (True, True)
    assert solves(task, "def double(n):\n    return n\n", executor) == (False, False)
    assert sum(map(len, tasks.splits.values())) == 1


def test_humaneval_gzipped(tmp_path, executor):
    path = tmp_path / "tasks.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(HUMANEVAL).encode(), mtime=0))
    assert len(humaneval.load(path, executor)) == 1


def test_items_that_do_not_certify_are_left_out_with_the_reason(write, executor):
    wrong = {**HUMANEVAL, "task_id": "HumanEval/1", "canonical_solution": "    return n\n"}
    weak = {**HUMANEVAL, "task_id": "HumanEval/2", "test": "def check(candidate):\n    assert True\n"}
    none = {
        **HUMANEVAL,
        "task_id": "HumanEval/3",
        "canonical_solution": "    return None\n",
        "test": "def check(candidate):\n    assert candidate(1) is None\n",
    }
    tasks = humaneval.load(write([HUMANEVAL, wrong, weak, none]), executor)
    assert tasks.ids == ("humaneval-v0/HumanEval/0",)
    reasons = {key.rpartition("/")[2]: value for key, value in tasks.left_out.items()}
    assert reasons["1"] == "the reference fails reward test 1 (double(2) == 4): value"
    assert reasons["2"] == "the test code has no assert about the function"
    assert reasons["3"] == "a function that returns None passes every reward test"


def test_a_file_without_a_usable_item_is_an_error(write, executor):
    with pytest.raises(TaskError, match=r"No task of 'humaneval-v0' certifies.*no assert about the function"):
        humaneval.load(write([{**HUMANEVAL, "test": "pass"}]), executor)


def test_limit_reads_the_first_items(write, executor):
    records = [{**HUMANEVAL, "task_id": f"HumanEval/{number}"} for number in range(3)]
    assert len(humaneval.load(write(records), executor, limit=2)) == 2


# --- HumanEvalPack -----------------------------------------------------------------------------------


def test_humanevalpack(write, executor):
    (task,) = tasks = humanevalpack.load(write([PACK]), executor)
    assert tasks.ids == ("humanevalpack-python-v0/Python/0",)
    assert task.reference == "def double(n: int) -> int:\n    return 2 * n\n"
    assert task.start == "def double(n: int) -> int:\n    return n\n"
    assert task.description.startswith("Return twice n.")
    assert "double(9) == 18" in task.reward_tests.descriptions
    assert "double(9) == 18" not in task.held_out_tests.descriptions
    assert solves(task, task.reference, executor) == (True, True)
    assert not solves(task, task.start, executor)[0]


def test_humanevalpack_without_examples(write, executor):
    (task,) = humanevalpack.load(write([{**PACK, "example_test": ""}]), executor)
    assert len(task.reward_tests) == 4


def test_faulty_program_that_fails_only_one_test_fails_a_reward_test(write, executor):
    """Test 1 would be held out; the offset moves."""
    (task,) = humanevalpack.load(write([{**PACK, "buggy_solution": "    return 2 * n if n != 1 else 0\n"}]), executor)
    assert "double(1) == 2" in task.reward_tests.descriptions
    assert not solves(task, task.start, executor)[0]


def test_faulty_program_that_passes_everything_is_left_out(write, executor):
    right = {**PACK, "task_id": "Python/1", "buggy_solution": "    return n + n\n"}
    tasks = humanevalpack.load(write([PACK, right]), executor)
    assert tasks.left_out == {"humanevalpack-python-v0/Python/1": "the faulty program passes every reward test"}


def test_endless_faulty_program_certifies_quickly(write, executor):
    (task,) = humanevalpack.load(write([{**PACK, "buggy_solution": "    while True:\n        pass\n"}]), executor)
    outcome = executor.run(task.reward_tests.job(task.start.encode(), task.limits(Limits())))
    assert outcome.cpu_s < 1.0


def test_humanevalpack_in_javascript(write, executor):
    (task,) = tasks = humanevalpack.load(write([PACK_JAVASCRIPT]), executor)
    assert tasks.ids == ("humanevalpack-javascript-v0/JavaScript/0",)
    assert (task.language, task.steps, task.entry_point) == ("javascript", None, "double")
    assert task.reward_tests.descriptions == (
        "double(0) === 0",
        "double(2) === 4",
        "double(3) === 6",
        "double(4) === 8",
        "double(9) === 18",
    )
    assert task.held_out_tests.descriptions == ("double(1) === 2", "double(5) === 10")
    assert solves(task, task.reference, executor) == (True, True)
    assert solves(task, task.start, executor) == (False, False)
    assert not any(task.reward_tests.run(b"", executor, Limits()).passed)


def test_humanevalpack_entry_in_another_case(write, executor):
    """As in JavaScript/114."""
    (task,) = humanevalpack.load(write([{**PACK_JAVASCRIPT, "entry_point": "dOuble"}]), executor)
    assert task.entry_point == "double"


def test_humanevalpack_package_that_no_sandbox_has(write, executor):
    """As in JavaScript/162: a stand-in of Node's own gives the same digests."""
    body = "  if (text == '') { return null }\n  var md5 = require('js-md5')\n  return md5(%s)\n}\n"
    record = {
        **PACK_JAVASCRIPT,
        "declaration": "const hashed = (text) => {\n",
        "canonical_solution": body % "text",
        "buggy_solution": body % "'text'",
        "entry_point": "hashed",
        "test": "console.assert(hashed('password') === '5f4dcc3b5aa765d61d8327deb882cf99')",
        "example_test": "",
    }
    (task,) = humanevalpack.load(write([record]), executor)
    assert "js-md5" not in task.reference + task.start


def test_other_languages_are_refused(write, executor):
    with pytest.raises(ConfigurationError, match=r"1 rust programs\. Only Python and JavaScript"):
        humanevalpack.load(write([{**PACK, "task_id": "Rust/0"}]), executor)
    with pytest.raises(ConfigurationError, match=r"one language per file.*\['java', 'python'\]"):
        humanevalpack.load(write([PACK, {**PACK, "task_id": "Java/0"}]), executor)


# --- MBPP --------------------------------------------------------------------------------------------


def test_mbpp_full(write, executor):
    (task,) = tasks = mbpp.load(write([MBPP_FULL]), executor)
    assert (tasks.name, tasks.licence, tasks.ids) == ("mbpp-v0", "CC-BY-4.0", ("mbpp-v0/7",))
    assert "\r" not in task.reference
    assert task.entry_point == "add"
    assert task.reward_tests.descriptions == ("add(1, 2) == 3", "add(5, 5) == 10")
    assert task.held_out_tests.descriptions == ("add(0, 0) == 0", "add(-1, 1) == 0")
    assert solves(task, task.reference, executor) == (True, True)


def test_mbpp_sanitized(tmp_path, executor):
    path = tmp_path / "sanitized.json"
    path.write_text(json.dumps([MBPP_SANITIZED], indent=1))
    (task,) = tasks = mbpp.load(path, executor)
    assert tasks.name == "mbpp-sanitized-v0"
    assert task.reward_tests.descriptions[0] == "abs(halve(3) - 1.5) <= 0.0015"


def test_mbpp_setup_code_with_objects_of_the_program(write, executor):
    """MBPP 367 and 927: the arguments are made of a class that the program defines."""
    record = {
        **MBPP_FULL,
        "code": "class Node:\r\n    def __init__(self, n):\r\n        self.n = n\r\n"
        "def value(node):\r\n    return node.n\r\n",
        "test_setup_code": "small = Node(1) \r\nlarge = Node(9)\r\n",
        "test_list": ["assert value(small) == 1", "assert value(large) == 9", "assert value(Node(0)) == 0"],
        "challenge_test_list": [],
    }
    (task,) = mbpp.load(write([record]), executor)
    assert task.reward_tests.descriptions == ("value(small) == 1", "value(Node(0)) == 0")
    assert solves(task, task.reference, executor) == (True, True)
    assert solves(task, task.reference.replace("node.n", "7"), executor) == (False, False)


# --- QuixBugs ----------------------------------------------------------------------------------------

PROGRAMS = {
    "moves": (
        "def moves(n, a, b):\n    return [(a, b)] * n\n",
        "def moves(n, a, b):\n    return [(b, a)] * n\n",
        "[[1, 1, 3], [[1, 3]]]\n[[2, 1, 2], [[1, 2], [1, 2]]]\n",
    ),
    "leaves": (
        "def leaves(tree):\n    for x in tree:\n        yield x\n",
        "def leaves(tree):\n    for x in tree:\n        if isinstance(x, list):\n            yield x\n        else:\n"
        "            yield [x]\n",
        "[[[1, 2]], [1, 2]]\n[[[3]], [3]]\n",
    ),
    "ones": (
        "def ones(n):\n    return bin(n).count('1')\n",
        "def ones(n):\n    return bin(n).count('0')\n",
        "[127, 7]\n[128, 1]\n[13, 3]\n",
    ),
    "sqrt": (
        "def sqrt(x, epsilon):\n    return x ** 0.5\n",
        "def sqrt(x, epsilon):\n    return x\n",
        "[[2, 0.01], 1.4166666666666665]\n[[4, 0.3], 2.05]\n",
    ),
    "graph": ("def graph(node):\n    return node\n", "def graph(node):\n    return None\n", None),
}
NOTE = '\n\n"""\nName\n\nInput:\n    what goes in\n"""\n'


@pytest.fixture(params=quixbugs.LAYOUTS)
def quixbugs_folder(request, tmp_path):
    for name in request.param:
        (tmp_path / name).mkdir()
    faulty, correct, tests = (tmp_path / name for name in request.param)
    for name, (reference, start, cases) in PROGRAMS.items():
        (correct / f"{name}.py").write_text(f'{reference}\n"""\ndef {name}():\n    another solution\n"""\n')
        (faulty / f"{name}.py").write_text(start + NOTE)
        if cases:
            (tests / f"{name}.json").write_text(cases)
    (faulty / "node.py").write_text("class Node: pass\n")
    (faulty / "graph_test.py").write_text("assert True\n")
    return tmp_path


def test_quixbugs(quixbugs_folder, executor):
    tasks = quixbugs.load(quixbugs_folder, executor)
    found = {task.entry_point: task for task in tasks}
    assert set(found) == {"leaves", "moves", "ones", "sqrt"}
    for task in tasks:
        assert solves(task, task.reference, executor) == (True, True)
        assert not solves(task, task.start, executor)[0]
        assert '"""' not in task.start + task.reference
        assert task.description == "Name\n\nInput:\n    what goes in"
    assert found["moves"].reward_tests.descriptions == ("moves(1, 1, 3) == [(1, 3)]",)
    assert found["sqrt"].reward_tests.descriptions == ("abs(sqrt(2, 0.01) - 1.4166666666666665) <= 0.01",)


def test_quixbugs_without_json_tests(quixbugs_folder, executor):
    left_out = quixbugs.load(quixbugs_folder, executor).left_out
    assert left_out["quixbugs-v0/graph"].startswith("it has no JSON tests")


def test_quixbugs_test_that_the_reference_cannot_finish(tmp_path, executor):
    """QuixBugs has two such tests, of knapsack and levenshtein."""
    for name in quixbugs.LAYOUTS[1]:
        (tmp_path / name).mkdir()
    (tmp_path / "correct" / "f.py").write_text("def f(n):\n    while n > 9:\n        pass\n    return n + 1\n")
    (tmp_path / "faulty" / "f.py").write_text("def f(n):\n    return n\n")
    (tmp_path / "tests" / "f.json").write_text("[1, 2]\n[2, 3]\n[10, 11]\n[4, 5]\n")
    (task,) = tasks = quixbugs.load(tmp_path, executor)
    assert tasks.left_out == {"quixbugs-v0/f#2": "test left out: the reference ends with cpu_limit"}
    assert len(task.reward_tests) + len(task.held_out_tests) == 3


def test_quixbugs_list_over_several_lines(quixbugs_folder, executor):
    path = next(quixbugs_folder.glob("*/ones.json"))
    path.write_text(json.dumps([[127, 7], [[128], 1], [13, 3]], indent=1))
    assert "quixbugs-v0/ones" in quixbugs.load(quixbugs_folder, executor).ids


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[127, 7]\n[128", r"ones.json: neither JSON lines nor a JSON list, or cut off"),
        ("[127, 7]\n[1, 2, 3]", r"ones.json, line 2: expected \[arguments, expected\], not '\[1, 2, 3\]'"),
    ],
)
def test_quixbugs_broken_tests(quixbugs_folder, executor, text, message):
    next(quixbugs_folder.glob("*/ones.json")).write_text(text)
    with pytest.raises(TaskError, match=message):
        quixbugs.load(quixbugs_folder, executor)


def test_quixbugs_broken_program(quixbugs_folder, executor):
    next(quixbugs_folder.glob("*/ones.py")).write_text("def ones(:\n")
    with pytest.raises(TaskError, match=r"ones\.py: not a Python program"):
        quixbugs.load(quixbugs_folder, executor)


def test_quixbugs_other_folder(tmp_path, executor):
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(TaskError, match=r"expects the folders .*python_programs.*found \['readme.txt'\]"):
        quixbugs.load(tmp_path, executor)
    for name in quixbugs.LAYOUTS[1]:
        (tmp_path / name).mkdir()
    with pytest.raises(TaskError, match=r"expects programs NAME.py here; there is none"):
        quixbugs.load(tmp_path, executor)


# --- built-in programs -------------------------------------------------------------------------------


def test_builtin_programs_all_certify(executor):
    tasks = builtin_programs.load(executor)
    assert tasks.left_out == {}
    assert len(tasks) >= 50
    for task in tasks:
        assert task.entry_point == task.task_id.removeprefix("builtin-v0/")
        assert "TESTS" not in task.reference
        assert not task.reference.startswith(('"""', "'''"))
        assert len(task.reward_tests) >= 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def f(:\n", "f.py, line 1: not a Python program"),
        ("def f():\n    pass\n", "f.py: A built-in program begins with a docstring"),
        ('"""Does."""\ndef f():\n    pass\n', r"f.py, line 2: A built-in program ends with TESTS"),
        ('"""Does."""\nTESTS = [f()]\n', "TESTS must be a literal"),
        (
            '"""Does."""\nTESTS = [(1, 2)]\n',
            r"a test is \(arguments, expected\) with a tuple of arguments, not \(1, 2\)",
        ),
    ],
)
def test_builtin_program_errors(tmp_path, executor, text, message):
    (tmp_path / "f.py").write_text(text)
    with pytest.raises(TaskError, match=message):
        builtin_programs.load(executor, folder=tmp_path)


def test_builtin_folder_without_programs(tmp_path, executor):
    with pytest.raises(TaskError, match="there is no program"):
        builtin_programs.load(executor, folder=tmp_path)


# --- files with faults -------------------------------------------------------------------------------

LOADERS = {"humaneval": (humaneval.load, HUMANEVAL), "pack": (humanevalpack.load, PACK), "mbpp": (mbpp.load, MBPP_FULL)}


@pytest.fixture(params=LOADERS)
def loader(request):
    return LOADERS[request.param]


def faults(content: bytes) -> dict[str, tuple[bytes, str]]:
    return {
        "empty": (b"  \n", "the file is empty"),
        "cut off": (content + b"\n" + content[:50], "line 2: not JSON as .* expects, or cut off"),
        "other encoding": (content + "\n# caf\xe9".encode("latin-1"), "line 2: byte .* is 0xe9, which is not UTF-8"),
        "a number": (b"17\n", "line 1: .* expects a JSON object here, not a int"),
        "empty list": (b"[]", "the JSON list is empty"),
        "cut list": (b"[" + content, "not a JSON list as .* expects, or cut off"),
        "keys": (
            b'{"task_id": 1, "text": "a"}',
            r"line 1: .* needs the keys .*missing, there are \['task_id', 'text'\]",
        ),
        "damaged archive": (gzip.compress(content, mtime=0)[:-9], "gzip archive is damaged or cut off"),
    }


@pytest.mark.parametrize("fault", faults(b""))
def test_faults_of_files(loader, fault, tmp_path, executor):
    load, record = loader
    content, message = faults(json.dumps(record).encode())[fault]
    path = tmp_path / "tasks.jsonl"
    path.write_bytes(content)
    with pytest.raises(TaskError, match=message) as raised:
        load(path, executor)
    assert str(path) in str(raised.value)


def test_missing_file(loader, tmp_path, executor):
    with pytest.raises(TaskError, match=r"absent.jsonl: cannot be read \(No such file or directory\)"):
        loader[0](tmp_path / "absent.jsonl", executor)


@pytest.mark.parametrize(
    ("load", "record", "message"),
    [
        (humaneval.load, {**HUMANEVAL, "test": 5}, "line 1: 'test' of HumanEval must be a str, not a int"),
        (mbpp.load, {**MBPP_FULL, "test_list": "assert x"}, "line 1: 'test_list' of MBPP must be a list, not a str"),
        (mbpp.load, {**MBPP_FULL, "test_list": [1]}, "'test_list' must be a list of str"),
        (mbpp.load, {**MBPP_FULL, "test_list": []}, "'test_list' is empty"),
        (mbpp.load, {**MBPP_FULL, "test_setup_code": 5}, "'test_setup_code' must be a str"),
    ],
)
def test_fields_of_another_type(write, executor, load, record, message):
    with pytest.raises(TaskError, match=message):
        load(write([record]), executor)
