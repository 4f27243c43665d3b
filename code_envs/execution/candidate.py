"""One candidate program inside its own process: compile it, load it, call it, report each call.

The report is one JSON list per line: first `["r"]` (ready) or what kept the program from loading, then
per call `["v", value]`, `["o", kind]` (opaque), `["e", class, message, line]` or `["s"]` (step limit),
padded to four fields and followed by steps and lines where they are counted. Standard library only.
"""

from __future__ import annotations

import builtins
import gc
import json
import os
import random
import sys
from collections.abc import Callable
from typing import Any

from code_envs.execution import codec, instrument

__all__ = ["FILENAME", "MODULE", "OUT_OF_MEMORY", "RESULTS", "Program", "Report", "warm_up"]

FILENAME = "<candidate>"
MODULE = "candidate"
LOAD_STEPS = 1_000_000
RESULTS = 3  # descriptor of the memory file
OUT_OF_MEMORY = b'["m","MemoryError","the report did not fit into memory",0]\n'
_UNLIMITED = 1 << 62


class Report:
    """Writes result lines to the memory file, and ends the job when they grow too large."""

    def __init__(self, limit: int, write: Callable[[int, bytes], int] = os.write) -> None:
        self.room = limit
        self.write = write

    def __call__(self, fields: list[Any]) -> None:
        """Write one line."""
        line = _dumps(fields).encode() + b"\n"
        self.room -= len(line)
        if self.room < 0:
            self.write(RESULTS, b'["x"]\n')
            os._exit(0)
        self.write(RESULTS, line)


_dumps = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def _text(value: Any) -> str:
    """At most 200 characters of an object's text, whatever its methods do."""
    try:
        text = str(value)[:200]
        return text if type(text) is str else ""
    except BaseException:
        return ""  # the candidate's own `__str__` failed: there is no text to report


def _line(error: BaseException) -> int:
    """The deepest line of the candidate in an exception's traceback, or 0."""
    line = 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == FILENAME:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


class Program:
    """One candidate: compile, load, call. `report` receives one list per line of the result."""

    def __init__(self, report: Callable[[list[Any]], None], counter: instrument.Counter) -> None:
        self.report = report
        self.counter = counter
        self.blocks: list[list[int]] = []

    def run(self, source: bytes, entry: str, calls: str, steps: int | None, trace: bool) -> None:
        """Run a whole job."""
        counting = trace or steps is not None
        function = self.load(source, entry, counting, trace, steps)
        if function is None:
            return
        call = self.counted_call if counting else self.plain_call
        for arguments in codec.load_arguments(calls):
            self.report(call(function, arguments, steps, trace))

    def load(self, source: bytes, entry: str, counting: bool, trace: bool, steps: int | None) -> Any:
        """The candidate's function, or None after reporting why there is none."""
        try:
            gc.disable()  # a syntax tree is all live: collecting while it grows finds nothing
            if counting:
                code, self.blocks = instrument.instrument(source, FILENAME, trace)
            else:
                code = compile(source, FILENAME, "exec", dont_inherit=True)
        except SyntaxError as error:
            self.report(["c", type(error).__name__, _text(error.msg), error.lineno or 0])
            return None
        except (ValueError, RecursionError, MemoryError, OverflowError) as error:
            self.report(["c", type(error).__name__, _text(error), 0])
            return None
        finally:
            gc.enable()
        namespace = sys.modules[MODULE].__dict__
        if counting:
            self.counter.start(_UNLIMITED if steps is None else max(steps, LOAD_STEPS))
        try:
            exec(code, namespace)
        except BaseException as error:
            self.report(["m" if type(error) is MemoryError else "l", type(error).__name__, _text(error), _line(error)])
            return None
        function = namespace.get(entry)
        if not callable(function):
            what = f"is a {type(function).__name__}, not callable" if entry in namespace else "is not defined"
            self.report(["n", "", f"{entry!r} {what}", 0])
            return None
        self.report(["r"])
        return function

    def plain_call(self, function: Any, arguments: list[Any], steps: int | None, trace: bool) -> list[Any]:
        """One call without counting."""
        try:
            return ["v", codec.encode(function(*arguments))]
        except codec.UnencodableError as error:
            return ["o", error.kind]
        except BaseException as error:
            return ["e", str(type(error).__name__), _text(error), _line(error)]

    def counted_call(self, function: Any, arguments: list[Any], steps: int | None, trace: bool) -> list[Any]:
        """One call with steps, and lines if traced."""
        limit = _UNLIMITED if steps is None else steps
        self.counter.start(limit)
        result = self.plain_call(function, arguments, steps, trace)
        used = limit - self.counter.remaining()
        if used > limit:
            # however the program ended after it: the limit was passed
            result = ["s"]
        result += [""] * (4 - len(result))
        blocks = self.blocks
        lines = sorted({line for block in self.counter.blocks for line in blocks[block]}) if trace else []
        return [*result, min(used, limit), lines]


_SAMPLE = b'''"""A program with the usual features."""
from typing import List
def sample(numbers: List[int], text):
    """Sorts."""
    total = {key: value for key, value in enumerate(numbers)}
    for index, number in enumerate(sorted(numbers, key=lambda item: -item)):
        while number > 1:
            number -= 1
        if index in total and number == 7:
            return None
        elif not numbers:
            continue
    try:
        numbers.append(len(text) / len(numbers))
    except ZeroDivisionError as error:
        raise ValueError(f"{error} {text!r:>10}") from error
    return [numbers, (text, 1.5), {"a": {1, 2}, **{str(k): v for k, v in total.items()}}, True]
'''


def warm_up(counter: instrument.Counter) -> None:
    """Exercise this module, so that what it touches first is touched once, here, and inherited."""
    report = Report(1 << 20, lambda descriptor, line: len(line))
    namespace = sys.modules[MODULE].__dict__
    program = Program(report, counter)
    for _ in range(12):
        for steps, trace in ((None, False), (100_000, False), (100_000, True)):
            program.run(_SAMPLE, "sample", '[[[3,1,2],"text"],[[],{"t":[1]}]]', steps, trace)
            program.run(b"def broken(:", "broken", "[]", steps, trace)
        report.room = 1 << 20
    namespace.clear()
    namespace.update(__name__=MODULE, __builtins__=builtins)
    random.seed(0)
