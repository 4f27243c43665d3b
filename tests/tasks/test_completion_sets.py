"""HumanEval infilling and CodeXGLUE's line completion: formats, errors, and the real files."""

import gzip
import json
import zipfile

import pytest

from code_envs.errors import ConfigurationError, TaskError
from code_envs.execution.executor import Limits
from code_envs.tasks import infilling, line_completion
from code_envs.tasks.sources import load

TEST = "def check(candidate):\n" + "".join(f"    assert candidate({n}) == {2 * n}\n" for n in range(6))
LINE = {
    "task_id": "SingleLineInfilling/HumanEval/0/L0",
    "entry_point": "double",
    "prompt": "def double(n):\n    ''' Return twice n. '''\n",
    "canonical_solution": "    twice = 2 * n\n",
    "suffix": "    return twice\n",
    "test": TEST,
}
SPAN = {
    **LINE,
    "task_id": "RandomSpanInfillingLight/HumanEval/0/1",
    "prompt": LINE["prompt"] + "    twice = 2",
    "canonical_solution": " * n\n    return",
    "suffix": " twice\n",
}


def write(tmp_path, records, name="items.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_infilling(tmp_path, executor):
    """A line is cut without its indentation, a span as it is; items of one program share its tests."""
    tasks = infilling.load(write(tmp_path, [LINE, SPAN]), executor)
    line, span = tasks
    assert (tasks.name, tasks.licence) == ("humaneval-infilling-v0", "MIT")
    assert line.task_id == "humaneval-infilling-v0/SingleLineInfilling/HumanEval/0/L0"
    assert (line.before[-5:], line.target, line.after) == ("\n    ", "twice = 2 * n", "\n    return twice\n")
    assert (span.target, span.after) == (" * n\n    return", " twice\n")
    assert line.program is span.program
    for gap in tasks:
        source = gap.before + gap.target + gap.after
        assert gap.program.reward_tests.run(source.encode(), executor, Limits()).all_passed
    assert sum(map(len, tasks.splits.values())) == 2


def test_infilling_leaves_out_what_does_not_certify(tmp_path, executor):
    wrong = {**LINE, "task_id": "SingleLineInfilling/HumanEval/1/L0", "canonical_solution": "    twice = n\n"}
    tasks = infilling.load(write(tmp_path, [LINE, wrong]), executor)
    assert len(tasks) == 1
    assert "fails reward test" in tasks.left_out["humaneval-infilling-v0/SingleLineInfilling/HumanEval/1/L0"]


def test_a_bare_path_of_infilling_is_recognised(tmp_path, executor):
    assert load(str(write(tmp_path, [LINE])), executor).name == "humaneval-infilling-v0"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (json.dumps(LINE).encode()[:60], "line 1: not JSON as HumanEval infilling expects, or cut off"),
        (
            json.dumps({**LINE, "suffix": None}).encode(),
            "'suffix' of HumanEval infilling must be a str, not a NoneType",
        ),
        (json.dumps({"prompt": "x"}).encode(), r"'canonical_solution', 'entry_point', 'test'\] are missing"),
        (b"\xff\xfe{}", "not UTF-8"),
        (gzip.compress(json.dumps(LINE).encode(), mtime=0)[:40], "gzip archive is damaged or cut off"),
    ],
)
def test_infilling_errors(tmp_path, executor, content, message):
    path = tmp_path / "items.jsonl"
    path.write_bytes(content)
    with pytest.raises(TaskError, match=message):
        infilling.load(path, executor)


ITEM = {
    "input": "<s> import os <EOL> x = '<STR_LIT:name>' <EOL> y = \"<STR_LIT>\" + <NUM_LIT:1> + <NUM_LIT> <EOL> os .",
    "gt": "path . join ( '<STR_LIT:U+0020>' , x )",
}


def test_line_completion(tmp_path):
    """Line breaks and literals become plain; tokens stay parted by spaces."""
    tasks = line_completion.load(write(tmp_path, [ITEM, {"input": "<s> import os <EOL>", "gt": "x = 1"}]), "python")
    first, second = tasks
    assert first.before == "import os\nx = 'name'\ny = \"\" + 1 + <NUM_LIT>\nos . "
    assert first.target == "path . join ( 'U+0020' , x )"
    assert (first.tokenised, first.program, first.after) == (True, None, "")
    assert second.before == "import os\n"
    assert (tasks.name, tasks.licence) == ("py150-v0", "C-UDA-1.0")
    assert sorted(each for ids in tasks.splits.values() for each in ids) == sorted(tasks.ids)


def test_line_completion_in_an_archive(tmp_path):
    path = tmp_path / "dataset.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("dataset/py150/dev.json", json.dumps(ITEM))
        archive.writestr("dataset/javaCorpus/dev.json", json.dumps({"input": "<s> int x", "gt": "= 1 ;"}) * 1)
    assert [gap.target for gap in line_completion.load(path, "java")] == ["= 1 ;"]
    assert line_completion.load(path, "java")[0].language == "java"
    assert len(line_completion.load(path, "python")) == 1
    path.write_bytes(path.read_bytes()[:80])
    with pytest.raises(TaskError, match="zip archive is damaged, cut off or encrypted"):
        line_completion.load(path, "python")


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([{"input": "x"}], r"\['gt'\] are missing"),
        ([{"input": "x", "gt": 1}], "'gt' of CodeXGLUE line completion must be a str, not a int"),
        ([{"input": "x", "gt": ""}], "no item has anything to complete"),
        ([{"input": "x", "gt": "a <EOL> b"}], "rest of one line; it has <EOL>"),
    ],
)
def test_line_completion_errors(tmp_path, records, message):
    with pytest.raises(TaskError, match=message):
        line_completion.load(write(tmp_path, records), "python")


def test_an_archive_without_the_language(tmp_path):
    path = tmp_path / "dataset.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("dataset/py150/train.txt", "x")
    with pytest.raises(
        TaskError, match=r"py150/dev\.json is expected in the archive, not \['dataset/py150/train.txt'\]"
    ):
        line_completion.load(path, "python")


# the real files -----------------------------------------------------------------------------------


@pytest.mark.data
def test_real_infilling(data, executor):
    """All 1,033 lines and 164 spans certify."""
    tasks = load("humaneval_infilling", executor)
    assert (len(tasks), tasks.left_out) == (1033, {})
    assert not any("\n" in gap.target for gap in tasks)
    spans = load("humaneval_infilling:humaneval_infilling/data/HumanEval-RandomSpanInfillingLight.jsonl.gz", executor)
    assert (len(spans), spans.left_out) == (164, {})


@pytest.mark.data
def test_real_lines(data):
    python, java = load("py150"), load("javaCorpus")
    assert (len(python), len(java)) == (3819, 3000)
    assert {name: len(ids) for name, ids in python.splits.items()} == {"train": 3070, "validation": 375, "test": 374}
    assert not any("<EOL>" in gap.before or "STR_LIT" in gap.before + gap.target for gap in python)


def test_without_data_the_source_says_what_it_needs(monkeypatch):
    monkeypatch.delenv("CODE_ENVS_DATA", raising=False)
    with pytest.raises(ConfigurationError, match=r"'py150' needs data: give a path \(py150:/path\)"):
        load("py150")
