"""Described functions from every source: what is read, what is left out, and what is wrong with a file."""

import ast
import gzip
import json

import pytest

from code_envs.errors import ConfigurationError, TaskError
from code_envs.syntax.docstrings import functions, summary, without_docstring
from code_envs.tasks import codesearchnet, cosqa, stdlib
from code_envs.tasks.described import Described
from code_envs.tasks.search_set import SearchSet, joined_search
from code_envs.tasks.sources import load
from code_envs.testing.evidence import in_fresh_process

MODULE = b'''
"""A module."""
import os

def short(a):
    """Too short a body."""
    return a

class Outer:
    """Not a function."""

    class Inner:
        @property
        def value(self):
            """Return the value
            of the thing.

            And more.
            """
            # why
            text = """
            kept as it is
            """
            return self._value, text

    if os:
        async def wait(self, seconds): "Wait a number of seconds."; a = 1; return a

def outer(x):
    # a comment first
    r"""Do all of \\d it."""
    def inner():
        """Never listed by itself."""
        return 1

    y = inner()
    return x + y

def bytes_are_none():
    b"""Not a docstring at all."""
    return 1

def formatted_are_none():
    f"""Not a docstring at all."""
    return 1

def empty():
    """Only a docstring here."""
'''


# --- docstrings ------------------------------------------------------------------------------------


def test_functions_of_a_module():
    found = {each.name: each for each in functions(MODULE)}
    assert list(found) == ["short", "Outer.Inner.value", "Outer.wait", "outer", "empty"]
    assert found["Outer.Inner.value"].docstring == "Return the value\nof the thing.\n\nAnd more."
    assert found["Outer.Inner.value"].code == (
        'def value(self):\n    # why\n    text = """\n    kept as it is\n    """\n    return self._value, text'
    )
    assert found["Outer.wait"].code == "async def wait(self, seconds): a = 1; return a"
    assert found["outer"].code.startswith("def outer(x):\n    # a comment first\n    def inner():")
    assert found["empty"].code == "def empty():\n    pass"
    for each in found.values():
        assert ast.get_docstring(ast.parse(each.code).body[0]) is None


@pytest.mark.parametrize(
    ("code", "left"),
    [
        ('def f(x):\n    """Twice."""\n    return 2 * x\n', "def f(x):\n    return 2 * x\n"),
        ('@cache\ndef f(x):\n    """Twice."""\n    return 2 * x', "@cache\ndef f(x):\n    return 2 * x"),
        ("def f(x):\n    return 'Twice.'", "def f(x):\n    return 'Twice.'"),
        ("x = 1", "x = 1"),
        ("def f(:", "def f(:"),
        ("", ""),
        ('def f():\n    "a" "b"\n    return 1', "def f():\n    return 1"),
    ],
)
def test_a_docstring_is_cut_out(code, left):
    assert without_docstring(code) == left


def test_the_summary_is_the_first_paragraph_of_three_words():
    assert summary("Return it\nall.\n\nMore.") == "Return it all."
    assert summary("D.keys()\n\nThe keys of it.\n\nMore.") == "D.keys() The keys of it."
    assert summary("One") == "One"


# --- search sets -----------------------------------------------------------------------------------


def described(name, number, code=None):
    return Described(f"{name}/{number}", f"text {number}", code or f"def f{number}(): return {number}")


def search_set(name="some-v0", count=4, corpus=()):
    tasks = tuple(described(name, number) for number in range(count))
    return SearchSet(
        name, tasks, "MIT", "here", "0" * 64, {}, {"train": [tasks[0].task_id], "test": [tasks[1].task_id]}, corpus
    )


def test_a_split_keeps_the_corpus_and_drops_the_other_tasks():
    """What is not in the split is seen only where the source says that it is a corpus."""
    plain, rich = search_set(), search_set(corpus=("def g(): pass", "def f1(): return 1"))
    assert plain.split("test").functions == ("def f1(): return 1",)
    assert rich.split("test").functions == ("def f1(): return 1", "def g(): pass")
    assert len(rich.functions) == 5
    assert isinstance(rich.split("train"), SearchSet)


def test_joined_sets_join_their_corpora():
    both = joined_search("both", [search_set("a-v0", corpus=("x", "y")), search_set("b-v0", corpus=("y", "z"))])
    assert both.corpus == ("x", "y", "z")
    assert both.ids[::4] == ("a-v0/0", "b-v0/0")
    assert both.splits["test"] == ["a-v0/1", "b-v0/1"]
    assert len(both.split("train").functions) == 1 + 3  # both tasks have one code


# --- standard library ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def library():
    return load("stdlib")


def test_standard_library(library):
    """About as many pairs as the library has, each parsed, without its docstring, of the documented size."""
    assert 2500 < len(library) < 5000
    assert library.licence == "PSF-2.0"
    assert "3." in library.origin
    assert len(set(library.functions)) == len(library)
    for task in list(library)[::7]:
        (function,) = ast.parse(task.code).body
        assert ast.get_docstring(function) is None
        assert len(task.text.split()) >= 3
        assert "\n" not in task.text
        assert 3 <= sum(bool(line.strip()) for line in task.code.split("\n")) - 1 <= 60
    assert not any(".test." in task_id or "lib2to3" in task_id for task_id in library.ids)
    assert library["stdlib-v0/textwrap.dedent"].text.startswith("Remove any common leading whitespace")


def test_no_module_is_in_two_splits(tmp_path):
    """Modules of many functions stay together; about 80 % are trained on."""
    method = (
        '    def f{}(self):\n        """Say number {} twice."""\n        a = MODULE\n        b = {}\n        return a\n'
    )
    body = "".join(method.format(number, number, number) for number in range(3))
    for number in range(200):
        (tmp_path / f"m{number}.py").write_text("class C:\n" + body.replace("MODULE", str(number)))
    tasks = stdlib.load(tmp_path)
    assert len(tasks) == 600
    where = {}
    for split, ids in tasks.splits.items():
        for task_id in ids:
            where.setdefault(task_id.split("/")[1].split(".")[0], set()).add(split)
    assert len(where) == 200
    assert all(len(splits) == 1 for splits in where.values())
    assert 0.7 < len(tasks.splits["train"]) / 600 < 0.9
    assert sorted(task_id for ids in tasks.splits.values() for task_id in ids) == sorted(tasks.ids)


def test_other_tenths_can_be_the_test(tmp_path):
    """Cross-validation: each module is tested once, and the validation split stays; no tenth is two splits."""
    for number in range(40):
        body = f'    """Say it {number} times."""\n    a = {number}\n    b = a\n    return b\n'
        (tmp_path / f"m{number}.py").write_text(f"def f{number}():\n{body}")
    usual = stdlib.load(tmp_path)
    folds = [stdlib.load(tmp_path, test=tenths) for tenths in ((0, 1, 2, 3), (4, 5, 6, 7), (9,))]
    assert folds[2] == usual
    assert all(each.splits["validation"] == usual.splits["validation"] for each in folds)
    tested = [task_id for each in folds for task_id in each.splits["test"]]
    assert sorted([*tested, *usual.splits["validation"]]) == sorted(usual.ids)
    for wrong in ((8,), (10,), tuple(each for each in range(10) if each != 8)):
        with pytest.raises(ConfigurationError, match="tenths 0 to 9"):
            stdlib.load(tmp_path, test=wrong)


def test_splits_of_the_standard_library(library):
    sizes = {name: len(ids) / len(library) for name, ids in library.splits.items()}
    assert sum(sizes.values()) == pytest.approx(1)
    assert 0.7 < sizes["train"] < 0.9
    assert min(sizes.values()) > 0.05


def identity() -> list:
    """What the fresh process calls."""
    tasks = load("stdlib", limit=400)
    return [tasks.sha256, tasks.ids[0], tasks.ids[-1], {name: list(ids) for name, ids in tasks.splits.items()}]


def test_the_standard_library_is_the_same_in_every_process():
    there = in_fresh_process(f"{__name__}:identity")
    assert there == identity()


def test_folders_files_and_functions_that_are_left_out(tmp_path):
    function = 'def f(x):\n    """Do the thing twice."""\n    y = x\n    x = y\n    return {}\n'
    (tmp_path / "test" / "empty").mkdir(parents=True)
    (tmp_path / "test" / "m.py").write_text(function.format(0))
    (tmp_path / "a.py").write_text(function.format(1) + function.format(2))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "__init__.py").write_text(function.format(1))
    (tmp_path / "c.py").write_bytes(b"# \xff\n" + function.format(3).encode())
    tasks = load(f"stdlib:{tmp_path}")
    assert tasks.ids == ("stdlib-v0/a.f", "stdlib-v0/a.f#2")
    assert list(tasks.left_out) == ["stdlib-v0/c"]
    assert len(load(f"stdlib:{tmp_path}", limit=1)) == 1
    with pytest.raises(TaskError, match="no function with a docstring"):
        stdlib.load(tmp_path / "test" / "empty")
    with pytest.raises(TaskError, match="no such folder"):
        stdlib.load(tmp_path / "absent")


# --- CoSQA -----------------------------------------------------------------------------------------

FOUND = {"idx": "cosqa-dev-0", "doc": "python add ", "code": "def add(a, b):\n    return a + b", "retrieval_idx": 1}


@pytest.fixture
def written(tmp_path):
    def write(records, corpus=None, name="cosqa-retrieval-dev-1.json"):
        corpus = {"def other(): pass": 0, FOUND["code"]: 1} if corpus is None else corpus
        (tmp_path / cosqa.CORPUS).write_text(corpus if isinstance(corpus, str) else json.dumps(corpus))
        path = tmp_path / name
        path.write_text(json.dumps(records))
        return path

    return write


def test_cosqa(written):
    path = written([FOUND, {**FOUND, "idx": "cosqa-dev-1", "label": 0}])
    tasks = cosqa.load(path)
    assert tasks.ids == ("cosqa-v0/cosqa-dev-0",)
    assert tasks[0].text == "python add"
    assert tasks.corpus == ("def other(): pass", FOUND["code"])
    assert tasks.functions == (FOUND["code"], "def other(): pass")
    assert tasks.splits == {"validation": ("cosqa-v0/cosqa-dev-0",)}
    assert list(tasks.left_out) == ["cosqa-v0/cosqa-dev-1"]
    assert load(f"cosqa:{path.parent}").ids == load(str(path)).ids == tasks.ids


@pytest.mark.parametrize(
    ("record", "corpus", "message"),
    [
        ({**FOUND, "retrieval_idx": 0}, None, r"item 0: 'retrieval_idx' is 0, the corpus .* has number 1"),
        ({**FOUND, "code": "def x(): pass"}, None, "has number none"),
        ({"idx": "a", "doc": "b"}, None, r"item 0: CoSQA needs the keys .* \['code', 'retrieval_idx'\] are missing"),
        ({**FOUND, "doc": " "}, None, "'doc' is empty"),
        ({**FOUND, "label": 0}, None, "no query has a function that answers it"),
        (FOUND, "[1]", "expects a JSON object, function -> number"),
        (FOUND, '{"a": 1', "not a JSON object as CoSQA expects, or cut off"),
        (FOUND, {"a": "b"}, "expects a JSON object, function -> number"),
    ],
)
def test_wrong_cosqa(written, record, corpus, message):
    with pytest.raises(TaskError, match=message):
        cosqa.load(written([record], corpus))


def test_cosqa_without_its_corpus(written):
    path = written([FOUND])
    (path.parent / cosqa.CORPUS).unlink()
    with pytest.raises(TaskError, match=rf"{cosqa.CORPUS}: no such file"):
        cosqa.load(path)


@pytest.mark.data
def test_cosqa_as_published(data):
    tasks = load("cosqa")
    assert (len(tasks), len(tasks.corpus), len(tasks.functions)) == (500, 6267, 6267)
    assert (tasks.licence, tasks.left_out) == ("C-UDA", {})
    assert len(tasks.split("validation")) == 500


# --- CodeSearchNet and AdvTest ---------------------------------------------------------------------

PAIR = {
    "func_name": "A.double",
    "docstring": "Return twice\nthe number.\n\nMore.",
    "code": 'def double(n):\n    """Return twice\n    the number.\n\n    More."""\n    return 2 * n',
    "url": "u",
    "partition": "valid",
    "language": "python",
}


def lines(path, records):
    path.parent.mkdir(exist_ok=True)
    content = "".join(json.dumps(record) + "\n" for record in records).encode()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path


def test_codesearchnet(tmp_path):
    other = {**PAIR, "code": "func double(n int) int { return 2 * n }", "language": "go", "partition": "test"}
    empty = {**PAIR, "code": "def e(): pass", "docstring": " "}
    first = lines(tmp_path / "set" / "python_valid_0.jsonl.gz", [PAIR, PAIR, empty])
    lines(tmp_path / "set" / "go_test_0.jsonl", [other])
    tasks = load(f"codesearchnet:{tmp_path / 'set'}")
    assert tasks.ids == ("codesearchnet-v0/go_test_0/0", "codesearchnet-v0/python_valid_0/0")
    assert tasks[1].text == "Return twice the number."
    assert tasks[1].code == "def double(n):\n    return 2 * n"
    assert (tasks[0].language, tasks[0].code) == ("go", other["code"])
    assert tasks.splits == {"validation": [tasks.ids[1]], "test": [tasks.ids[0]]}
    assert tasks.left_out == {
        "codesearchnet-v0/python_valid_0/1": "the same code as 'codesearchnet-v0/python_valid_0/0'",
        "codesearchnet-v0/python_valid_0/2": "the description is empty",
    }
    assert load(str(first)).ids == tasks.ids[1:]


def test_codesearchnet_with_original_string_only(tmp_path):
    record = {key: value for key, value in PAIR.items() if key not in ("code", "partition", "language", "url")}
    path = lines(tmp_path / "some.jsonl", [{**record, "original_string": PAIR["code"]}])
    (task,) = tasks = codesearchnet.load(path)
    assert task.code == "def double(n):\n    return 2 * n"
    assert tasks.splits == {"train": [task.task_id]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\xff\xfe{}", "not UTF-8"),
        (json.dumps(PAIR).encode()[:60], "line 1: not JSON"),
        (gzip.compress(json.dumps(PAIR).encode(), mtime=0)[:40], "damaged or cut off"),
        (json.dumps({**PAIR, "code": 3}).encode(), "'code' of CodeSearchNet must be a str, not a int"),
        (json.dumps({"code": ""}).encode(), r"\['docstring', 'func_name'\] are missing"),
        (json.dumps({**PAIR, "partition": "dev"}).encode(), r"'partition' must be one of .*, not 'dev'"),
        (json.dumps({**PAIR, "docstring": ""}).encode(), "no function with a description"),
    ],
)
def test_wrong_codesearchnet(tmp_path, content, message):
    path = tmp_path / "wrong.jsonl"
    path.write_bytes(content)
    with pytest.raises(TaskError, match=message):
        codesearchnet.load(path)


def test_a_folder_without_jsonl(tmp_path):
    with pytest.raises(TaskError, match=r"no file that ends with \.jsonl"):
        codesearchnet.load(tmp_path)


def test_advtest(tmp_path):
    record = {"idx": 7, "docstring_tokens": ["Return", "twice"], "url": "u"}
    path = lines(
        tmp_path / "test.jsonl",
        [
            {**record, "function": "def Func(arg_0):\n    return 2 * arg_0", "code": "def double(n): return 2 * n"},
            {**record, "idx": 8, "code_tokens": ["def", "half", "(", "n", ")"]},
        ],
    )
    tasks = load(f"advtest:{path}")
    assert tasks.ids == ("advtest-v0/test/7", "advtest-v0/test/8")
    assert [task.text for task in tasks] == ["Return twice"] * 2
    assert [task.code for task in tasks] == ["def Func(arg_0):\n    return 2 * arg_0", "def half ( n )"]
    assert tasks.splits == {"test": list(tasks.ids)}
    assert load(str(path)).ids == tasks.ids
    with pytest.raises(TaskError, match=r"line 1: AdvTest needs one of the keys \['function', "):
        codesearchnet.load_advtest(lines(path, [record]))
    with pytest.raises(TaskError, match="'docstring_tokens' must be a list of str"):
        codesearchnet.load_advtest(lines(path, [{**record, "docstring_tokens": [1], "code": "x"}]))
    with pytest.raises(TaskError, match="'code' of AdvTest must be a str"):
        codesearchnet.load_advtest(lines(path, [{**record, "code": ["x"]}]))


# --- judgements ------------------------------------------------------------------------------------


def test_judgements(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('Language,Query,GitHubUrl,Relevance,Notes\nGo,sort it,https://x,3,"two\nlines"\n')
    (judgement,) = codesearchnet.load_judgements(path)
    assert judgement == ("Go", "sort it", "https://x", 3, "two\nlines")
    assert judgement.relevance == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n", r"line 1: the judgements need the columns .*; there are \['a', 'b'\]"),
        ("Language,Query,GitHubUrl,Relevance,Notes\nGo,x\n", "line 2: a judgement has 5 columns .* here are 2"),
        ("Language,Query,GitHubUrl,Relevance,Notes\nGo,x,y,4,\n", "line 2: 'Relevance' must be 0 to 3, not '4'"),
        ("", "the file is empty"),
    ],
)
def test_wrong_judgements(tmp_path, content, message):
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(TaskError, match=message):
        codesearchnet.load_judgements(path)


@pytest.mark.data
def test_judgements_as_published(data):
    found = codesearchnet.load_judgements(data / "codesearchnet" / "resources" / "annotationStore.csv")
    assert len(found) == 4006
    assert len({each.query for each in found}) == 99
    assert {each.language for each in found} == {"Go", "Java", "JavaScript", "PHP", "Python", "Ruby"}


# --- where they do not fit -------------------------------------------------------------------------


def test_described_tasks_have_nothing_to_mutate():
    with pytest.raises(ConfigurationError, match="have no tests"):
        load("mutants:stdlib", limit=3)
