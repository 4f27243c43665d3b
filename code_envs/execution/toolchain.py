"""Programs in languages other than Python: compile, run once per call, report.

This is the driver, which is trusted: it stays in the runner's child, and the compiler and the candidate are
processes of their own below it. A candidate's process can start no other, signal none and touch no other's memory,
so what the driver reports about it is true. A JavaScript function is called inside the candidate's process, by
`candidate.js`, which reports for itself, as Python candidates do, but into a file of its own, to which the driver adds.

The report is that of `code_envs.execution.candidate`, with two more lines: `["d", exit code, text]` is what the
compiler said, and a last line `["l", status, code, standard error]` how a program ended: one that could not report, or
one that reported for itself, with the status "ok" where nothing is to be added. Runs inside the sandbox: standard
library only.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from typing import NamedTuple

from code_envs.execution import hardening, wire
from code_envs.execution.candidate import RESULTS, Report
from code_envs.execution.waiting import CHILD, wait_within

__all__ = ["Driver", "Language", "find_tools", "readable_paths"]

PATH = "/usr/local/bin:/usr/bin:/bin"
COMPILER_CPU_S, COMPILER_WALL_S, COMPILER_MIB = 10, 60.0, 1024
COMPILER_TEXT, ERROR_TEXT = 1 << 16, 1 << 12
COMPILER_FILE = 32 << 20
THREADS = 256
MACHINE_STACK = 8 << 20
ENDING_ROOM = 2048
JAVA_HEAD = 1 << 20


class Language(NamedTuple):
    """How programs of a language are compiled and run.

    The command lines may hold `{stem}`, the name of the program's file, `{main}`, the type that begins, and `{mib}`,
    the program's memory. A virtual machine takes `start_s` of CPU time and `start_mib` of memory before the program.
    """

    suffix: str
    version: tuple[str, ...]
    check: tuple[str, ...]
    build: tuple[str, ...]
    run: tuple[str, ...]
    start_s: float = 0.0
    start_mib: int = 0


_PLAIN = ("-fno-diagnostics-show-caret", "-fdiagnostics-color=never")
# what gcc 12 warns of and gcc 14 refuses: a count of errors must not hang on that
_C = ("gcc", "-std=gnu17", *_PLAIN, "-Wno-error=implicit-function-declaration", "-Wno-error=implicit-int",
      "-Wno-error=int-conversion", "-Wno-error=incompatible-pointer-types")  # fmt: skip
_CPP = ("g++", "-std=gnu++17", *_PLAIN)
_JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Xshare:auto")
_JAVAC = ("javac", *(f"-J{flag}" for flag in (*_JVM, "-Xmx384m")), "-proc:none", "-encoding", "UTF-8",
          "-d", "classes", "{stem}.java")  # fmt: skip
_NODE = ("node", "--random-seed=1", "--v8-pool-size=1", "--max-old-space-size={mib}")

TABLE = {
    "c": Language(
        ".c",
        ("gcc", "-dumpfullversion"),
        (*_C, "-fsyntax-only", "{stem}.c"),
        (*_C, "-O1", "-o", "program", "{stem}.c", "-lm"),
        ("./program",),
    ),
    "cpp": Language(
        ".cpp",
        ("g++", "-dumpfullversion"),
        (*_CPP, "-fsyntax-only", "{stem}.cpp"),
        (*_CPP, "-O1", "-o", "program", "{stem}.cpp"),
        ("./program",),
    ),
    "javascript": Language(".js", ("node", "--version"), (), (), (*_NODE, "{stem}.js"), 0.1, 192),
    "java": Language(
        ".java",
        ("javac", "--version"),
        _JAVAC,
        _JAVAC,
        ("java", *_JVM, "-Xmx{mib}m", "-cp", "classes", "{main}"),
        0.6,
        320,
    ),
}


def find_tools() -> dict[str, str]:
    """Version of the compiler or interpreter of each language there is one for."""
    found = {}
    for name, language in TABLE.items():
        if shutil.which(language.version[0], path=PATH) is not None:
            answer = subprocess.run(language.version, env={"PATH": PATH}, capture_output=True, text=True, timeout=60)
            if answer.returncode == 0:
                found[name] = f"{language.version[0]} {answer.stdout.split()[-1]}"
    return found


def readable_paths() -> list[str]:
    """What compilers and interpreters need beside the standard library: absolute paths that exist here."""
    places = ["/usr/bin", "/bin", "/usr/include", "/usr/libexec", "/usr/share/nodejs", "/usr/local"]
    places += ["/etc/alternatives", "/etc/ssl/openssl.cnf", *glob.glob("/etc/java*")]
    return [place for place in places if os.path.exists(place)]


class Driver:
    """Compiles and runs the program of one job.

    Args:
        language: Name of its language.
        limits: open_files, wall_ms, cpu_ms, memory_mib, file_kib, output_kib of the job.
        confine: Locks the calling process into the filter of candidates.
        harness: The text of `candidate.js`.
    """

    def __init__(self, language: str, limits: tuple[int, ...], confine: Callable[[], None], harness: str) -> None:
        self.language = TABLE[language]
        self.open_files, wall_ms, cpu_ms, self.memory_mib, file_kib, output_kib = limits
        self.confine = confine
        self.harness = harness
        self.cpu_s = cpu_ms / 1000
        self.deadline = time.monotonic() + wall_ms / 1000
        self.output = output_kib * 1024
        self.file_size = max(file_kib * 1024, self.output)
        self.report = Report(self.output)
        os.set_inheritable(RESULTS, False)
        hardening.adopt_orphans()

    def run(self, source: bytes, entry: str, calls: str) -> None:
        """Run a whole job."""
        inputs = json.loads(calls)
        stem, main = _names(source) if self.language.suffix == ".java" else ("candidate", "")
        with open(stem + self.language.suffix, "wb") as file:
            file.write(source)
        names = {"stem": stem, "main": main, "mib": self.memory_mib}
        command = self.language.build if inputs else self.language.check
        if command:
            if self.compile([word.format(**names) for word in command]):
                self.report(["r"])
                self.programs([word.format(**names) for word in self.language.run], inputs)
            return
        harness = [word.format(**names | {"stem": "harness"}) for word in self.language.run]
        if entry or not inputs:
            self.functions(harness, entry, calls)
        elif self.functions(harness, "", "[]", last=False):
            self.programs([word.format(**names) for word in self.language.run], inputs)

    def compile(self, command: list[str]) -> bool:
        """Whether the program compiles; reports what the compiler says."""
        said = os.memfd_create("said")
        started = time.monotonic()
        pid = self._start(command, (os.memfd_create("nothing"), said, said), self._limit_compiler)
        end, status, _ = wait_within(pid, COMPILER_CPU_S, COMPILER_WALL_S)
        _reap(pid)
        self.deadline += time.monotonic() - started
        if end != wire.END_EXIT or os.WIFSIGNALED(status):
            self.report(["c", "CompilerLimit", "the compiler used more time or memory than it may", 0])
            return False
        code = os.WEXITSTATUS(status)
        self.report(["d", code, _messages(said)])
        return code == 0

    def programs(self, command: list[str], inputs: list[list[str]]) -> None:
        """Run the program once per call, and report what each run wrote."""
        for (text,) in inputs:
            output, errors = os.memfd_create("output"), os.memfd_create("errors")
            pid = self._start(command, (_file(text), output, errors), self._limit_program)
            name, code, said = self._ended(pid, errors)
            if os.fstat(output).st_size >= self.output:
                self.report(["x"])
                return
            if name not in ("ok", "exited", "crashed"):
                self.report(["l", name, code, said])
                return
            written = ["v", _read(output, self.output)]
            self.report(written if name == "ok" else ["e", name.capitalize(), f"{code} {said}".strip(), 0])
            os.close(output)
            os.close(errors)

    def functions(self, command: list[str], entry: str, calls: str, last: bool = True) -> bool:
        """Call a JavaScript function inside a process of the candidate's; whether it loaded, and no more.

        Without an entry no line of the candidate runs, and what is reported is true.
        """
        with open("harness.js", "w") as file:
            file.write(self.harness)
        output, errors, report = (os.memfd_create(name) for name in ("output", "errors", "report"))
        text = json.dumps({"entry": entry, "limit": self.report.room, "calls": json.loads(calls)})
        pid = self._start(command, (_file(text), output, errors, report), self._limit_program)
        name, code, said = self._ended(pid, errors)
        loaded = name == "ok" and os.pread(report, 8, 0) == b'["r"]\n'
        self._forward(report)
        if last or not loaded:
            self.report.room = ENDING_ROOM
            self.report(["l", name, code, said])
        return loaded

    def _forward(self, report: int) -> None:
        """Add to the report what the candidate's process wrote: whole lines, or it is too much."""
        size = os.fstat(report).st_size
        data = os.pread(report, size, 0) if size <= self.report.room + ENDING_ROOM else b'["x"]\n'
        os.write(RESULTS, data[: data.rfind(b"\n") + 1])
        self.report.room -= len(data)

    def _ended(self, pid: int, errors: int) -> tuple[str, int, str]:
        """How a program ended: a status, an exit code or signal number, and what it said about it."""
        name, code = self._wait(pid)
        said = "" if name == "ok" else _read(errors, ERROR_TEXT)
        if name == "crashed" and "heap out of memory" in said:
            name, code = "memory_limit", 0
        if self.language.start_mib and name != "exited":
            said = ""  # a virtual machine's last words hold addresses and times, which no two runs share
        return name, code, said.strip()[:180]

    def _wait(self, pid: int) -> tuple[str, int]:
        """How a program ended: a status and an exit code or signal number."""
        start_s = self.language.start_s
        end, status, usage = wait_within(pid, self.cpu_s + start_s, self.deadline - time.monotonic())
        self.cpu_s -= max(usage.ru_utime + usage.ru_stime - start_s, 0.0)
        if end != wire.END_EXIT:
            return ("cpu_limit" if end == wire.END_CPU else "wall_limit"), 0
        if not os.WIFSIGNALED(status):
            code = os.WEXITSTATUS(status)
            return ("exited" if code else "ok"), code
        number = os.WTERMSIG(status)
        return _BY_SIGNAL.get(number, "crashed"), 0 if number in _BY_SIGNAL else number

    def _start(self, command: list[str], streams: tuple[int, ...], limit: Callable[[], None]) -> int:
        """Start a program in a process of its own, with these as its descriptors from 0 on; the first is used up."""
        pid = os.fork()
        if pid:
            os.close(streams[0])
            return pid
        try:
            for target, descriptor in enumerate(streams):
                os.dup2(descriptor, target)
            for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and a program would inherit that
                signal.signal(number, signal.SIG_DFL)
            limit()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, CHILD)
            os.execvpe(command[0], command, {"PATH": PATH, "LANG": "C.UTF-8", "HOME": hardening.SCRATCH})
        except BaseException as error:
            os.write(2, f"{command[0]} could not be started: {error}\n".encode())
        finally:
            os._exit(127)

    def _limit_compiler(self) -> None:
        os.setpgid(0, 0)  # the processes that it starts end with it, see `_reap`
        resource.setrlimit(resource.RLIMIT_CPU, (COMPILER_CPU_S, COMPILER_CPU_S + 1))
        resource.setrlimit(resource.RLIMIT_FSIZE, (COMPILER_FILE, COMPILER_FILE))
        resource.setrlimit(resource.RLIMIT_DATA, (COMPILER_MIB << 20, COMPILER_MIB << 20))
        resource.setrlimit(resource.RLIMIT_NPROC, (THREADS, THREADS))

    def _limit_program(self) -> None:
        seconds = int(self.cpu_s + self.language.start_s) + 2
        machine = self.language.start_mib
        memory = self.memory_mib + machine << 20
        processes = THREADS if machine else 1
        files = self.open_files + (32 if machine else 0)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.file_size, self.file_size))
        resource.setrlimit(resource.RLIMIT_DATA if machine else resource.RLIMIT_AS, (memory, memory))
        if machine:  # the stack is no part of what RLIMIT_DATA counts
            hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
            stack = MACHINE_STACK if hard == resource.RLIM_INFINITY else min(hard, MACHINE_STACK)
            resource.setrlimit(resource.RLIMIT_STACK, (stack, stack))
        resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        self.confine()


_BY_SIGNAL: dict[int, str] = {
    signal.SIGXCPU: "cpu_limit",
    signal.SIGXFSZ: "output_limit",
    signal.SIGKILL: "memory_limit",  # not ours: the kernel's, out of memory
}


def _file(text: str) -> int:
    """A file in memory, to be read from its beginning."""
    descriptor = os.memfd_create("input")
    data = text.encode(errors="surrogatepass")
    while data:
        data = data[os.write(descriptor, data) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _reap(group: int) -> None:
    """End what a compiler left behind, and wait for it: its time counts, too."""
    with contextlib.suppress(ProcessLookupError):  # nothing is left
        os.killpg(group, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):  # that was the last
        while True:
            os.waitpid(-1, 0)


# gcc's files between its steps have random names
_TEMPORARY = re.compile(r"/tmp/cc\w{6}")


def _messages(said: int) -> str:
    """What a compiler said, cut; where it is too long, errors come first: warnings must not hide them."""
    text = _TEMPORARY.sub("/tmp/cc", _read(said, COMPILER_FILE))
    if len(text) <= COMPILER_TEXT:
        return text
    return "\n".join(line for line in text.splitlines() if "error" in line)[:COMPILER_TEXT]


def _read(descriptor: int, limit: int) -> str:
    return os.pread(descriptor, limit, 0).decode(errors="replace")


# every alternative matches in one pass, whatever the text: this is the driver's own time
_JAVA = re.compile(
    r"""/\*.*?(?:\*/|\Z) | //[^\n]* | \"{3}(?:\\.|[^\\])*?(?:\"{3}|\Z) | "(?:\\.|[^"\\\n])*"? | '(?:\\.|[^'\\\n])*'?
    | (?P<open>\{) | (?P<close>\}) | \bpackage\s+(?P<package>[\w.]+) | \b(?P<public>public)\b
    | \b(?:class|interface|enum|record)\s+(?P<type>\w+) | \bvoid\s+(?P<main>main)\s*\(""",
    re.DOTALL | re.VERBOSE,
)


def _names(source: bytes) -> tuple[str, str]:
    """Name of a Java program's file, which is that of its public type, and of the type whose `main` begins."""
    depth, public, package, stem, top = 0, False, "", "", ""
    starts: list[str] = []
    for token in _JAVA.finditer(source[:JAVA_HEAD].decode(errors="replace")):
        kind = token.lastgroup
        depth += (kind == "open") - (kind == "close")
        if depth == 0 and kind == "package":
            package = token["package"] + "."
        elif depth == 0 and kind == "public":
            public = True
        elif depth == 0 and kind == "type":
            top = token["type"]
            stem = stem or (top if public else "")
            public = False
        elif depth == 1 and kind == "main":
            starts.append(top)
    main = stem if stem in starts or not starts else starts[0]
    usable = stem.isascii() and 0 < len(stem) <= 200
    return stem if usable else "Main", package + (main or "Main")
