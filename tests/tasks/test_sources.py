"""Specs find their data, and say what they looked for when they do not."""

import json

import pytest
from conftest import HUMANEVAL, MBPP_FULL, MBPP_SANITIZED, PACK

from code_envs.errors import ConfigurationError
from code_envs.tasks import sources
from code_envs.tasks.sources import available, load

RECORDS = {
    "humaneval": (HUMANEVAL, "humaneval-v0"),
    "humanevalpack": (PACK, "humanevalpack-python-v0"),
    "mbpp": (MBPP_FULL, "mbpp-v0"),
    "mbpp-sanitized": (MBPP_SANITIZED, "mbpp-sanitized-v0"),
}


@pytest.fixture(autouse=True)
def no_data_folder(monkeypatch):
    monkeypatch.delenv(sources.VARIABLE, raising=False)


@pytest.mark.parametrize("name", RECORDS)
def test_spec_with_path_and_bare_path(write, executor, name):
    record, set_name = RECORDS[name]
    path = write([record])
    assert load(f"{name}:{path}", executor).name == set_name
    assert load(str(path), executor).name == set_name
    assert load(f"{name}:{path.parent}", executor).name == set_name
    assert load(str(path.parent), executor).name == set_name


@pytest.mark.parametrize("name", RECORDS)
def test_source_alone_is_found_below_the_data_folder(tmp_path, monkeypatch, executor, name):
    monkeypatch.setenv(sources.VARIABLE, str(tmp_path))
    with pytest.raises(ConfigurationError, match=rf"The source '{name}' looked for .*found nothing"):
        load(name, executor)
    path = tmp_path / sources.FORMATS[name].places[-1]
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(RECORDS[name][0]) if path.suffix == ".jsonl" else json.dumps([RECORDS[name][0]]))
    assert load(name, executor).name == RECORDS[name][1]


def test_relative_path_below_the_data_folder(write, monkeypatch, executor):
    path = write([PACK], "some.jsonl")
    monkeypatch.setenv(sources.VARIABLE, str(path.parent))
    assert load("humanevalpack:some.jsonl", executor).name == "humanevalpack-python-v0"
    assert load("some.jsonl", executor).name == "humanevalpack-python-v0"


def test_quixbugs_by_folder(tmp_path, executor):
    for name in ("faulty", "correct", "tests"):
        (tmp_path / name).mkdir()
    (tmp_path / "faulty" / "f.py").write_text("def f(x):\n    return x\n")
    (tmp_path / "correct" / "f.py").write_text("def f(x):\n    return x + 1\n")
    (tmp_path / "tests" / "f.json").write_text("[1, 2]\n[5, 6]\n")
    assert load(f"quixbugs:{tmp_path}", executor).ids == load(str(tmp_path), executor).ids == ("quixbugs-v0/f",)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("humanevalpac", r"no task source 'humanevalpac'.*Did you mean 'humanevalpack'"),
        ("mbbp:/data", r"no task source 'mbbp'.*Did you mean 'mbpp'"),
        ("humaneval", r"needs data: give a path \(humaneval:/path\), or set CODE_ENVS_DATA"),
        ("humaneval:absent.jsonl", r"no file or folder at absent.jsonl. Relative paths are also .*CODE_ENVS_DATA"),
        ("./absent.jsonl", r"'./absent.jsonl': no file or folder"),
        ("builtin:/data", "The source 'builtin' takes no path"),
        ("mutants:", "'mutants' needs the spec of the programs to mutate"),
        ("mutants", "'mutants' needs the spec of the programs to mutate"),
        ("mutants:humanevalpac", "Did you mean 'humanevalpack'"),
    ],
)
def test_specs_that_lead_nowhere(executor, spec, message):
    with pytest.raises(ConfigurationError, match=message):
        load(spec, executor)


def test_unknown_content(write, executor):
    with pytest.raises(ConfigurationError, match=r"no format recognised; .*\['question'\]. Looked for HumanEval"):
        load(str(write([{"question": "?"}])), executor)


def test_folder_of_several_files(write, executor):
    write([PACK], "a.jsonl")
    folder = write([PACK], "b.jsonl").parent
    with pytest.raises(ConfigurationError, match=r"expects one file here, and there is 2 files of it"):
        load(f"humanevalpack:{folder}", executor)
    with pytest.raises(ConfigurationError, match=r"expects one file here, and there is no file of it"):
        load(f"mbpp:{folder}", executor)
    with pytest.raises(ConfigurationError, match=r"there is several: .*a.jsonl.*b.jsonl"):
        load(str(folder), executor)


def test_limit(executor):
    assert len(load("builtin", executor, limit=3)) == 3
    with pytest.raises(ConfigurationError, match="limit must be at least 1 or None, not 0"):
        load("builtin", executor, limit=0)


def test_the_same_source_is_read_once_until_it_changes(write, executor):
    path = write([PACK])
    first = load(f"humanevalpack:{path}", executor)
    assert load(f"humanevalpack:{path}", executor) is first
    assert load(str(path), executor) is first
    write([PACK, {**PACK, "task_id": "Python/1"}])
    assert len(load(f"humanevalpack:{path}", executor)) == 2


def test_mutants_of_a_source(executor):
    tasks = load("mutants:builtin", executor, limit=2)
    assert len(tasks) > 2
    assert all(task.start != task.reference for task in tasks)
    assert load("mutants:builtin", executor, limit=2) is tasks


def test_executor_by_name():
    assert len(load("builtin", "local", limit=1)) == 1


def test_available_sources_have_a_line_each():
    lines = available()
    assert {"builtin", "mutants", "stdlib", "cosqa", *RECORDS, "quixbugs"} <= set(lines)
    assert all(lines.values())
