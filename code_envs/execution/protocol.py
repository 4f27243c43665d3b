"""The trusted end of the wire: a `Job` as bytes, and a reply's hostile bytes as an `Outcome`.

A reply's header is the runner's own measurement. Its body was written by the candidate's process and
may be anything: it is parsed as JSON, checked for shape, and never evaluated. Layout in
`code_envs.execution.wire`.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import lru_cache
from typing import Any

from code_envs.errors import ConfigurationError
from code_envs.execution import diagnostics, wire
from code_envs.execution.executor import CallResult, CallStatus, Diagnostic, Job, Limits, Outcome, Status

__all__ = ["REPLY_SIZE", "Reply", "check", "outcome", "request", "wall_s", "without_results"]

MAX_BODY = 16 << 20
_SIGKILL, _SIGXCPU = 9, 24
REPLY_SIZE = wire.REPLY.size

_decode = json.JSONDecoder().decode
_NOT_RUN = CallResult(CallStatus.NOT_RUN)
_MANY_DIGITS = re.compile(rb"[0-9]{4301}")


def _short(digits: str) -> int:
    """int() of very long digit runs is quadratic where a program lifted Python's limit of 4,300 digits."""
    if len(digits) > 4300:
        raise ValueError("it holds a number of more than 4300 digits")
    return int(digits)


# slower: for reports with so many digits, which may as well be in a text
_decode_digits = json.JSONDecoder(parse_int=_short).decode


def wall_s(limits: Limits) -> float:
    """The wall clock that a job may use, s."""
    return max(10 * limits.cpu_s, limits.cpu_s + 5) if limits.wall_s is None else limits.wall_s


@lru_cache(maxsize=1024)
def _count_calls(calls: bytes, texts: bool) -> int:
    """Number of calls in a job; a suite hands the same bytes every time. `texts`: each has one text as its argument."""
    try:
        parsed = json.loads(calls)
    except ValueError as error:
        raise ConfigurationError(f"Job.calls is not JSON ({error}); build it with values.encode_calls.") from error
    if not isinstance(parsed, list) or not all(isinstance(each, list) for each in parsed):
        raise ConfigurationError("Job.calls must be a JSON array of argument lists; build it with values.encode_calls.")
    if texts and not all(len(each) == 1 and type(each[0]) is str for each in parsed):
        raise ConfigurationError(
            "A job without an entry runs the whole program: each call must have one argument, the text of its standard "
            "input, such as values.encode_calls([['3 4']])."
        )
    return len(parsed)


@lru_cache(maxsize=256)
def _limit_fields(limits: Limits) -> tuple[int, ...]:
    """The header's fields from `open_files` to `output_kib`, checked once per distinct limits."""
    fields = (
        limits.open_files,
        round(wall_s(limits) * 1000),
        round(limits.cpu_s * 1000),
        limits.memory_mib,
        limits.file_kib,
        limits.output_kib,
    )
    whole = all(type(field) is int for field in fields)
    if not whole or min(fields[1:]) < 1 or fields[0] < 16 or fields[0] > 64 or max(fields) >= 1 << 31:
        raise ConfigurationError(
            f"Limits must be positive, with 16 to 64 open files and times of at least 1 ms, not {limits}."
        )
    if limits.steps is not None and (type(limits.steps) is not int or not 0 < limits.steps < 1 << 62):
        raise ConfigurationError(f"Limits.steps must be None or a positive int, not {limits.steps!r}.")
    return fields


def check(job: Job) -> int:
    """The number of calls of a job that can be sent.

    Raises:
        ConfigurationError: If its limits or calls cannot be used, or it is larger than 16 MiB.
    """
    _limit_fields(job.limits)
    if job.language != "python":
        _check_language(job)
    if len(job.source) + len(job.calls) > MAX_BODY:
        raise ConfigurationError(
            f"A job may hold 16 MiB; this one has {len(job.source)} bytes of source and {len(job.calls)} of calls."
        )
    return _count_calls(job.calls, not job.entry and job.language != "python")


def _check_language(job: Job) -> None:
    if job.language not in wire.LANGUAGES:
        raise ConfigurationError(f"Job.language must be one of {list(wire.LANGUAGES)}, not {job.language!r}.")
    if job.trace or job.limits.steps is not None:
        raise ConfigurationError(
            f"Steps are counted and lines traced in Python programs only: leave Job.trace and Limits.steps off for "
            f"{job.language!r}."
        )
    if job.entry and job.language != "javascript":
        raise ConfigurationError(
            f"Functions are called in Python and JavaScript; a {job.language!r} program runs as a whole: use entry='', "
            "and one text per call, its standard input."
        )


def request(number: int, job: Job) -> bytes:
    """One request frame."""
    limits = job.limits
    entry = job.entry.encode()
    source, calls = job.source, job.calls
    size = wire.BODY.size + len(source) + len(entry) + len(calls)
    steps = 0 if limits.steps is None else limits.steps + 1
    header = wire.REQUEST.pack(
        wire.MAGIC,
        number,
        wire.LANGUAGES[job.language],
        wire.TRACE if job.trace else 0,
        *_limit_fields(limits),
        size,
    )
    return b"".join((header, wire.BODY.pack(len(source), len(entry), steps), source, entry, calls))


class Reply:
    """The header of a reply: what the runner itself measured."""

    __slots__ = ("code", "cpu_us", "end", "job", "length", "max_rss_kib", "minor_faults", "valid", "wall_us")

    def __init__(self, data: bytes | bytearray) -> None:
        fields = wire.REPLY.unpack_from(data)
        self.valid = fields[0] == wire.MAGIC
        self.job: int = fields[1]
        self.end: int = fields[2]
        self.code: int = fields[3]
        self.wall_us: int = fields[5]
        self.cpu_us: int = fields[6]
        self.max_rss_kib: int = fields[7]
        self.minor_faults: int = fields[8]
        self.length: int = fields[10]

    @property
    def refused(self) -> bool:
        """Whether the runner could not start or harden a process for the job."""
        return self.end == wire.END_REFUSED


def without_results(status: Status, count: int, message: str, reply: Reply | None = None, line: int = 0) -> Outcome:
    """An outcome none of whose calls was reported."""
    return _build(status, (_NOT_RUN,) * count, message, line, reply)


def _build(
    status: Status, results: tuple[CallResult, ...], message: str, line: int, reply: Reply | None, code: int = 0
) -> Outcome:
    if reply is None:
        return Outcome(status, results, message, line)
    return Outcome(status, results, message, line, code, reply.cpu_us * 1e-6, reply.wall_us * 1e-6, reply.max_rss_kib)


def outcome(reply: Reply, body: bytes, count: int, language: str = "python") -> Outcome:
    """What a reply says about a job of `count` calls."""
    ended = _ended(reply)
    try:
        lines = _parse(body, complete=ended is Status.OK)
        if language != "python":
            return _of_toolchain(reply, lines, count, ended)
        return _judge(reply, lines, count, ended)
    except (ValueError, RecursionError, MemoryError) as error:
        if ended is Status.OK or ended is Status.EXITED:
            return without_results(Status.BAD_OUTPUT, count, f"The output is no report: {error}"[:200], reply)
        return _build(ended, (_NOT_RUN,) * count, "", 0, reply, _code(reply, ended))


def _ended(reply: Reply) -> Status:
    """How the process ended, as seen from outside."""
    if reply.end == wire.END_EXIT:
        return Status.OK if reply.code == 0 else Status.EXITED
    if reply.end == wire.END_CPU:
        return Status.CPU_LIMIT
    if reply.end == wire.END_WALL:
        return Status.WALL_LIMIT
    if reply.end == wire.END_OUTPUT:
        return Status.OUTPUT_LIMIT
    if reply.code == _SIGXCPU:
        return Status.CPU_LIMIT
    # a SIGKILL that the runner did not send is the kernel's, out of memory
    return Status.MEMORY_LIMIT if reply.code == _SIGKILL else Status.CRASHED


def _code(reply: Reply, status: Status) -> int:
    return reply.code if status in (Status.EXITED, Status.CRASHED) else 0


def _parse(body: bytes, complete: bool) -> list[Any]:
    """The lines of a report. The last one may be cut off, unless the process ended by itself."""
    end = body.rfind(b"\n") + 1
    if complete and end != len(body):
        raise ValueError("its last line is cut off")
    if not end:
        return []
    decode = _decode_digits if end > 4300 and _MANY_DIGITS.search(body) else _decode
    lines: list[Any] = decode("[" + body[: end - 1].decode().replace("\n", ",") + "]")
    return lines


def _judge(reply: Reply, lines: list[Any], count: int, ended: Status) -> Outcome:
    first = lines[0] if lines else ["r"]
    if first != ["r"]:
        if len(lines) == 1 and ended is Status.OK:
            return _not_loaded(reply, first, count)
        raise ValueError("it does not begin with a load line")
    if len(lines) > count + 1:
        last = lines.pop()
        if last not in (["x"], _MEMORY) or len(lines) > count + 1:
            raise ValueError(f"it holds {len(lines)} lines for {count} calls")
        lines.append(last)
    status = ended
    if len(lines) > 1 and lines[-1] in (["x"], _MEMORY):
        status = Status.OUTPUT_LIMIT if lines.pop() == ["x"] else Status.MEMORY_LIMIT
    results = [_call_result(line) for line in lines[1:]]
    missing = count - len(results)
    if missing:
        results += (_NOT_RUN,) * missing
    if status is Status.OK and (missing or not lines):
        status = Status.EXITED
    return _build(status, tuple(results), "", 0, reply, _code(reply, status))


def _of_toolchain(reply: Reply, lines: list[Any], count: int, ended: Status) -> Outcome:
    """An outcome of a program that a driver compiled and ran (`code_envs.execution.toolchain`)."""
    found: tuple[Diagnostic, ...] = ()
    if _is_line(lines[:1], "d", int, str):
        _, failed, text = lines.pop(0)
        found = diagnostics.parse(text, bool(failed))
        if failed:
            first = next(each for each in found if each.severity == "error")
            refused = without_results(Status.COMPILE_ERROR, count, first.message, reply, first.line)
            return replace(refused, diagnostics=found)
    ending = lines.pop() if _is_line(lines[-1:], "l", str, int, str) else None
    judged = _judge(reply, lines, count, ended)
    if ending is not None and ending[1] in _ENDINGS:
        if not 0 <= ending[2] < 256:
            raise ValueError("its last line holds no exit code")
        judged = replace(judged, status=Status(ending[1]), code=ending[2], message=ending[3][:300])
    return replace(judged, diagnostics=found + judged.diagnostics)


def _is_line(lines: list[Any], tag: str, *kinds: type) -> bool:
    """Whether there is a line with this tag, and with what it should hold."""
    if not lines or type(lines[0]) is not list or len(lines[0]) != 1 + len(kinds) or lines[0][0] != tag:
        return False
    return all(type(item) is kind for item, kind in zip(lines[0][1:], kinds, strict=True))


_ENDINGS = frozenset(
    {
        Status.EXITED,
        Status.CRASHED,
        Status.CPU_LIMIT,
        Status.WALL_LIMIT,
        Status.OUTPUT_LIMIT,
        Status.MEMORY_LIMIT,
    }
)


_MEMORY = ["m", "MemoryError", "the report did not fit into memory", 0]
_LOAD_STATUS = {
    "c": Status.COMPILE_ERROR,
    "l": Status.LOAD_ERROR,
    "m": Status.MEMORY_LIMIT,
    "n": Status.NO_ENTRY,
}


def _not_loaded(reply: Reply, line: Any, count: int) -> Outcome:
    if line == ["x"]:
        return without_results(Status.OUTPUT_LIMIT, count, "", reply)
    if type(line) is not list or len(line) != 4:
        raise ValueError("it does not begin with a load line")
    tag, kind, message, number = line
    if type(tag) is not str or tag not in _LOAD_STATUS or type(kind) is not str or type(message) is not str:
        raise ValueError("its load line is malformed")
    if type(number) is not int or not 0 <= number < 1 << 31:
        raise ValueError("its load line names no line")
    text = f"{kind}: {message}" if kind else message
    loaded = without_results(_LOAD_STATUS[tag], count, text[:300], reply, number)
    return replace(loaded, diagnostics=(Diagnostic("error", text[:200], number),)) if tag == "c" else loaded


def _call_result(line: Any) -> CallResult:
    """One call's line, whose shape is checked and whose value is left as it is."""
    if type(line) is not list:
        raise ValueError("a line is not a list")
    size = len(line)
    if size == 2 and line[0] == "v":
        return CallResult(CallStatus.VALUE, line[1])
    if size == 6:
        steps, lines = line[4], line[5]
        if type(steps) is not int or not 0 <= steps <= 1 << 62:
            raise ValueError("a line holds no number of steps")
        if type(lines) is not list or not all(type(number) is int and 0 < number < 1 << 31 for number in lines):
            raise ValueError("a line holds no line numbers")
        return _tagged(line, steps, tuple(lines))
    return _tagged(line, 0, ())


def _tagged(line: list[Any], steps: int, lines: tuple[int, ...]) -> CallResult:
    tag = line[0] if line else None
    if tag == "v" and len(line) > 1:
        return CallResult(CallStatus.VALUE, line[1], steps=steps, lines=lines)
    if tag == "s":
        return CallResult(CallStatus.STEP_LIMIT, steps=steps, lines=lines)
    if tag == "o" and len(line) > 1 and type(line[1]) is str:
        return CallResult(CallStatus.OPAQUE, message=line[1][:200], steps=steps, lines=lines)
    if tag == "e" and len(line) > 3:
        _, name, message, number = line[:4]
        if type(name) is str and type(message) is str and type(number) is int and 0 <= number < 1 << 31:
            return CallResult(CallStatus.EXCEPTION, None, name[:200], message[:200], number, steps, lines)
    raise ValueError("a line is malformed")
