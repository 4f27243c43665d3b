"""Pairs of C programs are read as documented, and behave as they are labelled."""

import csv
import io
import zipfile

import pytest

from code_envs.errors import TaskError
from code_envs.execution.executor import Job, Status
from code_envs.tasks.tracer import COLUMNS, CompilePair, read_pairs

SOURCE = 'int main() {\n  printf("a, \\"b\\"")\n  return 0;\n}'
ROW = ["7", SOURCE, SOURCE.replace(')"', ')";'), "a.c:2:3: error: expected ';'", "more"]
HEADER = [*COLUMNS, "errSet_diffs"]


def table(*rows):
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def archive(**files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as opened:
        for name, data in files.items():
            opened.writestr(name.replace("_", "."), data)
    return content.getvalue()


@pytest.mark.parametrize("pack", [lambda content: content, lambda content: archive(a_csv=content, b_txt=b"x")])
def test_table_alone_and_in_an_archive(tmp_path, pack):
    path = tmp_path / "pairs"
    path.write_bytes(pack(table(HEADER, ROW, ["8", *ROW[1:]])))
    first, second = read_pairs(path)
    assert first == CompilePair("7", ROW[1], ROW[2], ROW[3])
    assert second.id == "8"
    assert read_pairs(path, limit=1) == (first,)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (table(HEADER), "no row below the header"),
        (table(HEADER[1:], ROW[1:]), r"the columns \['id', 'sourceText', .* it begins with \['sourceText'"),
        (table(HEADER, ROW, ["8", SOURCE]), r"line \d+: the row has no targetText"),
        (table(HEADER, ["8", SOURCE, SOURCE]), r"line \d+: the row has no sourceErrorPrutor"),
        (table(HEADER, ROW)[:90], "not CSV, or cut off"),
        (table(HEADER, ["9", "x" * (1 << 21), *ROW[2:]]), "not CSV, or cut off .*field limit"),
        (table(HEADER, ROW).replace(b"main", b"ma\xefn"), "byte .* is 0xef, which is not UTF-8"),
        (archive(a_txt=b"x"), r"one CSV file is expected in the archive, not \['a.txt'\]"),
        (archive(a_csv=b"x", b_csv=b"x"), "one CSV file is expected"),
        (archive(a_csv=table(HEADER, ROW))[:-30], "the zip archive is damaged"),
    ],
)  # fmt: skip
def test_faults_are_named(tmp_path, content, message):
    path = tmp_path / "pairs.csv"
    path.write_bytes(content)
    with pytest.raises(TaskError, match=message) as raised:
        read_pairs(path)
    assert str(path) in str(raised.value)


def test_missing_file(tmp_path):
    with pytest.raises(TaskError, match="cannot be read"):
        read_pairs(tmp_path / "absent.zip")


@pytest.mark.data
def test_pairs_behave_as_labelled(data_folder, executor):
    """Measured with gcc 12: 378 of 400; the compiler of the course took warnings for errors in 21 of the others."""
    pairs = read_pairs(data_folder / "tracer" / "singleL_Test.zip")
    assert len(pairs) == 2163
    programs = [text for pair in pairs[:400] for text in (pair.source, pair.target)]
    outcomes = executor.run_many(Job(text.encode(), "", b"[]", language="c") for text in programs)
    sources, targets = outcomes[::2], outcomes[1::2]
    labelled = [
        before.status is Status.COMPILE_ERROR and before.errors >= 1 and after.status is Status.OK
        for before, after in zip(sources, targets, strict=True)
    ]
    assert sum(labelled) >= 360
