"""`LocalExecutor`: every status, the limits, determinism, and what happens when workers are lost."""

from __future__ import annotations

import errno
import os
import platform
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError
from dataclasses import replace

import psutil
import pytest

from code_envs.errors import ConfigurationError, ExecutorError, ProtectionError
from code_envs.execution import boot, pipeline, values
from code_envs.execution.executor import CallStatus, Job, Limits, Status
from code_envs.execution.local import LocalExecutor
from code_envs.execution.pool import open_executor

QUICK = Limits(cpu_s=0.3, wall_s=1.0, memory_mib=256)
ADD = b"def f(x):\n    return x + 1\n"


@pytest.fixture(scope="module")
def executor():
    with LocalExecutor() as made:
        yield made


def job(source: bytes | str, *arguments, limits=QUICK, **options):
    text = source.encode() if isinstance(source, str) else source
    return Job(text, "f", values.encode_calls([[argument] for argument in arguments]), limits, **options)


def timeless(outcome):
    return replace(outcome, cpu_s=0.0, wall_s=0.0, max_rss_kib=0)


def tree(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def gone(processes, within_s=5.0) -> bool:
    end = time.monotonic() + within_s
    while any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in processes):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


STATUSES = [
    (Status.OK, ADD, "", 0),
    (Status.COMPILE_ERROR, b"def f(x):\n    retrun x\n", "SyntaxError: ", 2),
    (Status.COMPILE_ERROR, b"x = '\x00'\n", "", 0),
    (Status.COMPILE_ERROR, b"x = '\xff'\n", "SyntaxError: ", 0),
    (Status.COMPILE_ERROR, b"x = " + b"(" * 10_000 + b")" * 10_000, "", 0),
    (Status.LOAD_ERROR, b"\n\nimport nothing_here\n", "ModuleNotFoundError: No module named 'nothing_here'", 3),
    (Status.NO_ENTRY, b"def g(x): pass\n", "'f' is not defined", 0),
    (Status.NO_ENTRY, b"f = 3\n", "'f' is a int, not callable", 0),
    (Status.EXITED, b"import os\nos._exit(7)\n", "", 0),
    (Status.CRASHED, b"import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", "", 0),
    (Status.CPU_LIMIT, b"while True: pass\n", "", 0),
    (Status.WALL_LIMIT, b"import time\ntime.sleep(60)\n", "", 0),
    (Status.OUTPUT_LIMIT, b"def f(x): return ['a' * 1000] * 3000\n", "", 0),
    (Status.MEMORY_LIMIT, b"x = bytearray(1 << 31)\n", "MemoryError: ", 1),
    (Status.BAD_OUTPUT, b"import os\nos.write(3, b'no report\\n')\n", "The output is no report", 0),
]


@pytest.mark.parametrize(("status", "source", "message", "line"), STATUSES, ids=lambda value: str(value)[:14])
def test_each_status(executor, status, source, message, line):
    """Each status is reached, with its message and line; calls that were not made are NOT_RUN."""
    outcome = executor.run(job(source, 1, 2))
    assert outcome.status is status, outcome
    assert outcome.message.startswith(message)
    assert not line or outcome.line == line
    assert len(outcome.results) == 2
    assert outcome.cpu_s > 0
    assert outcome.wall_s > 0
    assert outcome.max_rss_kib > 1000
    if status is not Status.OK:
        assert outcome.results[1].status is CallStatus.NOT_RUN
    assert outcome.code == {Status.EXITED: 7, Status.CRASHED: signal.SIGSEGV}.get(status, 0)


def test_each_call_status(executor):
    """Results keep the order of the calls, and each call's end is its own."""
    source = """
import os
def f(x):
    if x == "raise":
        raise KeyError("m" * 300)
    if x == "opaque":
        return [object()]
    if x == "loop":
        while True: pass
    if x == "exit":
        os._exit(3)
    return {x: (1, None)}
"""
    limits = replace(QUICK, steps=1000)
    outcome = executor.run(job(source, "a", "raise", "opaque", "loop", "b", "exit", "c", limits=limits))
    assert (outcome.status, outcome.code) == (Status.EXITED, 3)
    kinds = [result.status for result in outcome.results]
    value, exception, opaque = CallStatus.VALUE, CallStatus.EXCEPTION, CallStatus.OPAQUE
    assert kinds == [value, exception, opaque, CallStatus.STEP_LIMIT, value, CallStatus.NOT_RUN, CallStatus.NOT_RUN]
    assert values.matches({"b": (1, None)}, outcome.results[4].value)
    raised = outcome.results[1]
    assert (raised.exception, len(raised.message), raised.line) == ("KeyError", 200, 5)
    assert outcome.results[2].message == "object"


def test_results_before_the_limit_stand(executor):
    """A job that dies in its third call keeps two results."""
    outcome = executor.run(job("def f(x):\n while x > 2: pass\n return x", 1, 2, 3, 4))
    assert outcome.status is Status.CPU_LIMIT
    assert [result.value for result in outcome.results] == [1, 2, None, None]
    assert 0.25 < outcome.cpu_s < 0.9


def test_arguments_are_fresh_and_modules_shared(executor):
    """A call cannot change the arguments of the next; the module is loaded once per job, never across jobs."""
    source = "seen = []\ndef f(x):\n    x.append(len(seen)); seen.append(1)\n    return x"
    for _ in range(2):
        outcome = executor.run(job(source, [7], [7]))
        assert [result.value for result in outcome.results] == [[7, 0], [7, 1]]


def test_ordinary_programs_run(executor):
    """Output is swallowed, input is empty, common modules import, the main block stays off."""
    source = """
import sys, dataclasses, typing, collections, asyncio, csv, sqlite3
print("x" * 10000); sys.stderr.write("y")
if __name__ == "__main__":
    raise SystemExit(1)
@dataclasses.dataclass
class P:
    x: int
def f(x):
    try:
        input()
    except EOFError:
        print(P(x))
        with open("/tmp/file", "w") as file: file.write("scratch")
        return [open("/tmp/file").read(), dataclasses.asdict(P(x)), __name__]
"""
    outcome = executor.run(job(source, 5))
    expected = ["scratch", {"x": 5}, "candidate"]
    assert values.matches(expected, outcome.results[0].value), outcome


def test_same_job_same_outcome():
    """Twice on one worker and on two workers, outcomes are equal apart from times: hashes and seeds are fixed."""
    source = """
import random, os, uuid
def f(x):
    return [random.random(), list({'a', 'b', 'c', str(x)}), hash('x'), os.getcwd()]
"""
    jobs = [job(source, 1, 2, limits=Limits(steps=1000), trace=True)] * 8
    with LocalExecutor(workers=2) as first, LocalExecutor() as second:
        outcomes = first.run_many(jobs) + second.run_many(jobs[:2])
        assert len(first._workers) == 2
    assert len({repr(timeless(outcome)) for outcome in outcomes}) == 1
    assert outcomes[0].status is Status.OK


def test_many_jobs_leave_nothing(executor):
    """After 300 jobs the worker's memory and both sides' descriptors are what they were."""
    executor.run_many([job(ADD, 1)] * 20)
    worker = executor._workers[0]
    zygote = tree(worker.pid)[-1]
    time.sleep(0.1)  # the last reply is sent before its memory file is closed
    before = (zygote.memory_info().rss, zygote.num_fds(), psutil.Process().num_fds())
    outcomes = executor.run_many([job(f"def f(x):\n return x + {n}", n) for n in range(300)])
    assert [outcome.results[0].value for outcome in outcomes] == [2 * n for n in range(300)]
    time.sleep(0.1)
    after = (zygote.memory_info().rss, zygote.num_fds(), psutil.Process().num_fds())
    assert after[0] <= before[0] + 256 * 1024
    assert after[1:] == before[1:]
    assert executor._workers[0] is worker


def test_nothing_of_a_job_is_left_for_the_next():
    """What a candidate writes, maps, reserves or notes at its files is gone, and freed, after it."""
    source = """
import mmap, os
found = [os.get_blocking(each) for each in range(4)]
for each in os.fstat(3), os.stat('.'):
    found += [each.st_mode, each.st_size, each.st_blocks, each.st_atime_ns, each.st_mtime_ns]
def f(x):
    if x:
        os.pwrite(3, b'SECRET' * 1000, 1 << 16)
        mmap.mmap(3, 1 << 16)[5000:5006] = b'SECRET'
        os.lseek(3, 1 << 15, os.SEEK_SET)
        os.posix_fallocate(3, 0, 1 << 17)
        os.fchmod(3, 0)
        os.utime(3, ns=(1234, 1234))
        os.set_blocking(0, False)
        os.set_blocking(3, False)
        os.chmod('.', 0)
        os.utime('.', ns=(1234, 1234))
    text = os.pread(3, 1 << 20, 0)
    return [*found, os.fstat(3).st_blocks, len(text), b'SECRET' in text]
"""
    with LocalExecutor(1) as one:
        clean, dirty, after = (one.run(job(source, x)) for x in (0, 1, 0))
    assert clean.results[0].status is CallStatus.VALUE
    assert after.results == clean.results != dirty.results


def test_the_filter_denies_namespaces_before_the_limit_of_processes_is_asked(executor):
    """A plain fork fails at the limit (EAGAIN); one into namespaces of its own never gets so far (EPERM)."""
    if executor.capabilities().level != "strong" or platform.machine() != "x86_64":
        pytest.skip("needs namespaces, and the number of clone on x86-64")
    source = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def f(flags):
    if libc.syscall(ctypes.c_long(56), ctypes.c_long(flags), 0, 0, 0, 0) == 0: os._exit(0)
    return ctypes.get_errno()
"""
    outcome = executor.run(job(source, 0x11, 0x10000011))  # SIGCHLD, and with CLONE_NEWUSER
    assert [each.value for each in outcome.results] == [errno.EAGAIN, errno.EPERM]


@pytest.mark.parametrize("namespaces", ["auto", "user", "none"])
def test_no_placement_lets_a_candidate_fork(namespaces):
    """By the limit of processes, or by a filter where the limit does not hold: root in a user namespace is exempt."""
    with LocalExecutor(1, level="weak", namespaces=namespaces) as made:
        if "seccomp" not in made.capabilities().layers:
            pytest.skip("needs seccomp")
        outcome = made.run(job("import os\ndef f(x):\n    if os.fork() == 0: os._exit(0)\n", 1))
    assert outcome.results[0].exception == "BlockingIOError"


def test_large_job_and_result(executor):
    """A source and a result beyond any pipe's buffer pass, several in flight."""
    source = b"#" * 3_000_000 + b"\ndef f(x): return 'r' * x\n"
    outcomes = executor.run_many([job(source, 900_000)] * 4)
    assert all(outcome.results[0].value == "r" * 900_000 for outcome in outcomes), outcomes[0].status


def test_close_leaves_nothing():
    """After `close` no process and no descriptor is left; closing again does nothing; using it says so."""
    descriptors = psutil.Process().num_fds()
    children = len(psutil.Process().children(recursive=True))
    executor = LocalExecutor(workers=2)
    pending = executor.submit(job("import time\ntime.sleep(30)", 1))
    waiting = [executor.submit(job(ADD, 1)) for _ in range(20)]
    processes = [each for worker in executor._workers for each in tree(worker.pid)]
    executor.close()
    executor.close()
    assert gone(processes)
    assert psutil.Process().num_fds() == descriptors
    assert len(psutil.Process().children(recursive=True)) == children
    for use in (lambda: executor.submit(job(ADD, 1)), executor.capabilities, pending.result, waiting[-1].result):
        with pytest.raises(ExecutorError, match="closed"):
            use()


def test_forgotten_executor_is_stopped():
    """An executor that nobody holds any more takes its workers with it."""
    executor = LocalExecutor()
    executor.capabilities()
    processes = tree(executor._workers[0].pid)
    del executor
    assert gone(processes)


def test_lost_worker_is_replaced():
    """A worker killed in the middle of a job: the job runs again and is right, and so are those behind it."""
    with LocalExecutor() as executor:
        pending = [executor.submit(job(f"import time\ntime.sleep(0.2)\ndef f(x): return x + {n}", 1)) for n in range(5)]
        time.sleep(0.1)
        first = executor._workers[0].pid
        os.kill(tree(first)[-2].pid, signal.SIGKILL)
        assert [each.result().results[0].value for each in pending] == [1, 2, 3, 4, 5]
        assert executor._workers[0].pid != first
        assert not psutil.pid_exists(first)


def test_poison():
    """A job during which two workers are lost is the cause; the jobs around it are not harmed."""
    with LocalExecutor() as executor:
        sleeper = executor.submit(job("import time\ntime.sleep(0.7)\ndef f(x): return x", 1))
        behind = executor.submit(job(ADD, 1))
        for _ in range(2):
            worker = executor._workers[0]
            time.sleep(0.2)
            os.killpg(worker.pid, signal.SIGKILL)
            while executor._workers[0] is worker:
                executor._pump(0.1)
        assert sleeper.result().status is Status.POISON
        assert behind.result().results[0].value == 2


def test_workers_that_cannot_start(monkeypatch):
    """A broken interpreter gives an error that names it, not a hang."""
    descriptors = psutil.Process().num_fds()
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with LocalExecutor() as executor, pytest.raises(ExecutorError, match="/nonexistent/python"):
        executor.run(job(ADD, 1))
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with LocalExecutor() as executor, pytest.raises(ExecutorError, match="could not start: a worker"):
        executor.run(job(ADD, 1))
    assert psutil.Process().num_fds() == descriptors


CLIENT = """
import sys, time
from code_envs.execution.executor import Job
from code_envs.execution.local import LocalExecutor
if __name__ == "__main__":
    executor = LocalExecutor(namespaces=sys.argv[1], level="weak")
    executor.submit(Job(b"import time\\ntime.sleep(100)", "f", b"[[1]]"))
    print(executor._workers[0].pid, flush=True)
    time.sleep(100)
"""


@pytest.mark.parametrize("namespaces", ["auto", "none"])
def test_killed_client_leaves_no_runner(namespaces):
    """SIGKILL at the client in the middle of a job ends every process of its workers."""
    client = subprocess.Popen([sys.executable, "-c", CLIENT, namespaces], stdout=subprocess.PIPE, text=True)
    with client:
        assert client.stdout is not None
        outer = int(client.stdout.readline())
        time.sleep(0.2)
        processes = tree(outer)
        assert len(processes) == 3
        client.kill()
        client.wait()
    assert gone(processes)


def test_fork_gets_its_own_workers(executor):
    """A forked client uses fresh workers, leaves its parent's alone, and cannot wait for its parent's jobs."""
    executor.capabilities()
    parents = executor._workers[0].pid
    pending = executor.submit(job("import time\ntime.sleep(0.3)\ndef f(x): return x", 9))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            pending.result()
        except ExecutorError as error:
            code = 2 if "submit it again" in str(error) else 3
        if code == 2 and executor.run(job(ADD, 1)).results[0].value == 2 and executor._workers[0].pid != parents:
            executor.close()
            code = 0
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert pending.result().results[0].value == 9
    assert executor._workers[0].pid == parents
    assert executor.run(job(ADD, 4)).results[0].value == 5


def test_done(executor):
    """`done` never waits, and turns true by itself."""
    pending = executor.submit(job("import time\ntime.sleep(0.2)\ndef f(x): return x", 1))
    assert not pending.done()
    end = time.monotonic() + 5
    while not pending.done():
        assert time.monotonic() < end
        time.sleep(0.01)
    assert pending.result().status is Status.OK


def test_out_of_order(executor):
    """Results may be asked for in any order."""
    pending = [executor.submit(job(f"def f(x): return x + {n}", 0)) for n in range(10)]
    assert [each.result().results[0].value for each in reversed(pending)] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "positive int"),
        ({"level": "best"}, "level must be"),
        ({"namespaces": "x"}, "namespaces must be"),
    ],
)
def test_bad_arguments(options, message):
    """What cannot be used is named."""
    with pytest.raises(ConfigurationError, match=message):
        LocalExecutor(**options)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (Job(b"", "f", b"nonsense"), "not JSON"),
        (Job(b"", "f", b'[1, "x"]'), "array of argument lists"),
        (Job(b"", "f", b"[]", Limits(cpu_s=0)), "Limits must be positive"),
        (Job(b"", "f", b"[]", Limits(open_files=4)), "16 to 64 open files"),
        (Job(b"", "f", b"[]", Limits(steps=0)), "steps must be None or a positive int"),
        (Job(b"#" * (17 << 20), "f", b"[]"), "16 MiB"),
    ],
)
def test_bad_jobs(executor, bad, message):
    """A job that cannot be sent is refused before it costs a worker."""
    with pytest.raises(ConfigurationError, match=message):
        executor.submit(bad)


def test_level_is_insisted_on():
    """Less protection than asked for is refused, naming what is missing and how to accept it."""
    with LocalExecutor(level="strong", namespaces="none") as executor:
        with pytest.raises(ProtectionError, match=r"'strong' was asked for.*namespaces.*doctor.*level='good'"):
            executor.capabilities()
        assert executor._workers == []


def test_weak_machine(monkeypatch):
    """Without namespaces, seccomp and Landlock: refused unless asked for; then survivors of a job are swept away."""
    modules = [[name, source.replace("self._probe(", "self._skip(")] for name, source in boot.modules()]
    skip = "    def _skip(self, layer, action):\n        self.missing[layer] = 'not here'\n\n    def _probe("
    modules = [[name, source.replace("    def _probe(", skip)] for name, source in modules]
    monkeypatch.setattr(boot, "modules", lambda: modules)
    with LocalExecutor(namespaces="none") as refused, pytest.raises(ProtectionError, match=r"seccomp \(not here\)"):
        refused.capabilities()
    with LocalExecutor(namespaces="none", level="weak") as executor:
        assert {*executor.capabilities().layers} - {"cgroup"} == {"rlimits"}
        forks = """
import os, time
def f(x):
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            os.setsid()
            time.sleep(100)
        children.append(child)
    return children
"""
        outcome = executor.run(job(forks, 1))
        assert executor.run(job(ADD, 1)).results[0].value == 2
        survivors = outcome.results[0].value or []  # an ordinary user's process limit denies the forks
        assert not any(psutil.pid_exists(child) for child in survivors)


def test_no_calls(executor):
    """A job without calls only loads."""
    outcome = executor.run(Job(ADD, "f", b"[]", QUICK))
    assert (outcome.status, outcome.results) == (Status.OK, ())


def test_open_executor():
    """One pool per name and process; instances pass through; other names are refused with the valid forms."""
    first = open_executor("local")
    assert open_executor("local") is first
    assert open_executor("local:1") is first
    assert open_executor("local:2") is not first
    assert open_executor(first) is first
    assert first.run(job(ADD, 1)).results[0].value == 2
    first.close()
    assert open_executor("local") is not first
    for name in ("local:0", "docker:x", "remote", "", 7):
        with pytest.raises(ConfigurationError, match="'local:4'"):
            open_executor(name)
    open_executor("local").close()
    open_executor("local:2").close()


# cancelling and slowing down ----------------------------------------------------------------------


def test_a_waiting_job_is_cancelled():
    """It never runs, its `result` says so, and the others are not disturbed; one that a worker has, runs."""
    with LocalExecutor(1) as executor:
        pending = [executor.submit(job(f"def f(x):\n    return {number}\n", 0)) for number in range(10)]
        assert pending[9].cancel()
        assert pending[9].cancel()
        assert not pending[0].cancel()
        assert pending[9].done()
        with pytest.raises(CancelledError, match="before a worker had it"):
            pending[9].result()
        assert [each.result().results[0].value for each in pending[:9]] == list(range(9))
        assert not pending[8].cancel()
        assert executor.run(job("def f(x):\n    return 10\n", 0)).results[0].value == 10


def test_an_error_cancels_the_rest():
    """Jobs that still wait when `run_many` fails are not executed for nobody."""
    with LocalExecutor(1) as executor:
        seen = []

        def jobs():
            for number in range(20):
                yield job(f"def f(x):\n    return {number}\n", 0)
            seen.append(len(executor._waiting))
            raise KeyError("the caller's generator failed")

        with pytest.raises(KeyError):
            executor.run_many(jobs())
        assert seen[0] > 10
        assert not executor._waiting


def test_a_long_queue_slows_the_caller_down(monkeypatch):
    """No more than so many jobs wait at any time, and nothing is lost."""
    monkeypatch.setattr(pipeline, "QUEUE", 5)
    with LocalExecutor(1) as executor:
        longest = 0

        def jobs():
            nonlocal longest
            for number in range(60):
                longest = max(longest, len(executor._waiting))
                yield job(f"def f(x):\n    return {number}\n", 0)

        outcomes = executor.run_many(jobs())
    assert [each.results[0].value for each in outcomes] == list(range(60))
    assert 0 < longest <= 5
