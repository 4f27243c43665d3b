"""Positive controls of the hostile programs in other languages than Python: without a sandbox they get there."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from code_envs.execution.executor import Diagnostic, Outcome, Status
from code_envs.execution.local import LocalExecutor
from code_envs.testing import HOSTILE
from code_envs.testing.campaign import _Campaign
from code_envs.testing.honest import HonestJob
from code_envs.testing.honeypots import Honeypots

PROGRAMS = {each.name: each for each in HOSTILE}
# What these reach without a sandbox is planted, and processes that end at once. They still run as nobody, with few
# processes: a first version of this file, which ran them as root, cost a machine its compiler.
REACHES = {
    "c-processes": "ends(fork())",
    "c-files": "{secret}:file",
    "c-sockets": "sent 0",
    "include-exists": "exists",
    "assemble-file": "{secret}:file",
    "js-files": "{secret}:file",
    "js-processes": "spawnSync gave 0",
    "js-sockets": "tcp",
    "js-worker": "{secret}:file",
    "js-bindings": "main gave",
}
TOUCHES = {"c-files": "files", "c-sockets": "tcp", "js-files": "files", "js-sockets": "tcp"}
NOBODY = 65534
CALL = b"""
const said = (value) => { require('fs').writeSync(1, JSON.stringify(value)); process.exit(0); };
if (require.main === module) Promise.resolve(f(1)).then(said);
"""


@pytest.fixture
def honeypots():
    with Honeypots() as planted:
        yield planted


@pytest.fixture
def folder():
    """A folder that nobody may write to; whoever is not root cannot become nobody, and runs none of these."""
    if os.geteuid() != 0:
        pytest.skip("hostile programs run outside a sandbox as nobody only, and becoming nobody takes root")
    made = Path(tempfile.mkdtemp(prefix="code-envs-control-"))
    made.chmod(0o777)
    yield made
    shutil.rmtree(made)


def confine():
    """As nobody, in few processes and little time."""
    resource.setrlimit(resource.RLIMIT_NPROC, (60, 60))
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    resource.setrlimit(resource.RLIMIT_CPU, (20, 20))


def run(command, folder):
    """What a command says, on both streams; every process of its session is ended after it."""
    with subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        errors="replace",
        text=True,
        start_new_session=True,
        preexec_fn=confine,
    ) as started:
        try:
            said = started.communicate(timeout=20)[0]
        finally:
            with contextlib.suppress(ProcessLookupError):  # all ended
                os.killpg(started.pid, signal.SIGKILL)
    return said, started.returncode


def without_sandbox(name, honeypots, folder):
    """What a program says in an ordinary process, and its compiler."""
    program = PROGRAMS[name]
    tool = {"c": "gcc", "javascript": "node"}[program.language]
    if shutil.which(tool) is None:
        pytest.skip(f"there is no {tool} on PATH")
    source = honeypots.fill_in(program.source, mark="control")
    if program.language == "javascript":
        (folder / "candidate.js").write_bytes(source + CALL)
        return run([tool, "candidate.js"], folder)[0]
    (folder / "candidate.c").write_bytes(source)
    said, code = run([tool, "-w", "-o", "program", "candidate.c", "-lm"], folder)
    return said if code else said + run(["./program"], folder)[0]


@pytest.mark.parametrize("name", REACHES)
def test_a_probe_reaches_what_is_there(honeypots, folder, name):
    """Processes, files, listeners: without a sandbox the probe gets there, says so, and is noticed."""
    said = without_sandbox(name, honeypots, folder)
    assert REACHES[name].replace("{secret}", honeypots.secret) in said
    assert TOUCHES.get(name, "") in str(honeypots.touched())


@pytest.mark.parametrize(("name", "shown"), [("include-file", "{secret}"), ("assemble-lines", "instruction: `file'")])
def test_a_compiler_shows_what_it_reads(honeypots, folder, name, shown):
    """Without a sandbox a compiler quotes the planted file, "<secret>:file", in its errors."""
    assert shown.replace("{secret}", honeypots.secret) in without_sandbox(name, honeypots, folder)


def test_what_a_compiler_shows_is_an_escape(honeypots):
    """Planted texts are looked for in diagnostics, too."""
    campaign = object.__new__(_Campaign)
    campaign.honeypots = honeypots
    outcome = Outcome(Status.COMPILE_ERROR, (), diagnostics=(Diagnostic("error", f"x {honeypots.secret}:file"),))
    assert "planted" in campaign._reached(PROGRAMS["include-file"], outcome)


@pytest.fixture(scope="module")
def local():
    with LocalExecutor() as made:
        yield made


@pytest.mark.parametrize("language", ["c", "javascript"])
def test_an_honest_job_is_right_each_time(local, honeypots, language):
    """Honest jobs of each language give the same each time, and tell the state of their process."""
    honest = HonestJob(honeypots.secret, language)
    honest.remember(local.run(honest.job()))
    for _ in range(3):
        assert honest.passes(local.run(honest.job()), local)
    assert len(json.dumps(honest._state)) > 150


def test_an_honest_job_notices_a_file(local, honeypots):
    """A file that was left in the scratch directory would be seen."""
    honest = HonestJob(honeypots.secret, "javascript")
    honest.remember(local.run(honest.job()))
    outcome = local.run(honest.job(b"require('fs').writeFileSync('left', 'x');\n"))
    assert not honest.passes(outcome, local)
    assert "left" in honest.difference(outcome)


def test_an_honest_program_notices_a_priority(honeypots):
    """A worker that was made to wait for others, as a C program once could do, is found out."""
    with LocalExecutor() as executor:
        honest = HonestJob(honeypots.secret, "c")
        honest.remember(executor.run(honest.job()))
        outer = executor._other._workers[0].pid
        inner = int(Path(f"/proc/{outer}/task/{outer}/children").read_text().split()[0])
        os.setpriority(os.PRIO_PROCESS, inner, os.getpriority(os.PRIO_PROCESS, inner) + 5)
        outcome = executor.run(honest.job())
        assert not honest.passes(outcome, executor)
        assert "priority 5" in honest.difference(outcome)
