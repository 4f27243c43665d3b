"""Pairs of methods: the built-in ones and CodeXGLUE's line-aligned files."""

import pytest

from code_envs.errors import TaskError
from code_envs.tasks.sources import load
from code_envs.tasks.translations import load as load_pairs
from code_envs.tasks.translations import load_builtin

JAVA, CSHARP = ".java-cs.txt.java", ".java-cs.txt.cs"


def write(folder, split, java, csharp):
    (folder / f"{split}{JAVA}").write_text(java)
    (folder / f"{split}{CSHARP}").write_text(csharp)


def test_line_aligned_files(tmp_path):
    """Line n translates line n; the files' splits are the set's; the last line may lack its break."""
    write(tmp_path, "train", "a\nb\n", "A\nB\n")
    write(tmp_path, "valid", "c\n\nd", "C\nX\nD")
    tasks = load_pairs(tmp_path)
    assert [(each.source, each.target) for each in tasks] == [("a", "A"), ("b", "B"), ("c", "C"), ("d", "D")]
    assert tasks.splits == {
        "train": ["java-cs-v0/train/0", "java-cs-v0/train/1"],
        "validation": ["java-cs-v0/valid/0", "java-cs-v0/valid/2"],
    }
    assert tasks.left_out == {"java-cs-v0/valid/1": "one side is empty"}
    assert len(load_pairs(tmp_path / f"train{JAVA}")) == 2
    assert len(load_pairs(tmp_path, limit=1)) == 2


def test_cut_off_files_are_named(tmp_path):
    write(tmp_path, "train", "a\nb\n", "A\n")
    with pytest.raises(TaskError, match=r"has 2 lines and train\.java-cs\.txt\.cs has 1; .* Is one of them cut off\?"):
        load_pairs(tmp_path)


def test_other_errors(tmp_path):
    with pytest.raises(TaskError, match=r"expects files <split>\.java-cs\.txt\.java .* found \[\]"):
        load_pairs(tmp_path)
    (tmp_path / f"train{JAVA}").write_text("a\n")
    with pytest.raises(TaskError, match=r"train\.java-cs\.txt\.cs: cannot be read"):
        load_pairs(tmp_path)
    write(tmp_path, "train", "a\n", "")
    with pytest.raises(TaskError, match="the file is empty"):
        load_pairs(tmp_path)
    write(tmp_path, "train", "a\n\n", "\nA\n")
    with pytest.raises(TaskError, match="no line has both sides"):
        load_pairs(tmp_path)
    (tmp_path / f"train{JAVA}").write_bytes(b"\xff\xfea\n")
    with pytest.raises(TaskError, match="not UTF-8"):
        load_pairs(tmp_path)


def test_built_in_pairs():
    tasks = load("translations")
    assert (len(tasks), tasks.licence, tasks.left_out) == (40, "MIT", {})
    assert tasks.ids[0] == "translations-v0/1"
    assert sum(map(len, tasks.splits.values())) == 40
    for task in tasks:
        for side in (task.source, task.target):
            assert side.count("{") == side.count("}")
            assert side.count("(") == side.count(")")


def test_a_built_in_pair_of_one_line_is_refused():
    with pytest.raises(TaskError, match=r"java_csharp\.txt, pair 2: a line of Java and a line of C#"):
        load_builtin(text="a\nb\n\nc\n")


@pytest.mark.data
def test_real_pairs(data):
    tasks = load("java-cs")
    assert (len(tasks), tasks.left_out) == (2499, {})
    assert {name: len(ids) for name, ids in tasks.splits.items()} == {"train": 2000, "validation": 499}
