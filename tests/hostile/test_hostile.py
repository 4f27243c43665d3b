"""Every hostile program ends as it must, earns nothing, and leaves its worker and the machine as they were."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hostile_programs import PROGRAMS, Hostile

from code_envs.execution import values
from code_envs.execution.executor import CallStatus, Job, Limits, Status
from code_envs.execution.local import LocalExecutor

LIMITS = Limits(cpu_s=0.5, wall_s=1.5, memory_mib=128)
SECRET = "execution-secret-46"
CANARY = b"""
import builtins, json, os, sys
def f(x):
    try:
        left = os.listdir("/tmp")
    except PermissionError:
        left = []
    state = [os.getcwd(), left, sorted(os.environ), len(vars(builtins)), sorted(sys.modules)]
    return [x * 2, json.dumps({"a": [x]}), isinstance(x, int), state]
"""


@pytest.fixture(scope="module", params=["root", "user", "none"])
def executor(request, tmp_path_factory):
    """A worker in each placement that this machine allows."""
    if request.param == "root" and os.geteuid() != 0:
        pytest.skip("namespaces without a user namespace need root")
    os.environ["CODE_ENVS_TEST_SECRET"] = SECRET
    with LocalExecutor(level="weak", namespaces=request.param) as made:
        capabilities = made.capabilities()
        if capabilities.level == "weak" or (request.param != "none" and capabilities.level != "strong"):
            pytest.skip(f"this machine does not give the placement {request.param!r}: {capabilities.missing}")
        yield made
    del os.environ["CODE_ENVS_TEST_SECRET"]


class Honeypots:
    """What no candidate may reach."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "secret"
        self.file.write_text(SECRET)
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.unix, self.abstract = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        self.unix.bind(str(directory / "u"))
        self.abstract.bind(f"\0code-envs-{os.getpid()}-{id(self)}")
        for listener in (self.unix, self.abstract):
            listener.listen()
        for listener in (self.tcp, self.unix, self.abstract):
            listener.settimeout(0)
        self.places = {
            "secret_file": str(self.file),
            "secret_dir": str(directory),
            "environment_secret": SECRET,
            "needle_backwards": SECRET[::-1],
            "port": str(self.tcp.getsockname()[1]),
            "unix": str(directory / "u"),
            "abstract": f"code-envs-{os.getpid()}-{id(self)}",
        }

    def fill_in(self, source: str) -> str:
        for key, place in self.places.items():
            source = source.replace("{" + key + "}", place)
        return source

    def touched(self) -> list[str]:
        found = []
        for name in ("tcp", "unix", "abstract"):
            try:
                getattr(self, name).accept()[0].close()
                found.append(name)
            except BlockingIOError:
                continue
        if self.file.read_text() != SECRET or len(list(self.file.parent.iterdir())) != 2:
            found.append("files")
        return found

    def close(self) -> None:
        for listener in (self.tcp, self.unix, self.abstract):
            listener.close()


@pytest.fixture(scope="module")
def honeypots(tmp_path_factory):
    # a directory that everybody may enter, so that only the sandbox stands in the way
    directory = tmp_path_factory.mktemp("honeypots")
    for parent in (directory, *directory.parents[:3]):
        os.chmod(parent, 0o755)
    directory.chmod(0o777)
    made = Honeypots(directory)
    made.file.chmod(0o666)
    yield made
    made.close()


def canary(executor: LocalExecutor):
    outcome = executor.run(Job(CANARY, "f", values.encode_calls([[21]])))
    assert outcome.status is Status.OK, outcome
    assert outcome.results[0].status is CallStatus.VALUE, outcome
    return outcome.results[0].value


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_program_ends_as_it_must(executor, honeypots, program: Hostile):
    """The status is the required one, nothing is earned, and the same worker serves the next job rightly."""
    before = canary(executor)
    worker = executor._workers[0].pid
    source = honeypots.fill_in(program.source)
    outcome = executor.run(Job(source.encode(), "f", values.encode_calls([[1], [2]]), LIMITS))

    allowed = program.status if isinstance(program.status, tuple) else (program.status,)
    assert outcome.status in allowed, outcome
    assert len(outcome.results) == 2
    result = outcome.results[0]
    if program.call is not None:
        assert result.status is program.call, outcome
    if program.exception:
        assert result.exception in program.exception, outcome
    if program.value is not None:
        assert result.value == program.value, outcome
    # nobody pays: the expected value, 42, is in no process of the sandbox
    paid = [each for each in outcome.results if each.status is CallStatus.VALUE and values.matches(42, each.value)]
    assert not paid or program.name == "patched", outcome  # a program may return a constant, and "patched" is one

    assert honeypots.touched() == []
    assert canary(executor) == before
    assert before[0] == 42
    assert executor._workers[0].pid == worker, "the program cost a worker"


def test_controls_would_be_seen(honeypots):
    """The planted controls work: without a sandbox each would be reached."""
    with socket.create_connection(("127.0.0.1", int(honeypots.places["port"]))):
        assert honeypots.touched() == ["tcp"]
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\0" + honeypots.places["abstract"])
        assert honeypots.touched() == ["abstract"]
    assert Path(honeypots.places["secret_file"]).read_text() == SECRET


def test_search_finds_a_planted_value(executor, honeypots):
    """The search for expected values works: it sees one that is in the candidate's process."""
    search = honeypots.fill_in(next(each for each in PROGRAMS if each.name == "search").source)
    planted = f"{search}\nplant = ['{SECRET[:5]}' + str() + '{SECRET[5:]}!']\n"
    outcome = executor.run(Job(planted.encode(), "f", values.encode_calls([[1]])))
    assert outcome.results[0].value > 0, outcome
