"""CONCODE: Java methods for sentences and classes, as gaps to be completed."""

import json

import pytest

from code_envs.envs.completion import CodeCompletionEnv
from code_envs.errors import TaskError
from code_envs.tasks.concode import NAMES, load
from code_envs.tasks.sources import load as load_source

ITEM = {
    "nl": "gives the  total concode_field_sep int total concode_elem_sep Map cache concode_field_sep int size "
    "concode_elem_sep void clear concode_elem_sep void clear",
    "code": "int function ( ) {  return total ; }",
}
BARE = {"nl": "nothing concode_field_sep PlaceHolder placeHolder concode_field_sep placeholderType placeHolder"}


def test_a_method_is_a_gap_in_its_class(write):
    """The sentence is a comment, fields and methods are declared once each, what is missing is the method."""
    (gap,) = tasks = load(write([ITEM]))
    assert gap.before == (
        "// gives the total\nclass Environment {\nint total ;\nMap cache ;\nint size ( ) ;\nvoid clear ( ) ;\n"
        f"// {NAMES}\n"
    )
    assert (gap.target, gap.after) == ("int function ( ) { return total ; }", "\n}\n")
    assert (gap.description, gap.language, gap.tokenised) == ("gives the total", "java", True)
    assert (tasks.name, tasks.licence, tasks.ids) == ("concode-v0", "C-UDA-1.0", ("concode-v0/tasks/0",))


def test_an_empty_class(write):
    """What stands for no fields and no methods is no field and no method."""
    (gap,) = load(write([{**BARE, "code": "void function ( ) { }"}]))
    assert gap.before == f"// nothing\nclass Environment {{\n// {NAMES}\n"


def test_a_folder_has_the_splits_of_its_files(tmp_path, write):
    """Items without a method are left out; a file alone is its own split, any other is all test."""
    write([ITEM, {**ITEM, "code": ""}], "test.json")
    write([ITEM, ITEM], "train.json")
    tasks = load(tmp_path)
    assert tasks.splits == {"train": ("concode-v0/train/0", "concode-v0/train/1"), "test": ("concode-v0/test/0",)}
    assert tasks.left_out == {"concode-v0/test/1": "there is nothing to complete"}
    assert len(load(tmp_path, limit=1)) == 2
    assert load(tmp_path / "test.json").splits == {"test": ("concode-v0/test/0",)}
    assert load(write([ITEM], "answers.json")).splits == {"test": ("concode-v0/answers/0",)}


def test_a_folder_without_them(tmp_path):
    """The error says what was looked for and what is there."""
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(TaskError, match=r"expects some of the files \['train.json', .* found \['readme.txt'\]"):
        load(tmp_path)


def test_a_fault_in_one_file_of_a_folder(tmp_path, write):
    """The error names the file and the line."""
    write([ITEM], "train.json")
    write([ITEM], "dev.json").write_text(json.dumps(ITEM) + "\n" + json.dumps(ITEM)[:20])
    with pytest.raises(TaskError, match=r"dev.json, line 2: not JSON as CONCODE expects, or cut off"):
        load(tmp_path)


def test_an_episode(write, executor):
    """The method can be written from the class and the fixed vocabulary, and then is right."""
    env = CodeCompletionEnv(tasks=load(write([ITEM])), expert=True, executor=executor)
    _, info = env.reset(seed=0)
    over = False
    while not over:
        _, _, terminated, truncated, info = env.step(info["expert_action"])
        over = terminated or truncated
    assert (info["written"], info["is_success"]) == ("int function ( ) { return total ; }", True)


@pytest.mark.data
def test_real_methods(data, executor):
    """All 1,000 items of the development file, and CodeXGLUE's 100 answers."""
    tasks = load_source("concode", executor)
    assert (len(tasks), tasks.left_out, tasks.licence) == (1000, {}, "C-UDA-1.0")
    assert {name: len(ids) for name, ids in tasks.splits.items()} == {"validation": 1000}
    answers = load_source("concode:codexglue/Text-Code/text-to-code/evaluator/answers.json", executor)
    assert (len(answers), answers.left_out) == (100, {})
    env = CodeCompletionEnv(tasks=tasks, executor=executor, max_tokens=128)
    env.reset(seed=0)
    _, _, terminated, _, info = env.step(0)
    assert (terminated, info["is_success"]) == (True, False)
