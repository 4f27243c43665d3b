"""`RayExecutor`: the same outcomes as on this machine, in batches, and what happens when actors and nodes are lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import types
from concurrent.futures import CancelledError
from dataclasses import replace

import pytest

from code_envs.errors import ConfigurationError, ExecutorError, MissingDependencyError, ProtectionError
from code_envs.execution import ray as ray_workers
from code_envs.execution.executor import CallResult, CallStatus, Capabilities, Job, Outcome, Status
from code_envs.execution.local import LocalExecutor
from code_envs.execution.pool import open_executor
from code_envs.execution.ray import RayExecutor
from code_envs.execution.values import encode_calls
from code_envs.testing import HOSTILE, attack
from tests.execution.test_local import ADD, STATUSES, job, timeless

SLEEP = "import time\ndef f(x):\n    time.sleep(0.02)\n    return x\n"
NODE_CPUS = 16
"""More than the head has, so that what asks for so many runs on nodes that a test adds and removes."""


@pytest.fixture(scope="module")
def cluster():
    """A cluster of one node, to which this process is connected."""
    import ray
    from ray.cluster_utils import Cluster

    # what actors are sent from here goes with its code: they cannot import a test
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    head = {"num_cpus": 8, "include_dashboard": False, "_system_config": {"health_check_period_ms": 500}}
    made = Cluster(initialize_head=True, head_node_args=head)
    ray.init(address=made.address, log_to_driver=False, logging_level="ERROR")
    yield made
    ray.shutdown()
    made.shutdown()
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module")
def executor(cluster):
    with RayExecutor(2) as made:
        yield made


@pytest.fixture
def single(cluster):
    with RayExecutor(1, num_cpus=0) as made:
        made.capabilities()
        yield made


@pytest.fixture
def sent(monkeypatch):
    """Sizes of the batches that are sent."""
    sizes = []
    send = ray_workers._Worker.send

    def count(worker, jobs):
        sizes.append(len(jobs))
        send(worker, jobs)

    monkeypatch.setattr(ray_workers._Worker, "send", count)
    return sizes


@pytest.fixture
def answered(monkeypatch):
    """The outcomes that are handed out, as text."""
    texts = []
    decode = ray_workers._decode

    def count(text, calls):
        texts.append(text)
        return decode(text, calls)

    monkeypatch.setattr(ray_workers, "_decode", count)
    return texts


def on_node(worker, function):
    """Have an actor call a function with what it holds."""
    import ray

    return ray.get(worker.actor.__ray_call__.remote(function))


def gone(pid: int, within_s: float = 5.0) -> bool:
    end = time.monotonic() + within_s
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < end:
        time.sleep(0.05)
    return not os.path.exists(f"/proc/{pid}")


def numbered(count: int, source: str = SLEEP):
    return [job(f"{source}# {number}\n", number) for number in range(count)]


def found(outcomes):
    return [outcome.results[0].value for outcome in outcomes]


def test_protection_is_that_of_this_machine(executor):
    """The actors' workers give what a worker of this process gives."""
    with LocalExecutor() as local:
        assert executor.capabilities() == local.capabilities()


@pytest.mark.parametrize(("status", "source", "message", "line"), STATUSES, ids=lambda value: str(value)[:14])
def test_each_status_is_that_of_this_machine(executor, status, source, message, line):
    """A program ends below an actor as it ends in a process of this machine."""
    outcome = executor.run(job(source, 1, 2))
    assert outcome.status is status, outcome
    assert outcome.message.startswith(message)
    assert not line or outcome.line == line
    assert outcome.cpu_s > 0


def test_outcomes_equal_those_of_this_machine(executor):
    """Values, texts, steps and executed lines are the same, in the order of the jobs."""
    source = (
        "def f(x):\n    total = 0\n    for each in range(x):\n        total += each\n    return {total: (x, '\\udc80')}"
    )
    jobs = [job(source, number, trace=True) for number in range(40)]
    jobs[3:6] = [job(source, "no number"), job("def f(x:\n", 1), job("import os\nos._exit(4)\n", 1)]
    with LocalExecutor() as local:
        here = [timeless(outcome) for outcome in local.run_many(jobs)]
    assert [timeless(outcome) for outcome in executor.run_many(jobs)] == here


def test_other_languages(executor):
    """Programs that are compiled run below actors too; a language that there is not is an error."""
    source = b'#include <stdio.h>\nint main(void) { int x; scanf("%d", &x); printf("%d", x + 1); }\n'
    jobs = [Job(text, "", encode_calls([["41"]]), language="c") for text in (source, source[:-3])]
    with LocalExecutor() as local:
        try:
            here = local.capabilities("c")
        except ConfigurationError as error:
            pytest.skip(str(error))
        assert executor.capabilities("c") == here
        assert [*map(timeless, executor.run_many(jobs))] == [*map(timeless, local.run_many(jobs))]
    with pytest.raises(ConfigurationError, match="cobol"):
        executor.capabilities("cobol")


def test_large_jobs_and_results(executor):
    """What does not fit into a message of Ray's passes."""
    source = b"#" * 3_000_000 + b"\ndef f(x): return 'r' * x\n"
    outcomes = executor.run_many([job(source, 900_000)] * 4)
    assert found(outcomes) == ["r" * 900_000] * 4


def test_many_jobs_go_in_full_batches(executor, sent):
    """A hundred jobs are three full batches and a rest, not a hundred calls."""
    assert found(executor.run_many(numbered(100, ADD.decode()))) == [number + 1 for number in range(100)]
    assert sent[:3] == [32, 32, 32]
    assert sum(sent) == 100
    assert len(sent) <= 5


def test_full_batches_leave_at_once(executor, sent):
    """Nobody has to wait for an outcome to have a full batch executed, and only that."""
    pending = [executor.submit(each) for each in numbered(40, ADD.decode())]
    assert sent == [32]
    assert found(each.result() for each in pending) == [number + 1 for number in range(40)]
    assert sum(sent[1:]) == 8


def test_what_is_left_is_split_among_idle_workers(executor, sent):
    """Twenty jobs keep two workers busy."""
    assert found(executor.run_many(numbered(20))) == [*range(20)]
    assert sent == [10, 10]


def test_one_job_does_not_wait_for_others(executor, sent):
    """A single job leaves as soon as it is asked for, with `result` and with `done` alone."""
    assert executor.run(job(ADD, 1)).results[0].value == 2
    pending = executor.submit(job(ADD, 2))
    end = time.monotonic() + 5
    while not pending.done():
        assert time.monotonic() < end
        time.sleep(0.001)
    assert pending.result().results[0].value == 3
    assert sent == [1, 1]


def test_waiting_job_is_cancelled(executor, sent):
    """What no worker has is withdrawn and never sent; what was sent runs."""
    first = executor.submit(job(ADD, 1))
    second = executor.submit(job(ADD, 2))
    assert second.cancel()
    assert second.cancel()
    assert second.done()
    assert first.result().results[0].value == 2
    assert not first.cancel()
    with pytest.raises(CancelledError):
        second.result()
    assert sent == [1]


def test_full_queue_moves_on(executor, monkeypatch):
    """No more jobs wait than are allowed to: `submit` has some executed first."""
    monkeypatch.setattr(ray_workers, "QUEUE", 8)
    pending = [executor.submit(each) for each in numbered(40)]
    assert len(executor._waiting) <= 8
    assert found(each.result() for each in pending) == [*range(40)]


def test_lost_actors_cost_no_job(single, answered):
    """A worker killed in the middle is replaced: every job has its outcome, and none has two."""
    import ray

    pending = [single.submit(each) for each in numbered(80)]
    assert pending[10].result().results[0].value == 10
    lost = single._workers[0]
    ray.kill(lost.actor)
    assert found(each.result() for each in pending) == [*range(80)]
    assert single._workers[0] is not lost
    assert len(answered) == 80


def test_killed_actor_takes_its_sandbox_with_it(single):
    """A SIGKILL leaves no runner behind, and the next job finds a worker."""
    killed = single._workers[0]
    runner = on_node(killed, runner_of)
    os.kill(on_node(killed, lambda _: os.getpid()), signal.SIGKILL)
    assert single.run(job(ADD, 1)).results[0].value == 2
    assert single._workers[0] is not killed
    assert gone(runner)


def test_silent_actor_is_replaced(single, monkeypatch):
    """An actor that does not answer is lost; nothing that it says later counts."""
    monkeypatch.setattr(ray_workers, "BATCH_MARGIN_S", 0.2)
    silent = single._workers[0]
    pid = on_node(silent, lambda _: os.getpid())
    os.kill(pid, signal.SIGSTOP)
    try:
        assert single.run(job(ADD, 1)).results[0].value == 2
        assert single._workers[0] is not silent
    finally:
        os.kill(pid, signal.SIGKILL)


class Broken:
    """A sandbox that fails on every second job."""

    def __init__(self, executor):
        self.executor = executor
        self.count = 0

    def submit(self, each):
        self.count += 1
        if self.count % 2:
            raise ExecutorError("the node is out of processes")
        return self.executor.submit(each)


def test_failed_sandbox_is_replaced(single, answered):
    """What a node's sandbox fails on runs on another worker; what it answered stands."""
    sick = single._workers[0]

    def break_it(sandbox):
        sandbox._executor = Broken(sandbox._executor)

    on_node(sick, break_it)
    assert found(single.run_many(numbered(10))) == [*range(10)]
    assert single._workers[0] is not sick
    assert len(answered) == 10


def test_job_that_is_lost_too_often_is_an_error(single, monkeypatch):
    """A job whose workers are lost again and again is the sandbox's failure, never an outcome, and ends."""
    import ray

    monkeypatch.setattr(ray_workers, "ATTEMPTS", 3)
    pending = single.submit(job(SLEEP.replace("0.02", "0.5"), 1))
    end = time.monotonic() + 30
    while not pending.done() and time.monotonic() < end:
        for worker in single._workers:
            if worker.batches:
                ray.kill(worker.actor)
        time.sleep(0.02)
    with pytest.raises(ExecutorError, match="failed 3 times with this job, lastly: a Ray worker was lost"):
        pending.result()
    assert single.run(job(ADD, 1)).results[0].value == 2


def test_job_that_was_lost_twice_goes_alone():
    """It cannot take the jobs around it with it a third time."""
    executor = RayExecutor()
    for attempts in (1, 0, 2, 2, 0):
        pending = ray_workers._Pending(executor, job(ADD, 1), 1)
        pending.attempts = attempts
        executor._waiting.append(pending)
    assert [len(executor._take(32)) for _ in range(4)] == [2, 1, 1, 1]


DEEP = """
import os
def f(x):
    os.write(3, b'["r"]\\n["v",' + b"[" * x + b"]" * x + b"]\\n")
    os._exit(0)
"""


def test_values_too_deep_to_pass_on_harm_nobody(executor):
    """Whatever the depth, there is an outcome, and the jobs of the same batch have theirs."""
    jobs = []
    for depth in (100, *range(900, 1000, 4), 5000):
        jobs += [job(DEEP, depth), job(ADD, depth)]
    outcomes = executor.run_many(jobs)
    assert {outcome.status for outcome in outcomes[::2]} <= {Status.OK, Status.EXITED, Status.BAD_OUTPUT}
    assert outcomes[-2].status is Status.BAD_OUTPUT
    assert found(outcomes[1::2]) == [each + 1 for each in (100, *range(900, 1000, 4), 5000)]


def test_value_that_cannot_be_written_is_bad_output():
    """A node that could read a value and not pass it on says so, and keeps what it measured."""
    value = []
    for _ in range(100_000):
        value = [value]
    outcome = Outcome(Status.OK, (CallResult(CallStatus.VALUE, value),) * 2, cpu_s=0.5)
    text = ray_workers._Sandbox("good")._collect(Finished(outcome))
    passed_on = ray_workers._decode(text, 2)
    assert (passed_on.status, passed_on.cpu_s) == (Status.BAD_OUTPUT, 0.5)
    assert [each.status for each in passed_on.results] == [CallStatus.NOT_RUN] * 2


class Finished:
    """A job that is done."""

    def __init__(self, outcome):
        self.result = lambda: outcome


@pytest.fixture
def nodes(cluster):
    """Two nodes that a test may lose."""
    made = [cluster.add_node(num_cpus=NODE_CPUS) for _ in range(2)]
    yield made
    for node in made:
        if node in cluster.list_all_nodes():
            cluster.remove_node(node)


@pytest.mark.slow
def test_lost_node_costs_no_job(cluster, nodes, answered):
    """A node that dies with its worker costs nothing: the other does its jobs, and a new node is used."""
    with RayExecutor(2, num_cpus=NODE_CPUS) as made:
        made.capabilities()
        assert places(made) == {node.node_id for node in nodes}
        pending = [made.submit(each) for each in numbered(300)]
        assert pending[5].result().results[0].value == 5
        assert all(each.batches for each in made._workers)
        cluster.remove_node(nodes[0], allow_graceful=False)
        assert found(each.result() for each in pending) == [*range(300)]
        assert len(answered) == 300
        assert places(made) == {nodes[1].node_id}
        nodes.append(cluster.add_node(num_cpus=NODE_CPUS))
        end = time.monotonic() + 30
        while len(made._joined()) < 2 and time.monotonic() < end:
            made.run(job(ADD, 1))
        assert places(made) == {node.node_id for node in nodes[1:]}


def places(executor):
    """The nodes that an executor's workers are on."""
    return {on_node(each, node_of) for each in executor._joined()}


def node_of(_):
    import ray

    return ray.get_runtime_context().get_node_id()


def test_cluster_without_room_says_so(cluster, monkeypatch):
    """Where no worker can be had the error names what is asked for and what there is."""
    monkeypatch.setattr(ray_workers, "START_TIMEOUT_S", 0.5)
    with RayExecutor(1, num_cpus=1000) as made:
        with pytest.raises(ExecutorError, match=r"no worker within.*Each needs 1000 CPUs.*cluster has 8[.]0"):
            made.run(job(ADD, 1))
        with pytest.raises(ExecutorError, match="no worker within"):
            made.capabilities()


def test_nodes_without_code_envs_say_so(cluster, monkeypatch):
    """Where actors cannot import what they are made of, the error names it."""
    module = types.ModuleType("only_here")
    exec("class _Sandbox:\n    def __init__(self, level): pass\n    def hello(self): pass", module.__dict__)
    monkeypatch.setitem(sys.modules, "only_here", module)
    monkeypatch.setattr(ray_workers, "_Sandbox", module._Sandbox)
    monkeypatch.setattr(ray_workers, "ATTEMPTS", 2)
    message = r"2 Ray workers in a row.*needs Code Envs.*No module named 'only_here'"
    with RayExecutor(1, num_cpus=0) as made, pytest.raises(ExecutorError, match=message):
        made.run(job(ADD, 1))


GOOD = Capabilities("good", ("rlimits", "seccomp", "landlock"), {"pid_namespace": "not allowed"}, "3.11.7")


def test_nodes_that_cannot_be_used_are_refused(single):
    """Too little protection, another runner and another Python are errors, not other outcomes."""
    worker = single._workers[0]
    said = worker.said
    refusals = [
        (ProtectionError("accept the risk with LocalExecutor(level='weak')"), ProtectionError, r"RayExecutor\(level="),
        (ExecutorError("no interpreter"), ExecutorError, "On a node of Ray: no interpreter"),
        (replace(said, runner="other"), ExecutorError, "another version of Code Envs"),
        (replace(said, capabilities=GOOD), ExecutorError, "different Pythons"),
    ]
    single._workers[0].said = replace(said, capabilities=replace(said.capabilities, python="3.12.1"))
    for answer, error, message in refusals:
        with pytest.raises(error, match=message):
            single._greet(worker, answer)


def test_protection_is_the_least_of_all_nodes():
    """A layer counts where every worker has it, and what one lacks is missing."""
    strong = Capabilities("strong", ("rlimits", "pid_namespace", "seccomp"), {"landlock": "too old"}, "3.11.7")
    least = ray_workers._weakest([strong, GOOD])
    assert (least.level, least.layers) == ("good", ("rlimits", "seccomp"))
    assert least.missing == {"landlock": "too old", "pid_namespace": "not allowed"}
    assert ray_workers._weakest([GOOD, GOOD]) == GOOD


def test_hostile_programs(executor):
    """A sample of the corpus; `tests/hostile` runs all of it."""
    report = attack(executor, HOSTILE[::12])
    assert not report.failures, "\n".join([report.summary(), *map(str, report.failures)])


def test_closed_executor(cluster):
    """After `close` no runner is left, everything says so, and the Ray that others started goes on."""
    import ray

    made = RayExecutor(2, num_cpus=0)
    made.capabilities()
    runners = [on_node(each, runner_of) for each in made._workers]
    pending = [made.submit(each) for each in numbered(40)]
    made.close()
    made.close()
    assert made.closed
    assert all(gone(pid) for pid in runners)
    for use in (lambda: made.submit(job(ADD, 1)), made.capabilities, pending[0].result, pending[39].result):
        with pytest.raises(ExecutorError, match="closed"):
            use()
    assert ray.is_initialized()


def runner_of(sandbox):
    return sandbox._executor._workers[0].pid


def test_ray_that_others_shut_down(single, monkeypatch):
    """It is not started again behind anybody's back: the executor is closed, and says why."""
    monkeypatch.setattr(ray_workers, "session", lambda _: None)
    assert single.closed
    with pytest.raises(ExecutorError, match="Ray was shut down while"):
        single.run(job(ADD, 1))
    monkeypatch.undo()
    assert not single.closed
    assert single.run(job(ADD, 1)).results[0].value == 2


def test_strings_open_shared_executors(cluster):
    """`open_executor` knows Ray; a closed executor is opened anew."""
    made = open_executor("ray:2")
    assert isinstance(made, RayExecutor)
    assert open_executor("ray:2") is made
    assert open_executor("ray") is not made
    assert made.run(job(ADD, 1)).results[0].value == 2
    assert len(made._workers) == 2
    made.close()
    assert open_executor("ray:2") is not made
    with pytest.raises(ConfigurationError, match="'ray:4'"):
        open_executor("ray:0")


ALONE = """
import ray
from tests.execution.test_local import ADD, job
from code_envs.execution.ray import RayExecutor
with RayExecutor(3) as first, RayExecutor(1, num_cpus=0) as second:
    assert first.run(job(ADD, 1)).results[0].value == 2
    assert len(first._joined()) == 3, "on a machine with fewer CPUs as well"
    assert second.run(job(ADD, 1)).results[0].value == 2
    first.close()
    assert second.run(job(ADD, 1)).results[0].value == 2
assert not ray.is_initialized()
"""


FORK = """
import gc, os, ray, time
from tests.execution.test_local import ADD, job
from code_envs.errors import ExecutorError
from code_envs.execution.ray import RayExecutor
made = RayExecutor(1)
assert made.run(job(ADD, 1)).results[0].value == 2
worker = made._workers[0].actor._actor_id.hex()
child = os.fork()
if child == 0:
    told = 0
    for use in (lambda: made.submit(job(ADD, 1)), RayExecutor(1).capabilities):
        try:
            use()
        except ExecutorError as error:
            told += "fork" in str(error)
    made.close()
    del made, use
    gc.collect()
    time.sleep(0.5)
    os._exit(told)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
assert made.run(job(ADD, 2)).results[0].value == 3
assert made._workers[0].actor._actor_id.hex() == worker
made.close()
assert not ray.is_initialized()
"""


def in_a_fresh_interpreter(program):
    """Exit code, output and errors of a process where there is no Ray yet, and warnings are errors."""
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    command = [sys.executable, "-W", "error", "-c", program]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90)
    return answer.returncode, answer.stdout, answer.stderr


def test_ray_is_started_and_stopped():
    """Without a Ray, one is started with room for the workers, stopped with its last executor, and says nothing."""
    assert in_a_fresh_interpreter(ALONE) == (0, "", "")


def test_fork_cannot_use_it_and_harms_nobody():
    """A forked process is told so and may let go of it; its parent goes on with the same worker."""
    code, _, errors = in_a_fresh_interpreter(FORK)
    assert code == 0, errors


def test_missing_ray_names_the_extra(monkeypatch):
    """Without Ray the error says what to install."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"code-envs\[ray\]"):
        RayExecutor()


@pytest.mark.parametrize(
    "arguments",
    [{"workers": 0}, {"workers": "2"}, {"batch": 0}, {"level": "best"}, {"num_cpus": -1}, {"num_cpus": "1"}],
    ids=str,
)
def test_arguments_are_checked(arguments):
    """The message names the argument."""
    with pytest.raises(ConfigurationError, match=next(iter(arguments))):
        RayExecutor(**arguments)
