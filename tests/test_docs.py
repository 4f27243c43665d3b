"""The documentation: links lead somewhere, pages are generated from the code, nothing comes from the network."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from code_envs.registration import ENVIRONMENTS
from code_envs.testing.page import HEADINGS

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def build():
    """The script docs/build.py as a module."""
    spec = importlib.util.spec_from_file_location("docs_build", ROOT / "docs" / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_links_of_the_repository_lead_somewhere(build):
    """No page of the repository has a link to a file or heading that does not exist."""
    pages = build.repository_pages()
    assert ROOT / "README.md" in pages
    assert ROOT / "docs" / "sb3.md" in pages
    assert build.broken_links(pages) == []


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ('[a](other.md) ![b](picture.png) [c](https://example.org/x) <img src="picture.png">', []),
        ("# One `two`-three\n[a](#one-two-three) [b](other.md#a-heading)", []),
        ("[a](nothing.md)", ["nothing.md"]),
        ('![a](no.png "title")', ["no.png"]),
        ('<img src="no.png">', ["no.png"]),
        ("[a](#two)", ["#two"]),
        ("[a](other.md#another)", ["other.md#another"]),
        ("```python\nx[0](nothing)\n```\n", []),
    ],
)
def test_broken_links_are_found(build, tmp_path, text, broken):
    """Missing files, pictures and headings are named; links elsewhere and code are left alone."""
    (tmp_path / "other.md").write_text("# A heading\n")
    (tmp_path / "picture.png").touch()
    page = tmp_path / "page.md"
    page.write_text(text)
    assert build.broken_links([page]) == [f"{page}: {each}" for each in broken]


def test_what_is_fetched_is_found(build, tmp_path):
    """Scripts, styles and pictures of other hosts are named; ordinary links are not."""
    (tmp_path / "index.html").write_text(
        '<a href="https://example.org">x</a><script src="own.js"></script><link rel="icon" href="//cdn.test/x.png">'
    )
    assert build.fetched(tmp_path) == ['index.html: <link rel="icon" href="//cdn.test/x.png']


@pytest.fixture(scope="module")
def repair(build, executor):
    return build.shown("CodeRepair-v0", steps=2, executor=executor)


def test_an_episode_of_the_gallery_is_always_the_same(build, repair, executor, tmp_path):
    """Two builds write the same bytes."""
    again = build.shown("CodeRepair-v0", steps=2, executor=executor)
    assert all(np.array_equal(first, second) for first, second in zip(repair.frames, again.frames, strict=True))
    assert (repair.first, repair.last) == (again.first, again.last)
    files = [build.write_gif(tmp_path / f"{number}.gif", each.frames) for number, each in enumerate((repair, again))]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_pages_come_from_the_docstring(build, repair):
    """A page has the id, the sentence and Gymnasium's headings; table and gallery name it; no colours are left."""
    page = build.environment_page(repair)
    assert page.startswith("# CodeRepair-v0\n\nEdit a faulty program until its tests pass.\n")
    assert [line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")] == [*HEADINGS]
    assert "| [CodeRepair-v0](CodeRepair-v0.md) | Edit a faulty" in build.table_page([repair])
    assert "| `mbpp` |" in build.table_page([repair])
    assert f"```text\n{repair.first}\n```" in build.gallery_page([repair])
    assert "\x1b" not in repair.first + repair.last


@pytest.mark.slow
def test_the_site_is_built():
    """`make docs` builds a page for every id, strictly: a warning of MkDocs fails."""
    done = subprocess.run([sys.executable, "docs/build.py"], cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    for name in ENVIRONMENTS:
        assert f'<h1 id="{name.lower()}">' in (ROOT / "build" / "site" / "environments" / f"{name}.html").read_text()
