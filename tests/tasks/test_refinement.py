"""CodeXGLUE's code refinement: line-aligned methods with and without their bug, as gaps to be completed."""

import gzip

import pytest

from code_envs.envs.completion import CodeCompletionEnv
from code_envs.errors import TaskError
from code_envs.tasks.refinement import load
from code_envs.tasks.sources import load as load_source

BUGGY, FIXED = ".buggy-fixed.buggy", ".buggy-fixed.fixed"
METHOD = "public int METHOD_1 ( ) { return VAR_1 ; }"


def write(folder, split, buggy, fixed):
    (folder / f"{split}{BUGGY}").write_bytes(buggy.encode())
    (folder / f"{split}{FIXED}").write_bytes(fixed.encode())


def test_line_aligned_files(tmp_path):
    """Line n is fixed by line n; the files' splits are the set's; what cannot be a task is left out."""
    write(tmp_path, "train", "a ;\nb ; \n", "A ;\nB  ;\n")
    write(tmp_path, "valid", "c\n\nd\ne", "C\nX\nd\nE")
    tasks = load(tmp_path)
    assert [(each.before, each.target, each.after) for each in tasks][:2] == [
        ("// a ;\n", "A ;", "\n"),
        ("// b ;\n", "B ;", "\n"),
    ]
    assert {(each.language, each.tokenised, each.program) for each in tasks} == {("java", True, None)}
    assert tasks.splits == {
        "train": ("code-refinement-v0/train/0", "code-refinement-v0/train/1"),
        "validation": ("code-refinement-v0/valid/0", "code-refinement-v0/valid/3"),
    }
    assert tasks.left_out == {
        "code-refinement-v0/valid/1": "one side is empty",
        "code-refinement-v0/valid/2": "both sides are the same",
    }
    assert load(tmp_path / f"train{FIXED}").ids == tasks.splits["train"]
    assert len(load(tmp_path, limit=1)) == 2


@pytest.mark.parametrize(
    ("buggy", "fixed", "message"),
    [
        (b"a\nb\n", b"A\n", r"has 2 lines and train\.buggy-fixed\.fixed has 1; .* Is one of them cut off\?"),
        (b"a\n", b"", r"train\.buggy-fixed\.fixed: the file is empty"),
        (b"caf\xe9\n", b"A\n", r"train\.buggy-fixed\.buggy, line 1: byte 3 is 0xe9, which is not UTF-8"),
        ("a\n".encode("utf-16"), b"A\n", "which is not UTF-8"),
        (gzip.compress(b"a\n", mtime=0)[:-9], b"A\n", "gzip archive is damaged or cut off"),
        (b"a\n\n", b"\nA\n", "no line has a method with a bug and a fixed one"),
    ],
)
def test_faults_of_files(tmp_path, buggy, fixed, message):
    """Each fault is an error that names the file and what was expected."""
    (tmp_path / f"train{BUGGY}").write_bytes(buggy)
    (tmp_path / f"train{FIXED}").write_bytes(fixed)
    with pytest.raises(TaskError, match=message) as raised:
        load(tmp_path)
    assert str(tmp_path) in str(raised.value)


def test_missing_files(tmp_path):
    """A folder without a pair, half a pair, and a path that is not there."""
    with pytest.raises(TaskError, match=r"expects files <split>\.buggy-fixed\.buggy .* found \[\]"):
        load(tmp_path)
    (tmp_path / f"train{BUGGY}").write_text("a\n")
    with pytest.raises(TaskError, match=r"train\.buggy-fixed\.fixed: cannot be read"):
        load(tmp_path)
    with pytest.raises(TaskError, match="found no folder"):
        load(tmp_path / "absent" / f"train{BUGGY}")


def test_an_episode(tmp_path, executor):
    """The fixed method can be copied from the one with the bug, but for what was fixed."""
    write(tmp_path, "train", METHOD, METHOD.replace("VAR_1", "! VAR_1"))
    env = CodeCompletionEnv(tasks=load(tmp_path), expert=True, executor=executor)
    _, info = env.reset(seed=0)
    over = False
    while not over:
        _, _, terminated, truncated, info = env.step(info["expert_action"])
        over = terminated or truncated
    assert (info["written"], info["is_success"]) == (METHOD.replace("VAR_1", "! VAR_1"), True)


@pytest.mark.data
def test_real_methods(data, executor):
    """All 5,835 pairs of the small validation set."""
    tasks = load_source("code-refinement", executor)
    assert (len(tasks), tasks.left_out) == (5835, {})
    assert {name: len(ids) for name, ids in tasks.splits.items()} == {"validation": 5835}
    env = CodeCompletionEnv(tasks=tasks, executor=executor)
    env.reset(seed=0)
    _, _, terminated, _, info = env.step(0)
    assert (terminated, info["is_success"]) == (True, False)
