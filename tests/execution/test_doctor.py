"""The doctor tells what a real worker of this machine has."""

from __future__ import annotations

import json

from code_envs.execution import doctor
from code_envs.execution.local import LocalExecutor


def test_report_and_json(capsys):
    """Text and JSON carry the level and every layer that a worker reports; the exit code follows the level."""
    with LocalExecutor(level="weak") as executor:
        capabilities = executor.capabilities()
    code = doctor.main(json=True)
    parsed = json.loads(capsys.readouterr().out)
    assert parsed["level"] == capabilities.level
    assert tuple(parsed["layers"]) == capabilities.layers
    assert code == (0 if capabilities.level in ("strong", "good") else 1)
    assert doctor.main(json=False) == code
    text = capsys.readouterr().out
    assert capabilities.level in text
    assert all(layer in text for layer in capabilities.layers)


def test_machine_without_workers(monkeypatch):
    """Where no worker starts, the reason is in the report."""
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    diagnosis = doctor.diagnose()
    assert diagnosis.level == "none"
    assert "/nonexistent/python" in doctor.report(diagnosis)


def test_clash_is_reported(monkeypatch):
    """Another distribution that provides `agents` is named."""
    monkeypatch.setattr("importlib.metadata.packages_distributions", lambda: {"agents": ["other-agents", "code-envs"]})
    diagnosis = doctor.diagnose()
    assert diagnosis.clashes == ("other-agents",)
    assert "clash        other-agents" in doctor.report(diagnosis)


def test_languages(monkeypatch):
    """Each language is named with what runs it here, or with the lack of it."""
    tools = doctor.diagnose().tools
    with LocalExecutor(level="weak") as executor:
        for language, tool in tools.items():
            assert executor.capabilities(language).tools[language] == tool
    monkeypatch.setattr(doctor, "_tools", lambda executor: {"c": "gcc 12.2.0"})
    text = doctor.report(doctor.diagnose())
    assert "language     c: gcc 12.2.0" in text
    assert "language     java: nothing to run it with" in text
