"""Pictures of an episode: a program with its last edit marked, the verdict, the reward.

`render_ansi` writes text for a terminal, `render_rgb` draws an image of constant size with Pillow (extra
`render`), and `write_gif` joins images into an animation. Programs and messages come from a policy and from
hostile processes, so no character of them reaches a terminal that could control it.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from code_envs.errors import ConfigurationError, MissingDependencyError
from code_envs.syntax.program import Edit

__all__ = ["Frame", "render_ansi", "render_rgb", "write_gif"]

HEIGHT, WIDTH = 540, 720
MARGIN = 16
HEADER, FOOTER = 40, 92
LINE, FONT, SMALL = 18, 13, 12
GUTTER = 5
MAX_BOXES = 172

Colour = tuple[int, int, int]
BACKGROUND: Colour = (22, 25, 31)
PANEL: Colour = (30, 34, 42)
EDGE: Colour = (46, 52, 64)
ROW: Colour = (35, 44, 46)
TEXT: Colour = (216, 221, 230)
DIM: Colour = (118, 128, 144)
FAINT: Colour = (74, 83, 98)
GREEN: Colour = (87, 187, 116)
RED: Colour = (224, 92, 98)
MARK: Colour = (44, 96, 66)
MARK_TEXT: Colour = (222, 255, 230)
ACCENT: Colour = (104, 160, 232)

RESET, BOLD, FADED = "\x1b[0m", "\x1b[1m", "\x1b[2m"
GREEN_TEXT, RED_TEXT = "\x1b[32m", "\x1b[31m"
GREEN_PATCH, RED_PATCH = "\x1b[30;42m", "\x1b[41m"
TICKS_PER_ROW = 40


@dataclass(frozen=True)
class Frame:
    """What one picture shows.

    Args:
        task_id: Id of the task.
        program: The current program.
        edit: The last edit: the range it replaced in the previous program and its new text, which the
            current program has at [start, start + len(text)) in bytes. None where there is none.
        passed: Which reward tests pass.
        status: How the execution ended (`code_envs.execution.executor.Status`).
        message: What the first failing test or the loader said, or "".
        reward: Reward of the last step.
        attempts: Attempts spent.
        budget: Attempts of an episode.
    """

    task_id: str
    program: str
    edit: Edit | None
    passed: tuple[bool, ...]
    status: str
    message: str
    reward: float
    attempts: int
    budget: int


class _Line(NamedTuple):
    """One line of the program in three parts; `cut` says that something was deleted before `after`."""

    number: int
    before: str
    marked: str
    after: str
    cut: bool

    @property
    def touched(self) -> bool:
        return bool(self.marked) or self.cut


def _lines(frame: Frame) -> list[_Line]:
    """The lines of the program, with the part of the last edit that each one holds."""
    source = frame.program.encode("utf-8", "replace").removesuffix(b"\n")
    low = high = -1
    if frame.edit is not None:
        low = min(frame.edit.start, len(source))
        high = min(low + len(frame.edit.text), len(source))
    point = not source[low:high].strip(b"\n")
    lines = []
    begin = 0
    for number, raw in enumerate(source.split(b"\n"), start=1):
        start = min(max(low - begin, 0), len(raw))
        stop = min(max(high - begin, start), len(raw))
        cut = point and begin <= low <= begin + len(raw)
        lines.append(_Line(number, _printable(raw[:start]), _printable(raw[start:stop]), _printable(raw[stop:]), cut))
        begin += len(raw) + 1
    return lines


def _printable(text: bytes | str) -> str:
    """The text with tabs as four spaces and a dot for each character that cannot be shown as it is."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return "".join(each if each.isprintable() else "·" for each in text.replace("\t", "    "))


def _sentence(frame: Frame) -> str:
    return _printable(" ".join(frame.message.split()))


def render_ansi(frame: Frame) -> str:
    """The frame as text with ANSI colours: header, numbered program, tests, reward."""
    parts = [f"{BOLD}{_printable(frame.task_id)}{RESET}  {FADED}{_printable(frame.status)}{RESET}"]
    parts += [_ansi_line(line) for line in _lines(frame)]
    parts += _ansi_verdict(frame.passed)
    parts.append(f"reward {frame.reward:+.3f}   edits {frame.attempts} of {frame.budget}")
    if frame.message:
        parts.append(f"{RED_TEXT}{_sentence(frame)}{RESET}")
    return "\n".join(parts) + "\n"


def _ansi_line(line: _Line) -> str:
    middle = f"{GREEN_PATCH}{line.marked}{RESET}" if line.marked else ""
    if line.cut:
        middle += f"{RED_PATCH} {RESET}"
    sign = f"{GREEN_TEXT}*{RESET}" if line.touched else " "
    return f"{sign}{FADED}{line.number:4d} │{RESET} {line.before}{middle}{line.after}"


def _ansi_verdict(passed: Sequence[bool]) -> list[str]:
    ticks = [f"{GREEN_TEXT}✓{RESET}" if each else f"{RED_TEXT}✗{RESET}" for each in passed]
    rows = ["".join(ticks[at : at + TICKS_PER_ROW]) for at in range(0, len(ticks), TICKS_PER_ROW)]
    count = f"tests  {sum(passed)} of {len(passed)} pass"
    return [f"{count}  {rows[0]}" if rows else count, *(" " * (len(count) + 2) + row for row in rows[1:])]


def render_rgb(frame: Frame) -> NDArray[np.uint8]:
    """The frame as an image, (540, 720, 3) uint8; a long program is cut around its last edit.

    Raises:
        MissingDependencyError: If Pillow is not installed.
    """
    image = _pillow("Image").new("RGB", (WIDTH, HEIGHT), BACKGROUND)
    canvas = _Canvas(_pillow("ImageDraw").Draw(image))
    _draw_header(canvas, frame)
    _draw_program(canvas, _lines(frame))
    _draw_footer(canvas, frame)
    return np.array(image, np.uint8)


def write_gif(path: str | Path, frames: Sequence[NDArray[np.uint8]], fps: float = 2.0) -> Path:
    """Write images as an endless animation; returns the path.

    Args:
        path: Where to write.
        frames: Images of one size, each (H, W, 3) uint8.
        fps: Frames per second, at most 50; GIF counts in hundredths of a second.

    Raises:
        ConfigurationError: If there is no frame, their shapes differ, or fps is out of range.
        MissingDependencyError: If Pillow is not installed.
    """
    if not 0 < fps <= 50:
        raise ConfigurationError(f"fps must be above 0 and at most 50, got {fps}.")
    shapes = {np.shape(each) for each in frames}
    if len(shapes) != 1 or not all(len(shape) == 3 and shape[2] == 3 for shape in shapes):
        raise ConfigurationError(f"Expected frames of one shape (H, W, 3), got {sorted(shapes) or 'no frame'}.")
    module = _pillow("Image")
    images = [module.fromarray(each).quantize(128, dither=module.Dither.NONE) for each in frames]
    images[0].save(path, "GIF", save_all=True, append_images=images[1:], duration=round(1000 / fps), loop=0)
    return Path(path)


def _pillow(module: str) -> ModuleType:
    try:
        return importlib.import_module(f"PIL.{module}")
    except ImportError as error:
        raise MissingDependencyError("pillow", "render") from error


# drawing ------------------------------------------------------------------------------------------


class _Font(NamedTuple):
    """A face on a grid of cells; a proportional face is set one character per cell."""

    face: Any
    cell: float
    monospaced: bool


@functools.cache
def _font(size: int) -> _Font:
    """DejaVu Sans Mono where the system or matplotlib has it, else the face that Pillow brings."""
    module = _pillow("ImageFont")
    for place in _mono_places():
        try:
            face = module.truetype(place, size, layout_engine=module.Layout.BASIC)
        except OSError:
            continue
        return _Font(face, face.getlength("0"), True)
    face = module.load_default(size)
    return _Font(face, face.getlength("0") + 1, False)


def _mono_places() -> list[str]:
    places = ["DejaVuSansMono.ttf"]
    spec = importlib.util.find_spec("matplotlib")  # finds the package without importing it
    if spec is not None and spec.origin is not None:
        places.append(str(Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSansMono.ttf"))
    return places


class _Canvas:
    """An image with text on it, one font per size."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw

    def text(self, x: float, y: float, text: str, colour: Colour, size: int = FONT) -> float:
        """Write text, the middle of its line at y; returns the x after it."""
        font = _font(size)
        if font.monospaced:
            self.draw.text((x, y), text, colour, font.face, anchor="lm")
        else:
            for column, each in enumerate(text):
                self.draw.text((x + (column + 0.5) * font.cell, y), each, colour, font.face, anchor="mm")
        return x + len(text) * font.cell

    def right(self, x: float, y: float, text: str, colour: Colour, size: int = FONT) -> float:
        """Write text that ends at x; returns the x before it."""
        start = x - len(text) * _font(size).cell
        self.text(start, y, text, colour, size)
        return start

    def fill(self, x: float, y: float, width: float, height: float, colour: Colour, radius: float = 0) -> None:
        """Fill a rectangle with rounded corners."""
        self.draw.rounded_rectangle((x, y, x + width - 1, y + height - 1), radius, colour)


def _draw_header(canvas: _Canvas, frame: Frame) -> None:
    canvas.fill(0, 0, WIDTH, HEADER, PANEL)
    canvas.fill(0, HEADER, WIDTH, 1, EDGE)
    solved = bool(frame.passed) and all(frame.passed)
    status = "solved" if solved else _printable(frame.status).replace("_", " ")
    colour = GREEN if solved else DIM if frame.status == "ok" else RED
    left = canvas.right(WIDTH - MARGIN, HEADER / 2, status, colour)
    canvas.draw.ellipse((left - 16, HEADER / 2 - 4, left - 8, HEADER / 2 + 4), colour)
    canvas.text(MARGIN, HEADER / 2, _shorten(_printable(frame.task_id), int((left - 40) / _font(FONT).cell)), TEXT)


def _draw_program(canvas: _Canvas, lines: list[_Line]) -> None:
    rows = (HEIGHT - HEADER - FOOTER - 12) // LINE
    first, last = _window(lines, rows)
    top = HEADER + 8
    for row, line in enumerate(lines[first:last]):
        y = top + row * LINE
        hidden = 0
        if row == 0 and first > 0:
            hidden, where = first + 1, "above"
        elif row == last - first - 1 and last < len(lines):
            hidden, where = len(lines) - last + 1, "below"
        if hidden:
            canvas.text(MARGIN + GUTTER * _font(FONT).cell, y + LINE / 2, f"··· {hidden} lines {where}", FAINT, SMALL)
        else:
            _draw_line(canvas, line, y)


def _window(lines: list[_Line], rows: int) -> tuple[int, int]:
    """The range of lines to show: all that fit, the edit in the middle."""
    if len(lines) <= rows:
        return 0, len(lines)
    touched = [number for number, line in enumerate(lines) if line.touched] or [0]
    middle = min((touched[0] + touched[-1]) // 2, touched[0] + rows // 2 - 2)
    first = min(max(middle - rows // 2, 0), len(lines) - rows)
    return first, first + rows


def _draw_line(canvas: _Canvas, line: _Line, y: float) -> None:
    cell = _font(FONT).cell
    if line.touched:
        canvas.fill(0, y, WIDTH, LINE, ROW)
        canvas.fill(0, y, 3, LINE, GREEN if line.marked else RED)
    number_end = MARGIN + (GUTTER - 2) * cell
    canvas.right(number_end, y + LINE / 2, str(line.number), DIM if line.touched else FAINT, SMALL)
    left = MARGIN + GUTTER * cell
    line = _fit(line, int((WIDTH - MARGIN - left) / cell))
    x = canvas.text(left, y + LINE / 2, line.before, TEXT)
    if line.marked:
        canvas.fill(x - 1, y + 1, len(line.marked) * cell + 2, LINE - 2, MARK, 3)
        x = canvas.text(x, y + LINE / 2, line.marked, MARK_TEXT)
    if line.cut:
        canvas.fill(x - 1, y + 1, 2, LINE - 2, RED)
    canvas.text(x, y + LINE / 2, line.after, TEXT)


def _fit(line: _Line, columns: int) -> _Line:
    """The line cut to a number of columns so that the edit stays in sight; "…" stands for what is gone."""
    before, marked, after = line.before, line.marked, line.after
    if len(before) + len(marked) + len(after) <= columns:
        return line
    room = max(columns - len(marked) - min(len(after), columns // 4), columns // 4)
    if len(before) > room and line.touched:
        before = "…" + before[len(before) - room + 1 :]
    before = _shorten(before, columns)
    marked = _shorten(marked, columns - len(before))
    return line._replace(before=before, marked=marked, after=_shorten(after, columns - len(before) - len(marked)))


def _shorten(text: str, columns: int) -> str:
    if len(text) <= columns:
        return text
    return text[: columns - 1] + "…" if columns > 0 else ""


def _draw_footer(canvas: _Canvas, frame: Frame) -> None:
    top = HEIGHT - FOOTER
    canvas.fill(0, top, WIDTH, FOOTER, PANEL)
    canvas.fill(0, top, WIDTH, 1, EDGE)
    _draw_boxes(canvas, frame.passed, top + 14)
    y = top + 48
    good = sum(frame.passed)
    x = canvas.text(MARGIN, y, f"{good}", GREEN if good else RED)
    x = canvas.text(x, y, f" of {len(frame.passed)} tests pass", TEXT)
    x = canvas.text(x + 28, y, "reward ", DIM)
    canvas.text(x, y, f"{frame.reward:+.2f}", GREEN if frame.reward > 0 else RED if frame.reward < 0 else TEXT)
    _draw_budget(canvas, frame, y)
    columns = int((WIDTH - 2 * MARGIN) / _font(SMALL).cell)
    canvas.text(MARGIN, top + 74, _shorten(_sentence(frame), columns), DIM, SMALL)


def _draw_budget(canvas: _Canvas, frame: Frame, y: float) -> None:
    width = 96
    left = WIDTH - MARGIN - width
    share = min(frame.attempts / frame.budget, 1.0) if frame.budget else 1.0
    canvas.fill(left, y - 3, width, 6, EDGE, 3)
    if share:
        canvas.fill(left, y - 3, max(6, round(share * width)), 6, ACCENT, 3)
    canvas.right(left - 10, y, f"edits {frame.attempts} of {frame.budget}", DIM)


def _draw_boxes(canvas: _Canvas, passed: Sequence[bool], y: float) -> None:
    """One box per test; neighbours share a box, split by their share, where there are too many tests."""
    if not passed:
        canvas.text(MARGIN, y + 8, "no test ran", DIM)
        return
    groups = np.array_split(np.array(passed, np.float64), min(len(passed), MAX_BOXES))
    pitch = min(24.0, (WIDTH - 2 * MARGIN) / len(groups))
    width = max(pitch - (4 if pitch > 12 else 1), 2)
    for number, group in enumerate(groups):
        x = MARGIN + number * pitch
        high = round(16 * float(group.mean()))
        if high < 16:
            canvas.fill(x, y, width, 16, RED, min(3.0, width / 3))
        if high:
            canvas.fill(x, y + 16 - high, width, high, GREEN, min(3.0, width / 3))
