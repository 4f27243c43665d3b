"""Loaders of JSON records name what is wrong with a file: truncated, empty, wrongly encoded, wrongly shaped."""

import gzip
import json

import pytest

from code_envs.errors import TaskError
from code_envs.tasks import apps, conala, concode, cruxeval, mxeval

RECORDS = {
    "apps": {
        "problem_id": 7,
        "question": "Print the sum of two numbers.",
        "solutions": json.dumps(["print(sum(map(int, input().split())))"]),
        "input_output": json.dumps({"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]}),
    },
    "conala": {
        "intent": "how to sort x",
        "rewritten_intent": "sort a list `x`",
        "snippet": "x.sort()",
        "question_id": 1,
    },
    "concode": {"nl": "Gets it . concode_field_sep int it concode_field_sep int get", "code": "int function ( ) { }"},
    "cruxeval": {"code": "def f(x):\n    return x + 1", "input": "1", "output": "2", "id": "sample_0"},
    "mxeval": {
        "task_id": "MBPP/1",
        "prompt": "def double(n):\n",
        "entry_point": "double",
        "test": "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(3) == 6\n",
        "language": "python",
        "canonical_solution": "    return 2 * n\n",
    },
}
LOADERS = {
    "apps": ("apps", apps.load),
    "conala": ("conala", lambda path, _: conala.load(path)),
    "concode": ("concode", lambda path, _: concode.load(path)),
    "cruxeval-output": ("cruxeval", cruxeval.load_outputs),
    "cruxeval-input": ("cruxeval", cruxeval.load_inputs),
    "mxeval": ("mxeval", mxeval.load),
}


@pytest.fixture(params=LOADERS)
def loader(request):
    """A loader and a record that it reads."""
    name, load = LOADERS[request.param]
    return load, RECORDS[name]


def faults(content: bytes) -> dict[str, tuple[bytes, str]]:
    return {
        "empty": (b"  \n", "the file is empty"),
        "cut off": (content + b"\n" + content[:30], "line 2: not JSON as .* expects, or cut off"),
        "other encoding": (content + "\n# caf\xe9".encode("latin-1"), "line 2: byte .* is 0xe9, which is not UTF-8"),
        "UTF-16": (content.decode().encode("utf-16"), "which is not UTF-8"),
        "a number": (b"17\n", "line 1: .* expects a JSON object here, not a int"),
        "empty list": (b"[]", "the JSON list is empty"),
        "cut list": (b"[" + content, "not a JSON list as .* expects, or cut off"),
        "keys": (b'{"some": 1}', r"line 1: .* needs the keys .*missing, there are \['some'\]"),
        "damaged archive": (gzip.compress(content, mtime=0)[:-9], "gzip archive is damaged or cut off"),
    }


def test_a_good_file(loader, tmp_path, executor):
    """What the faults below are made of is read."""
    load, record = loader
    path = tmp_path / "items.jsonl"
    path.write_text(json.dumps(record))
    assert (len(load(path, executor)), load(path, executor).left_out) == (1, {})


@pytest.mark.parametrize("fault", faults(b""))
def test_faults_of_files(loader, fault, tmp_path, executor):
    """Each fault is an error that names the file and what was expected."""
    load, record = loader
    content, message = faults(json.dumps(record).encode())[fault]
    path = tmp_path / "items.jsonl"
    path.write_bytes(content)
    with pytest.raises(TaskError, match=message) as raised:
        load(path, executor)
    assert str(path) in str(raised.value)


def test_a_missing_file(loader, tmp_path, executor):
    """A file that is not there is an error that names it."""
    with pytest.raises(TaskError, match=r"absent.jsonl: cannot be read \(No such file or directory\)"):
        loader[0](tmp_path / "absent.jsonl", executor)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("apps", {"solutions": ["print(1)"]}, "line 1: 'solutions' of APPS must be a str, not a list"),
        ("apps", {"solutions": '["print(1)'}, r"line 1, 'solutions': not JSON as APPS expects, or cut off"),
        ("apps", {"solutions": "[1]"}, r"line 1: the solutions of APPS are a list of str, not '\[1\]'"),
        ("apps", {"input_output": '{"inputs": ["1"]}'}, "'inputs' and 'outputs', of one length, not"),
        ("apps", {"input_output": '{"inputs": ["1"], "outputs": []}'}, "'inputs' and 'outputs', of one length, not"),
        ("apps", {"input_output": '{"inputs": [1], "outputs": ["1"]}'}, "'inputs' of APPS are texts or lists of lines"),
        (
            "apps",
            {"input_output": '{"inputs": [1], "outputs": [1], "fn_name": "f"}'},
            "an input for 'f' is a list of arguments, not '1'",
        ),
        ("apps", {"input_output": '{"inputs": [], "outputs": [], "fn_name": "f("}'}, "'fn_name' of APPS is the name"),
        ("apps", {"starter_code": 1}, "'starter_code' of APPS must be a str, not a int"),
        ("conala", {"snippet": 1}, "line 1: 'snippet' of CoNaLa must be a str, not a int"),
        ("conala", {"rewritten_intent": 1}, "line 1: 'rewritten_intent' of CoNaLa must be a str or null, not a int"),
        ("conala", {"snippet": " "}, "no pair can be used.*there is nothing to complete"),
        ("concode", {"code": None}, "line 1: 'code' of CONCODE must be a str, not a NoneType"),
        ("concode", {"nl": "Gets it . concode_field_sep int it"}, "here are 2 parts, not 3: 'Gets it"),
        ("concode", {"code": " "}, "no item has a method"),
        ("cruxeval", {"id": 1}, "line 1: 'id' of CRUXEval must be a str, not a int"),
        ("cruxeval", {"code": "def f(x:"}, "line 1: 'code' of CRUXEval is no Python"),
        ("cruxeval", {"input": "1, ("}, "line 1: 'input' of CRUXEval is no Python"),
        ("cruxeval", {"output": "[1"}, "line 1: 'output' of CRUXEval is no Python"),
        ("mxeval", {"test": 1}, "line 1: 'test' of mxeval must be a str, not a int"),
        ("mxeval", {"canonical_solution": 1}, "'canonical_solution' of mxeval must be a str or null, not a int"),
        ("mxeval", {"task_id": "1"}, r"expects ids such as 'MBJSP/1' of one set, not \['1'\]"),
    ],
)
def test_fields_of_another_shape(name, change, message, tmp_path, executor):
    """A field of another type or form is an error that names the line and the field."""
    path = tmp_path / "items.jsonl"
    path.write_text(json.dumps({**RECORDS[name], **change}))
    load = cruxeval.load_outputs if name == "cruxeval" else LOADERS[name][1]
    with pytest.raises(TaskError, match=message):
        load(path, executor)
