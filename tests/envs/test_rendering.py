import re
import sys

import numpy as np
import pytest

from code_envs.envs import rendering
from code_envs.envs.rendering import Frame, render_ansi, render_rgb, write_gif
from code_envs.errors import ConfigurationError, MissingDependencyError
from code_envs.syntax.program import Edit, Program

PROGRAM = "def add(a, b):\n    return a - b\n"
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
MINUS = PROGRAM.index("-")


def frame(program: str = PROGRAM, edit: Edit | None = None, **changes) -> Frame:
    values = {"passed": (True, False), "status": "ok", "message": "", "reward": 0.49, "attempts": 1, "budget": 32}
    return Frame("some-v0/add", program, edit, **(values | changes))


def after(edit: Edit, program: str = PROGRAM, **changes) -> Frame:
    return frame(Program(program.encode()).apply(edit).text, edit, **changes)


def long_program(lines: int) -> str:
    return "".join(f"name_{number} = {number}\n" for number in range(lines))


def plain(text: str) -> str:
    return ESCAPE.sub("", text)


def colours(image: np.ndarray) -> set[tuple[int, ...]]:
    numbers = np.unique(image.astype(np.int64) @ [1 << 16, 1 << 8, 1])
    return {(int(each) >> 16, int(each) >> 8 & 255, int(each) & 255) for each in numbers}


def test_ansi_shows_program_verdict_and_reward():
    """Every fact of the frame is in the text, in the words a reader looks for."""
    text = plain(render_ansi(after(Edit(MINUS, MINUS + 1, b"+"), message="TypeError: bad")))
    assert "some-v0/add" in text
    assert "   2 │     return a + b" in text
    assert "1 of 2 pass  ✓✗" in text
    assert "reward +0.490" in text
    assert "edits 1 of 32" in text
    assert "TypeError: bad" in text


def test_ansi_marks_the_changed_bytes_only():
    """The highlighted part is the edit's new text, also behind characters of several bytes."""
    program = "x = 'ünï' - 1\n"
    at = len("x = 'ünï' ".encode())
    text = render_ansi(after(Edit(at, at + 1, b"+"), program))
    assert f"{rendering.GREEN_PATCH}+{rendering.RESET}" in text
    assert plain(text).splitlines()[1] == "*   1 │ x = 'ünï' + 1"


def test_ansi_marks_each_line_of_an_edit():
    """An edit that spans lines is marked on each of them."""
    text = render_ansi(after(Edit(15, 15, b"    c = a\n    d = b\n")))
    marked = [line for line in plain(text).splitlines() if line.startswith("*")]
    assert marked == ["*   2 │     c = a", "*   3 │     d = b"]


def test_ansi_marks_a_deletion_where_it_happened():
    """A pure deletion has no text to mark; its place is shown."""
    text = render_ansi(after(Edit(MINUS - 1, MINUS + 3, b"")))
    assert f"return a{rendering.RED_PATCH} {rendering.RESET}" in text
    assert sum(line.startswith("*") for line in plain(text).splitlines()) == 1


def test_deletion_at_the_very_end_is_shown():
    """The place of a deletion behind the last newline is the end of the last line."""
    text = render_ansi(after(Edit(len(PROGRAM), len(PROGRAM) + 5, b""), PROGRAM + "x = 1"))
    assert [line[0] for line in plain(text).splitlines()[1:3]] == [" ", "*"]


def test_ansi_wraps_many_tests():
    """Ninety tests take three rows, every one of them shown."""
    text = plain(render_ansi(frame(passed=(True,) * 90)))
    assert text.count("✓") == 90
    assert sum("✓" in line for line in text.splitlines()) == 3


@pytest.mark.parametrize("hostile", ["\x1b[2J", "\x07", "\r", "\u202e", "\x9b31m"])
def test_hostile_characters_never_reach_the_terminal(hostile):
    """Programs and messages come from policies and from hostile processes."""
    text = render_ansi(frame(f"x = '{hostile}'\n", message=f"oops {hostile}", status=f"bad{hostile}"))
    assert all(each.isprintable() or each == "\n" for each in plain(text))


@pytest.mark.parametrize(
    "shown",
    [
        frame(),
        frame(""),
        frame(passed=(), status="load_error", message="SyntaxError " * 50),
        frame(passed=(True,) * 1000),
        frame(long_program(500)),
        frame("x = " + "1 + " * 500 + "1\n"),
        frame("\tx = '中\x1b'\n", attempts=40),
        frame(budget=0),
        after(Edit(0, 0, long_program(100).encode())),
    ],
    ids=["usual", "empty", "no-tests", "many-tests", "long", "wide", "strange", "no-budget", "huge-edit"],
)
def test_images_have_one_size(shown):
    """Recorders need frames of one shape, whatever the episode holds."""
    image = render_rgb(shown)
    assert image.shape == (540, 720, 3)
    assert image.dtype == np.uint8


def test_image_is_the_same_twice():
    """A frame determines its picture."""
    shown = after(Edit(MINUS, MINUS + 1, b"+"))
    np.testing.assert_array_equal(render_rgb(shown), render_rgb(shown))


@pytest.mark.parametrize("line", [0, 10, 250, 499])
def test_edit_is_in_sight_of_a_long_program(line):
    """The window of a long program holds the edit, wherever it is."""
    program = long_program(500)
    at = program.index(f"name_{line} =")
    assert rendering.MARK in colours(render_rgb(after(Edit(at, at + 4, b"word"), program)))
    assert rendering.MARK not in colours(render_rgb(frame(program)))


@pytest.mark.parametrize("at", [4, 800, 1990])
def test_edit_is_in_sight_of_a_wide_line(at):
    """A line too wide for the picture is cut where the edit is not."""
    program = "x = " + "1 + " * 500 + "1\n"
    assert rendering.MARK in colours(render_rgb(after(Edit(at, at + 1, b"2"), program)))


def test_image_shows_verdict_in_colour():
    """Passing tests are green, failing ones red."""
    solved, failed = frame(passed=(True,), reward=0.0), frame(passed=(False,), reward=0.0, status="load_error")
    assert rendering.RED not in colours(render_rgb(solved))
    assert rendering.GREEN not in colours(render_rgb(failed))
    assert rendering.RED in colours(render_rgb(failed))


def test_image_without_a_monospaced_font(monkeypatch):
    """Pillow's own proportional face serves where no other is found."""
    monkeypatch.setattr(rendering, "_mono_places", list)
    rendering._font.cache_clear()
    try:
        image = render_rgb(after(Edit(MINUS, MINUS + 1, b"+")))
    finally:
        rendering._font.cache_clear()
    assert rendering.MARK in colours(image)


def test_missing_pillow_names_the_extra(monkeypatch):
    """Without Pillow, the error says what to install; text rendering still works."""
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingDependencyError, match=r"code-envs\[render\]"):
        render_rgb(frame())
    assert render_ansi(frame())


def test_gif_holds_every_frame(tmp_path):
    """The animation has the frames it was given, at the pace it was given."""
    image = pytest.importorskip("PIL.Image", reason="needs Pillow (extra `render`)")
    frames = [render_rgb(frame(attempts=number)) for number in range(3)]
    path = write_gif(tmp_path / "episode.gif", frames, fps=4)
    with image.open(path) as animation:
        assert animation.n_frames == 3
        assert animation.size == (720, 540)
        assert animation.info["duration"] == 250
        assert animation.info["loop"] == 0


IMAGE = np.zeros((4, 4, 3), np.uint8)


@pytest.mark.parametrize(
    ("frames", "fps", "message"),
    [
        ([], 2, "no frame"),
        ([IMAGE, IMAGE[:2]], 2, "one shape"),
        ([IMAGE[..., 0]], 2, "one shape"),
        ([IMAGE], 0, "fps"),
        ([IMAGE], 60, "fps"),
    ],
)
def test_gif_refuses_what_it_cannot_write(tmp_path, frames, fps, message):
    """Wrong input is named, and nothing is written."""
    with pytest.raises(ConfigurationError, match=message):
        write_gif(tmp_path / "x.gif", frames, fps)
    assert not list(tmp_path.iterdir())
