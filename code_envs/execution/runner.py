"""The one program that runs inside every sandbox: a zygote that forks one hardened child per job.

The zygote reads 36-byte headers from its input and never a body: the child reads the body itself, so no
candidate's source, arguments or results ever lie in the memory that the next child inherits. A child
compiles and loads the candidate, makes all calls of the job and writes one JSON line per call to
descriptor 3, a memory file. The zygote waits for it, kills what is left, replies with what it measured
and the bytes of the memory file, and then empties the scratch directory.

Frames: `code_envs.execution.wire`. Standard library only.
"""

from __future__ import annotations

import builtins
import gc
import json
import mmap
import os
import posix
import signal
import stat
import struct
import sys
import tempfile
import time
import types
import warnings
from collections.abc import Callable
from typing import Any

from code_envs.execution import hardening, instrument, pages, seccomp, wire
from code_envs.execution.candidate import FILENAME, MODULE, OUT_OF_MEMORY, RESULTS, Program, Report, warm_up
from code_envs.execution.protections import Plan
from code_envs.execution.waiting import CHILD, pause, wait_within

LINUX = sys.platform == "linux"
"""Elsewhere programs run under resource limits alone, which the runner says, and clients refuse unless asked."""
REQUESTS, REPLIES, ERRORS = 10, 11, 12
DRIVER_CPU_S, DRIVER_WALL_S = 30.0, 80.0
BODY_UNREAD, BODY_READ, CANDIDATE_STARTED = range(3)

# fmt: off
PRELOAD = (
    "abc", "array", "ast", "bisect", "cmath", "collections", "collections.abc", "contextlib", "copy", "dataclasses",
    "datetime", "decimal", "enum", "fractions", "functools", "hashlib", "heapq", "io", "itertools", "json", "keyword",
    "math", "numbers", "operator", "random", "re", "string", "struct", "statistics", "textwrap", "threading", "time",
    "traceback", "types", "typing", "unicodedata", "warnings",
)
# fmt: on


def _read(count: int) -> bytes:
    """Exactly so many bytes of the request stream."""
    chunks = []
    while count:
        chunk = os.read(REQUESTS, min(count, 1 << 20))
        if not chunk:
            raise EOFError(f"the request stream ended {count} bytes early")
        chunks.append(chunk)
        count -= len(chunk)
    return b"".join(chunks)


class _Zygote:
    """Forks, waits, replies, cleans."""

    def __init__(
        self,
        candidate_filter: seccomp.CandidateFilter | None,
        scratch: bool,
        sweep: Callable[[int], None],
        drive: Callable[..., None] | None,
        results: int | None,
    ) -> None:
        self.filter = candidate_filter
        self.results = results
        self.drive = drive
        self.scratch = scratch
        self.sweep = sweep
        self.is_init = os.getpid() == 1
        self.counter = instrument.Counter()
        self.report = Report(0)
        self.program = Program(self.report, self.counter)
        self.progress = mmap.mmap(-1, mmap.PAGESIZE)
        self.limits = hardening.ChildLimits()
        if results is not None:
            self.put_away(results)

    def serve(self) -> None:
        """Answer requests until the client closes the stream."""
        while True:
            first = os.read(REQUESTS, wire.REQUEST.size)
            if not first:
                return
            header = first + _read(wire.REQUEST.size - len(first))
            fields = wire.REQUEST.unpack(header)
            if fields[0] != wire.MAGIC or (fields[2] == wire.LANGUAGES["python"]) != (self.drive is None):
                raise ValueError(f"expected a request beginning {wire.MAGIC!r}, got {header[:9]!r}")
            self.job(fields)

    def job(self, fields: tuple[Any, ...]) -> None:
        """One job from fork to clean scratch."""
        results = _results() if self.results is None else self.results
        # room for the reply's header before the child's lines: header and body leave in one system call
        os.lseek(results, wire.REPLY.size, os.SEEK_SET)
        self.progress[0] = BODY_UNREAD
        self._lay_out_limits(*fields[4:10])
        started = time.monotonic()
        try:
            pid = os.fork()
        except OSError:
            _drain(fields[10])
            self.put_away(results)
            _write_all(wire.REPLY.pack(wire.MAGIC, fields[1], wire.END_REFUSED, *[0] * 8))
            return
        if pid == 0:
            self.child(fields)
        cpu_s, wall_s = fields[6] / 1000, fields[5] / 1000
        if self.drive is not None:  # the driver keeps to the limits: these are for a driver that fails to
            cpu_s, wall_s = cpu_s + DRIVER_CPU_S, wall_s + DRIVER_WALL_S
        end, status, usage = wait_within(pid, cpu_s, wall_s)
        wall_us = int((time.monotonic() - started) * 1e6)
        self.sweep(pid)
        progress = self.progress[0]
        if progress == BODY_UNREAD:
            raise EOFError("a child ended before it had read its body: the stream is out of step")
        if progress == BODY_READ:
            end = wire.END_REFUSED
        code = os.WEXITSTATUS(status)
        if end == wire.END_EXIT and os.WIFSIGNALED(status):
            end, code = wire.END_SIGNAL, os.WTERMSIG(status)
        size = max(os.fstat(results).st_size - wire.REPLY.size, 0)
        if size > fields[9] * 1024 + 4096:
            end, size = wire.END_OUTPUT, 0
        cpu_us = int((usage.ru_utime + usage.ru_stime) * 1e6)
        measured = (wall_us, cpu_us, usage.ru_maxrss, usage.ru_minflt)
        os.pwrite(results, wire.REPLY.pack(wire.MAGIC, fields[1], end, code, 0, *measured, 0, size), 0)
        _send(results, wire.REPLY.size + size)
        self.put_away(results)
        os.set_blocking(0, True)  # 0, 1 and 2 are one open file, which all candidates share
        if self.scratch:
            _empty(hardening.SCRATCH)

    def put_away(self, results: int) -> None:
        """Let go of the memory of a job's results; what stays holds nothing that one candidate could tell another."""
        if self.results is None:
            os.close(results)
            return
        os.ftruncate(results, 0)
        os.fchmod(results, 0o777)
        os.utime(results, (0, 0))
        os.set_blocking(results, True)

    def _lay_out_limits(
        self, open_files: int, wall_ms: int, cpu_ms: int, memory_mib: int, file_kib: int, output_kib: int
    ) -> None:
        file_bytes = max(file_kib, output_kib + 4) * 1024 + wire.REPLY.size
        self.limits.prepare(cpu_ms // 1000 + 2, file_bytes, open_files, memory_mib << 20)

    def child(self, fields: tuple[Any, ...]) -> None:
        """The child's whole life; it never returns."""
        try:
            if not LINUX:  # elsewhere no candidate has a child, and to unblock the signal costs 10 page faults of 280
                os.setpgid(0, 0)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, CHILD)
            elif not self.is_init:
                hardening.die_with_parent()
            body = _read(fields[10])
            self.progress[0] = BODY_READ
            source_length, entry_length, steps = wire.BODY.unpack_from(body)
            split = wire.BODY.size + source_length
            source = body[wire.BODY.size : split]
            entry = body[split : split + entry_length].decode()
            calls = body[split + entry_length :].decode()
            del body
            if self.drive is not None:
                self.progress[0] = CANDIDATE_STARTED
                os.closerange(RESULTS + 1, ERRORS)
                os.closerange(ERRORS + 1, 64)
                self.drive(fields[2], fields[4:10], self.filter, source, entry, calls)
                os._exit(0)
            self.limits.apply()
            if self.filter is not None:
                self.filter.install()
            self.progress[0] = CANDIDATE_STARTED
            self.progress.close()
            os.closerange(RESULTS + 1, 64)
        except BaseException as error:
            if self.drive is not None and self.progress[0] == CANDIDATE_STARTED:
                self.progress[0] = BODY_READ  # the driver failed, not the candidate
            os.write(ERRORS, f"runner: a child could not be set up: {error!r}\n".encode())
            os._exit(97)
        try:
            self.report.room = fields[9] * 1024
            self.program.run(source, entry, calls, steps - 1 if steps else None, bool(fields[3] & wire.TRACE))
        except MemoryError:
            os.write(RESULTS, OUT_OF_MEMORY)
        finally:
            os._exit(0)


# ------------------------------------------------------------------------------------------ the zygote


def _write_all(data: bytes) -> None:
    while data:
        data = data[os.write(REPLIES, data) :]


def _results() -> int:
    """A file that only the caller has, in memory where the system can; its descriptor is `RESULTS`."""
    if LINUX:
        descriptor = os.memfd_create("results", 0)
    else:
        descriptor, path = tempfile.mkstemp()
        os.unlink(path)
        os.set_inheritable(descriptor, True)
    if descriptor != RESULTS:
        raise OSError(f"descriptor {RESULTS} must be free for results, and {descriptor} was given")
    return descriptor


def _send(results: int, total: int) -> None:
    """Reply with the first bytes of a file."""
    offset = 0
    while offset < total:
        if LINUX:
            offset += os.sendfile(REPLIES, results, offset, total - offset)
        else:
            offset += os.write(REPLIES, os.pread(results, min(total - offset, 1 << 20), offset))


def _drain(count: int) -> None:
    """Read past a body that no child will read; the only body that this process ever touches."""
    _read(count)


def _empty(directory: str) -> None:
    """Remove everything in a directory, of any depth and mode, without recursion; its times are 0 after it.

    Raises:
        OSError: If something stays; the caller must not serve another job.
    """
    os.chmod(directory, 0o700)  # a candidate may have closed it
    names = os.listdir(directory)
    number = 0
    while names:
        for name in names:
            path = os.path.join(directory, name)
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                os.unlink(path)
                continue
            os.chmod(path, 0o700)
            for inner in os.listdir(path):
                # a directory can move only if its own ".." may be rewritten
                inner_path = os.path.join(path, inner)
                if stat.S_ISDIR(os.lstat(inner_path).st_mode):
                    os.chmod(inner_path, 0o700)
                number += 1
                os.rename(inner_path, os.path.join(directory, f".{number}.{time.monotonic_ns()}"))
            os.rmdir(path)
        names = os.listdir(directory)
    os.utime(directory, (0, 0))  # a candidate may have set them for the next one to read


# ------------------------------------------------------------------------------------------- the start


def _preload() -> None:
    """Import what candidates import; the boot program has switched off fork hooks until here."""
    for name in PRELOAD:
        __import__(name)
    os.register_at_fork = posix.register_at_fork
    import _sitebuiltins

    for name in ("exit", "quit"):
        setattr(builtins, name, _sitebuiltins.Quitter(name, "Ctrl-D (i.e. EOF)"))
    warnings.simplefilter("ignore")
    sys.path[:] = [entry for entry in sys.path if entry]
    for name in [name for name in sys.modules if name.partition(".")[0] == "code_envs"]:
        del sys.modules[name]
    module = types.ModuleType(MODULE)
    sys.modules[MODULE] = module
    sys.argv[:] = [FILENAME]


def _move_streams() -> None:
    """Client's pipes to high numbers; 0, 1 and 2 become the null device for good."""
    for source, target in ((0, REQUESTS), (1, REPLIES), (2, ERRORS)):
        os.dup2(source, target, inheritable=False)
    null = os.open(os.devnull, os.O_RDWR)
    for target in (0, 1, 2):
        os.dup2(null, target)
    os.closerange(RESULTS, REQUESTS)
    os.closerange(ERRORS + 1, 4096)


def main(config: dict[str, Any]) -> None:
    """Harden, say hello, serve. Ends the process."""
    try:
        _start(config)
    except BaseException as error:
        os.write(ERRORS, f"runner: {type(error).__name__}: {error}\n".encode())
        os._exit(3)
    os._exit(0)


def _start(config: dict[str, Any]) -> None:
    _move_streams()
    tools, paths, drive = _toolchain(config["harness"]) if config["toolchain"] else ({}, None, None)
    _preload()
    if LINUX:
        code = pages.Listing()
        pages.own_code_pages(code)
        code.close()
    plan = Plan(config["namespaces"], paths)
    memory = _leave(plan, config["watch_parent"])
    scratch = plan.namespaces != "none"
    if plan.programs and not scratch:
        tools = {}
        plan.missing["tools"] = "compilers need a scratch directory, and so namespaces or a container"
    os.chdir(hardening.SCRATCH if scratch else "/")
    if scratch:
        _empty(hardening.SCRATCH)  # a container's is open to all
    sweep = _sweeper(plan)
    _give_up_rights(plan)
    alone = _candidates_are_alone(plan)
    results = _results() if alone else None
    _confine(plan, scratch, alone)
    candidate_filter = seccomp.CandidateFilter(plan.programs) if "seccomp" in plan.layers and not alone else None
    zygote = _Zygote(candidate_filter, scratch, sweep, drive, results)
    warm_up(zygote.counter)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, CHILD)
    gc.collect()
    gc.freeze()
    if memory is not None:
        pages.join_pages(memory)
        memory.close()
    hello = {
        "level": plan.level,
        "layers": plan.layers,
        "missing": plan.missing,
        "python": ".".join(map(str, sys.version_info[:3])),
        "tools": tools,
    }
    text = json.dumps(hello).encode()
    _write_all(wire.HELLO + struct.pack("<I", len(text)) + text)
    zygote.serve()


def _toolchain(harness: str) -> tuple[dict[str, str], list[str], Callable[..., None]]:
    """Tools of other languages: their versions, what they read, and what compiles and runs a program with them."""
    from code_envs.execution import toolchain

    names = {number: name for name, number in wire.LANGUAGES.items()}

    def drive(
        operation: int, limits: tuple[int, ...], candidate_filter: seccomp.CandidateFilter | None, *job: Any
    ) -> None:
        def confine() -> None:
            if candidate_filter is not None:
                candidate_filter.install()

        toolchain.Driver(names[operation], limits, confine, harness).run(*job)

    return toolchain.find_tools(), toolchain.readable_paths(), drive


def _leave(plan: Plan, watch_parent: bool) -> pages.Listing | None:
    """Go on in a child, in namespaces and a file system of its own where the plan has them.

    Returns:
        The memory map of the process that goes on; None where there is no such thing.
    """
    if not LINUX:
        return None  # nothing to leave, and no way to see what is left behind but the group of each child
    if plan.namespaces == "container":
        return pages.Listing()
    parent = os.getppid() if watch_parent else None
    hardening.adopt_orphans()
    children = hardening.open_children()
    if plan.namespaces != "none":
        hardening.enter_namespaces(plan.namespaces == "user")
    inner = os.fork()
    if inner:
        os._exit(_guard(inner, parent, children))
    os.close(children)
    memory = pages.Listing()
    uid = 1000 if plan.namespaces == "user" else plan.uid
    if plan.namespaces != "none":
        hardening.new_root(plan.readable, uid or 0, uid or 0, plan.programs)
    return memory


def _sweeper(plan: Plan) -> Callable[[int], None]:
    """What ends the processes that the job of a child left behind."""
    if not LINUX:
        return hardening.kill_group
    if plan.namespaces != "none":
        return lambda pid: hardening.kill_namespace()
    if "seccomp" in plan.layers:
        return lambda pid: None  # no candidate can start a process
    hardening.adopt_orphans()
    listing = hardening.open_children()
    return lambda pid: hardening.kill_children(listing)


def _give_up_rights(plan: Plan) -> None:
    hardening.limit_resources()
    if not LINUX:
        return
    hardening.drop_root(None if plan.namespaces == "user" else plan.uid)
    hardening.die_with_parent()
    if plan.programs:
        hardening.hide_memory()


def _candidates_are_alone(plan: Plan) -> bool:
    """Whether a candidate has this process beside it, no other, and cannot start one.

    Then one filter serves both, and one memory file serves all jobs. What a candidate of a machine without that limit
    would start, it is denied by a filter of its own. Measured: 3 % of a small job.
    """
    if os.getpid() != 1 or plan.programs or "seccomp" not in plan.layers:
        return False
    return hardening.attempt(hardening.limit_processes) is None


def _confine(plan: Plan, scratch: bool, alone: bool) -> None:
    if "landlock" in plan.layers:
        readable = [*plan.readable, "/proc"] if plan.programs and os.path.isdir("/proc/self") else plan.readable
        hardening.restrict_files(readable, [hardening.SCRATCH] if scratch else [], plan.programs)
    if "seccomp" in plan.layers:
        seccomp.restrict_system_calls(guard_metadata=not scratch, programs=plan.programs, alone=alone)


def _guard(inner: int, parent: int | None, children: int) -> int:
    """Outside the namespaces: end everything when the client is gone. Returns the exit code."""
    for descriptor in (REQUESTS, REPLIES):
        os.close(descriptor)
    signal.pthread_sigmask(signal.SIG_BLOCK, CHILD)
    while True:
        pause(0.25)
        done, status = os.waitpid(inner, os.WNOHANG)
        if done:
            hardening.kill_children(children)
            return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 4
        # not the kernel's parent-death signal: that one fires when the starting thread ends
        if parent is not None and os.getppid() != parent:
            hardening.kill_children(children)
            return 0
