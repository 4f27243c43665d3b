"""`DockerExecutor`: the same outcomes as on this machine, hardened containers, and what happens when they are lost."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from code_envs.errors import ConfigurationError, ExecutorError, MissingDependencyError
from code_envs.execution import docker as docker_workers
from code_envs.execution import pipeline
from code_envs.execution.docker import HOST, IMAGE, OWNER, DockerExecutor
from code_envs.execution.executor import Status
from code_envs.execution.local import LocalExecutor
from code_envs.execution.pool import open_executor
from tests.execution.test_local import ADD, STATUSES, job, timeless

pytestmark = pytest.mark.docker
# the Docker SDK leaves a socket to the garbage collector when an engine refuses its connection
refused = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
SLEEP = "import time\ndef f(x):\n    time.sleep(x)\n    return 'slept'\n"


@pytest.fixture(scope="module")
def api():
    """The engine, through the SDK; the image is built where it is missing."""
    import docker

    with docker.APIClient(version="auto") as client:
        if not client.images(IMAGE):
            subprocess.run(["docker/build_image.sh"], check=True, timeout=280)
        yield client


@pytest.fixture(scope="module")
def executor(api):
    with DockerExecutor(2) as made:
        yield made


@pytest.fixture
def single(api):
    with DockerExecutor() as made:
        made.capabilities()
        yield made


def container(executor: DockerExecutor) -> str:
    """The first container of an executor."""
    return executor._workers[0].container


def exists(api, identity: str) -> bool:
    return any(each["Id"] == identity for each in api.containers(all=True))


def vanishes(api, identity: str, within_s: float = 15.0) -> bool:
    end = time.monotonic() + within_s
    while exists(api, identity) and time.monotonic() < end:
        time.sleep(0.1)
    return not exists(api, identity)


def test_protection_is_strong(executor):
    """Namespaces, Landlock and seccomp are in force inside the container as well."""
    found = executor.capabilities()
    assert found.level == "strong"
    assert {"pid_namespace", "mount_namespace", "network_namespace", "landlock", "seccomp"} <= {*found.layers}


def test_container_is_hardened(api, executor):
    """No network, no capabilities, a read-only root, limits, and an ordinary user for each container."""
    executor.capabilities()
    found = [api.inspect_container(each.container) for each in executor._workers]
    for each in found:
        host = each["HostConfig"]
        assert host["NetworkMode"] == "none"
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges"]
        assert (host["PidsLimit"], host["Memory"], host["MemorySwap"]) == (64, 1 << 30, 1 << 30)
        assert not each["Mounts"]
    users = {each["Config"]["User"] for each in found}
    assert len(users) == 2
    assert not any(user.startswith("0") for user in users)


@pytest.mark.parametrize(("status", "source", "message", "line"), STATUSES, ids=lambda value: str(value)[:14])
def test_each_status_is_that_of_this_machine(executor, status, source, message, line):
    """A program ends in a container as it ends in a process of this machine."""
    outcome = executor.run(job(source, 1, 2))
    assert outcome.status is status, outcome
    assert outcome.message.startswith(message)
    assert not line or outcome.line == line


def test_outcomes_equal_those_of_this_machine(executor):
    """Values, steps and executed lines are the same; many jobs come back in order."""
    source = "def f(x):\n    total = 0\n    for each in range(x):\n        total += each\n    return {total: (x, 0)}\n"
    jobs = [job(source, number, trace=True) for number in range(40)]
    with LocalExecutor() as local:
        here = [timeless(outcome) for outcome in local.run_many(jobs)]
    assert [timeless(outcome) for outcome in executor.run_many(jobs)] == here


def test_large_jobs_cross_the_stream(executor):
    """Frames that the engine splits are put together again."""
    outcome = executor.run(job("def f(x): return x[::-1]", "ab" * 200_000))
    assert outcome.results[0].value == "ba" * 200_000


def test_killed_container_is_replaced_and_its_job_runs_again(api, single):
    """A container that is killed in the middle of a job costs nothing but time."""
    pending = [single.submit(job(SLEEP, 0.6)) for _ in range(3)]
    lost = container(single)
    time.sleep(0.2)
    api.kill(lost, "SIGKILL")
    assert [each.result().results[0].value for each in pending] == ["slept"] * 3
    assert container(single) != lost
    assert vanishes(api, lost)


def test_paused_container_is_replaced(api, single, monkeypatch):
    """A container that does not answer is lost."""
    monkeypatch.setattr(pipeline, "REPLY_MARGIN_S", 0.5)
    lost = container(single)
    pending = single.submit(job(SLEEP, 0.3))
    api.pause(lost)
    assert pending.result().results[0].value == "slept"
    assert vanishes(api, lost)


def test_closing_removes_the_containers(api):
    """Nothing is left of a closed executor."""
    with DockerExecutor() as made:
        assert made.run(job(ADD, 1)).status is Status.OK
        identity = container(made)
        assert exists(api, identity)
    assert vanishes(api, identity)


def test_killed_client_leaves_no_container(api):
    """The container of a client that is killed reads the end of its input and is removed."""
    program = (
        "import sys, time; from code_envs.execution.docker import DockerExecutor; executor = DockerExecutor();"
        "executor.capabilities(); print(executor._workers[0].container, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as client:
        identity = client.stdout.readline().strip()
        assert exists(api, identity)
        client.send_signal(signal.SIGKILL)
    assert vanishes(api, identity)


def test_containers_of_dead_owners_are_swept(api):
    """What a crash of client and engine left behind goes when the next executor starts."""
    labels = {HOST: os.uname().nodename, OWNER: f"{os.getpid()} 1"}
    orphan = api.create_container(IMAGE, ["sleep", "60"], labels=labels)["Id"]
    living = api.create_container(IMAGE, ["sleep", "60"], labels={**labels, OWNER: docker_workers._identity(1)})["Id"]
    try:
        with DockerExecutor() as made:
            made.capabilities()
        assert not exists(api, orphan)
        assert exists(api, living)
    finally:
        api.remove_container(living, force=True)


def test_fork_has_containers_of_its_own(single):
    """A forked process starts afresh and leaves its parent's containers alone."""
    mine = container(single)
    child = os.fork()
    if child == 0:
        fine = single.run(job(ADD, 1)).results[0].value == 2 and container(single) != mine
        single.close()
        os._exit(0 if fine else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert single.run(job(ADD, 2)).results[0].value == 3
    assert container(single) == mine


def test_missing_image_says_how_to_make_it(api):
    """The message names both ways to the image."""
    message = r"no image 'code-envs-no-such-image'.*docker/build_image.sh"
    with DockerExecutor(image="code-envs-no-such-image") as made, pytest.raises(ConfigurationError, match=message):
        made.run(job(ADD, 1))


def test_strings_open_shared_containers(api):
    """`open_executor` knows Docker."""
    made = open_executor("docker")
    try:
        assert open_executor("docker:1") is made
        assert made.run(job(ADD, 1)).results[0].value == 2
    finally:
        made.close()


@refused
def test_silent_engine_is_a_failure_of_the_sandbox(monkeypatch):
    """Where no engine answers, the message says what to look at."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    monkeypatch.setattr(docker_workers, "ENGINE_TIMEOUT_S", 0.3)
    with DockerExecutor() as made, pytest.raises(ExecutorError, match=r"no worker within.*docker info"):
        made.run(job(ADD, 1))
    gc.collect()


def test_missing_sdk_names_the_extra(monkeypatch):
    """Without the Docker SDK the error says what to install."""
    monkeypatch.setitem(sys.modules, "docker", None)
    with pytest.raises(MissingDependencyError, match=r"code-envs\[docker\]"):
        DockerExecutor()


class Engine:
    """A Docker engine of the test's own, which may be killed."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.host = f"unix://{folder}/docker.sock"
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        folder = self.folder
        places = [f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"]
        quiet = ["--bridge=none", "--iptables=false", "--ip6tables=false", "--log-level=error"]
        with open(f"{folder}/log", "a") as log:
            command = ["dockerd", f"--host={self.host}", *places, *quiet]
            self.process = subprocess.Popen(command, stderr=log, start_new_session=True)
        for _ in range(150):
            if subprocess.run(["docker", "-H", self.host, "info"], capture_output=True).returncode == 0:
                return
            time.sleep(0.2)
        with open(f"{folder}/log") as log:
            raise AssertionError(f"The engine did not start: {log.read()[-2000:]}")

    def kill(self) -> None:
        """End it, and the containerd below it, as a crash would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for name in ("pid", "exec/containerd/containerd.pid"):
            os.unlink(f"{self.folder}/{name}")


@pytest.fixture
def engine(api):
    """A private engine that has the image."""
    if os.geteuid():
        pytest.skip("starting an engine needs root")
    folder = tempfile.mkdtemp(prefix="engine-")
    made = Engine(folder)
    with subprocess.Popen(["docker", "save", IMAGE], stdout=subprocess.PIPE) as image:
        subprocess.run(["docker", "-H", made.host, "load"], stdin=image.stdout, check=True, capture_output=True)
    yield made
    made.process.terminate()
    made.process.wait()
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if folder in line]
    if mounts:
        subprocess.run(["umount", "--lazy", *reversed(mounts)], check=True)
    shutil.rmtree(folder)


@refused
@pytest.mark.slow
def test_killed_engine_costs_no_job(engine, monkeypatch):
    """Jobs in flight when the engine crashes run again once it is back."""
    monkeypatch.setenv("DOCKER_HOST", engine.host)
    with DockerExecutor() as made:
        pending = [made.submit(job(SLEEP, 0.5)) for _ in range(3)]
        time.sleep(0.2)
        engine.kill()
        engine.start()
        assert [each.result().results[0].value for each in pending] == ["slept"] * 3
    gc.collect()
