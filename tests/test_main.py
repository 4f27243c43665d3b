"""The command line, as a user calls it and as a function."""

import json
import subprocess
import sys

import pytest

from code_envs import __main__ as command_line
from code_envs.errors import ConfigurationError
from code_envs.registration import ENVIRONMENTS
from code_envs.tasks.sources import available


def run(*words):
    return subprocess.run([sys.executable, "-m", "code_envs", *words], capture_output=True, text=True, timeout=120)


def test_list_shows_every_id_and_source():
    """Each registered id and task source has a line that says what it is."""
    answer = run("list")
    assert answer.returncode == 0, answer.stderr
    lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in answer.stdout.splitlines() if line[0] == " "}
    assert lines.keys() == ENVIRONMENTS.keys() | available().keys()
    assert lines["CodeRepair-v0"] == "Edit a faulty program until its tests pass."
    assert lines["mbpp"] == available()["mbpp"]


def test_doctor_in_json():
    """The diagnosis is machine-readable, and the exit code says whether programs may run here."""
    answer = run("doctor", "--json")
    diagnosis = json.loads(answer.stdout)
    assert answer.returncode == (0 if diagnosis["level"] in ("strong", "good") else 1)


def test_doctor_for_people(monkeypatch):
    """The option reaches the doctor, and its exit code comes back."""
    asked = []
    monkeypatch.setattr("code_envs.execution.doctor.main", lambda json: asked.append(json) or 1)
    assert command_line.main(["doctor"]) == 1
    assert command_line.main(["doctor", "--json"]) == 1
    assert asked == [False, True]


def test_errors_have_no_traceback(monkeypatch, capsys):
    """What the user can mend is one line on stderr and exit code 2."""

    def fail(json):
        raise ConfigurationError("Expected this, got that.")

    monkeypatch.setattr("code_envs.execution.doctor.main", fail)
    assert command_line.main(["doctor"]) == 2
    captured = capsys.readouterr()
    assert captured.err == "code_envs doctor: Expected this, got that.\n"
    assert captured.out == ""


@pytest.mark.parametrize("words", [[], ["cure"], ["list", "--json"]])
def test_wrong_words_are_refused(words, capsys):
    """An unknown command or option shows the usage."""
    with pytest.raises(SystemExit) as error:
        command_line.main(words)
    assert error.value.code == 2
    assert "usage: python -m code_envs" in capsys.readouterr().err
