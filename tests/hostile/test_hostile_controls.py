"""Positive controls: where "nothing found" is the pass, the probe finds the thing if it is there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from code_envs.execution.executor import CallStatus, Job
from code_envs.execution.values import encode_calls
from code_envs.testing import HOSTILE
from code_envs.testing.honest import HonestJob
from code_envs.testing.honeypots import VARIABLE, Honeypots
from code_envs.testing.hostile import CLASSES

PROGRAMS = {each.name: each for each in HOSTILE}
SEARCHES = [each.name for each in HOSTILE if each.searches]
# in the globals, and in the local variables of a caller, as a grader's expected values would be
PLANT = """
plant = ['{first}' + str() + '{second}:planted']
hidden = f
def f(x):
    expected = ['{first}' + str() + '{second}:planted']
    return hidden(x)
"""
UNNOTICED = {
    "left-priority": "all of it is denied",
    "left-locks": "no job waits for these locks",
    "left-code": "no job computes with these objects",
}
LEAVES = [each.name for each in CLASSES["leftovers"] if each.name not in UNNOTICED]
PIECES = [each.name for each in HOSTILE if each.name.startswith("pieces-")]
# what these reach on this machine without a sandbox is harmless: planted things, and processes that end at once
REACHES = {
    "read-files": "{secret}:file",
    "metadata": "{secret}:link",
    "symlinks": "{secret}:file",
    "dots": "{secret}:file",
    "environment": "{secret}:environment",
    "c-environment": "{secret}:environment",
    "find-tests": "secret",
    "list-processes": "self",
    "connect": "127.0.0.1",
    "libraries": "StreamReader",
    "listen": "127.0.0.1",
    "socket-pair": "code-envs-",
    "commands": "subprocess.run",
    "pools": "ThreadPoolExecutor",
    "raw-forks": "libc.fork",
}
ALONE = """
import builtins, json, sys, types
with open(sys.argv[1], "rb") as file:
    source = file.read()
sys.modules["candidate"] = module = types.ModuleType("candidate")
module.__builtins__ = builtins
exec(compile(source, "<candidate>", "exec"), module.__dict__)
print(json.dumps(module.f(1)))
"""


@pytest.fixture
def honeypots():
    with Honeypots() as planted:
        yield planted


def without_sandbox(name, honeypots, folder, **streams):
    """What a program's first call gives in an ordinary process."""
    file = folder / "candidate"
    file.write_bytes(honeypots.fill_in(PROGRAMS[name].source, mark="control"))
    command = [sys.executable, "-W", "ignore", "-c", ALONE, str(file)]
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, **streams)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_finds_what_is_planted(executor, honeypots, name):
    """Frames, references and memory: a planted answer in the candidate's own process is found."""
    half = len(honeypots.secret) // 2
    plant = PLANT.replace("{first}", honeypots.secret[:half]).replace("{second}", honeypots.secret[half:])
    source = honeypots.fill_in(PROGRAMS[name].source) + plant.encode()
    outcome = executor.run(Job(source, "f", encode_calls([[1]]), PROGRAMS[name].limits))
    result = outcome.results[0]
    assert result.status is CallStatus.VALUE, outcome
    assert f"{honeypots.secret}:planted" in str(result.value), outcome


def test_every_walk_has_a_control():
    """No program that walks frames, references or memory is left out above."""
    assert {"search", "frame-walk", "traceback-walk", "generator-walk", "raw-memory"} <= set(SEARCHES)


@pytest.mark.parametrize("name", REACHES)
def test_a_probe_reaches_what_is_there(honeypots, tmp_path, name):
    """Files, the environment, listeners, processes: without a sandbox the probe gets there, and says so."""
    reached = without_sandbox(name, honeypots, tmp_path)
    assert REACHES[name].replace("{secret}", honeypots.secret) in str(reached)


@pytest.mark.parametrize("name", PIECES)
def test_hidden_names_are_the_names(honeypots, tmp_path, name):
    """Each way around a list of forbidden names leads to a process, a file and a connection."""
    reached = without_sandbox(name, honeypots, tmp_path)
    assert [each.partition(" ")[0] for each in reached] == ["fork", "file", "connection"]
    assert honeypots.touched() == ["tcp"]


@pytest.mark.parametrize("name", LEAVES)
def test_an_honest_job_notices_what_is_left(executor, honeypots, name):
    """What these leave would be noticed: an honest job in the same process does not get the right verdict."""
    honest = HonestJob(honeypots.secret)
    honest.remember(executor.run(honest.job()))
    assert honest.passes(executor.run(honest.job()), executor)
    before = honeypots.fill_in(PROGRAMS[name].source) + b"\nf(1)\n"
    assert not honest.passes(executor.run(honest.job(before)), executor)


def test_open_descriptors_are_found(honeypots, tmp_path):
    """A descriptor that was left open is seen, and so is a stream with something in it."""
    reader, writer = os.pipe()
    try:
        found = without_sandbox("descriptors", honeypots, tmp_path, pass_fds=(reader,))
        assert reader in found
        os.write(writer, b"typed")
        assert "0 was read" in without_sandbox("streams", honeypots, tmp_path, stdin=reader)
    finally:
        os.close(reader)
        os.close(writer)


def test_honeypots_tell_what_was_touched(honeypots):
    """Each planted thing is noticed when it is touched, once, and then lies there as before."""
    places = honeypots.places
    assert honeypots.touched() == []
    with socket.create_connection(("127.0.0.1", int(places["port"]))):
        assert honeypots.touched() == ["tcp"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"x", ("127.0.0.1", int(places["datagrams"])))
        assert honeypots.touched() == ["datagrams"]
    for name, address in (("unix", places["unix"]), ("abstract", "\0" + places["abstract"])):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(address)
            assert honeypots.touched() == [name]
    Path(places["secret_file"]).write_text("changed")
    assert len(honeypots.touched()) == 1
    Path(places["secret_dir"], "new").mkdir()
    assert len(honeypots.touched()) == 1
    assert honeypots.touched() == []
    assert Path(places["secret_file"]).read_text() == f"{honeypots.secret}:file"


def test_honeypots_leave_nothing():
    """Files and the environment are as they were."""
    with Honeypots() as planted:
        directory = planted.directory
        assert os.environ[VARIABLE] == f"{planted.secret}:environment"
    assert not directory.exists()
    assert VARIABLE not in os.environ
