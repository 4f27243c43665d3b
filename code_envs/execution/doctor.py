"""What this machine can protect against, and what else it offers: `python -m code_envs doctor`."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json as json_format
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass

from code_envs.errors import ConfigurationError, ExecutorError
from code_envs.execution import wire
from code_envs.execution.executor import Executor
from code_envs.execution.local import LocalExecutor

__all__ = ["Diagnosis", "diagnose", "main", "report"]

_MEANING = {
    "strong": "namespaces, seccomp and file rules: untrusted programs see no machine around them",
    "good": "seccomp and Landlock: untrusted programs reach no files, network or other processes",
    "weak": "resource limits only: run nothing that you would not run yourself, or use a container",
    "none": "no worker could start",
}


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Args:
        level: "strong", "good", "weak", or "none" if no worker starts.
        layers: Protections that a real worker of this machine has.
        missing: The others, each with the reason.
        failure: Why no worker starts, or "".
        python: Version of the interpreter that runs candidates.
        tools: Version of the compiler or interpreter of each other language whose programs can run here.
        system: Kernel and machine.
        packages: Versions of what parses and reads programs; None if absent.
        docker: The Docker engine's version, or why there is none.
        clashes: Other distributions that provide an import name of this project.
    """

    level: str
    layers: tuple[str, ...]
    missing: dict[str, str]
    failure: str
    python: str
    tools: dict[str, str]
    system: str
    packages: dict[str, str | None]
    docker: str
    clashes: tuple[str, ...]


def diagnose() -> Diagnosis:
    """Start a worker, which probes each protection in a throw-away fork, and look around."""
    failure = ""
    level, layers, missing, tools = "none", (), {}, {}  # type: str, tuple[str, ...], dict[str, str], dict[str, str]
    try:
        with LocalExecutor(level="weak") as executor:
            capabilities = executor.capabilities()
            level, layers, missing = capabilities.level, capabilities.layers, capabilities.missing
            tools = _tools(executor)
    except ExecutorError as error:
        failure = str(error)
    return Diagnosis(
        level=level,
        layers=layers,
        missing=missing,
        failure=failure,
        python=platform.python_version(),
        tools=tools,
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        packages={
            name: _version(name) for name in ("tree-sitter", "tree-sitter-python", "gymnasium", "numpy", "torch")
        },
        docker=_docker(),
        clashes=_clashes(),
    )


def _tools(executor: Executor) -> dict[str, str]:
    """What each language other than Python would run with; nothing for those that cannot."""
    found = {}
    for language in wire.LANGUAGES:
        with contextlib.suppress(ConfigurationError):  # it says which tool is missing: here that is an answer
            found[language] = executor.capabilities(language).tools.get(language, "")
    return {language: tool for language, tool in found.items() if tool}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _docker() -> str:
    program = shutil.which("docker")
    if program is None:
        return "no docker program on PATH"
    try:
        answer = subprocess.run(
            [program, "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the engine does not answer: {error}"
    if answer.returncode != 0:
        return f"the engine does not answer: {answer.stderr.strip().splitlines()[-1:]}"
    return f"engine {answer.stdout.strip()}"


def _clashes() -> tuple[str, ...]:
    """Distributions besides ours that provide the import name `agents`, a popular one."""
    owners = importlib.metadata.packages_distributions().get("agents", [])
    others = sorted({owner for owner in owners if owner.lower().replace("_", "-") != "code-envs"})
    spec = importlib.util.find_spec("agents")
    origin = (spec.origin or "") if spec is not None else ""
    ours = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if origin and not others and os.path.dirname(os.path.dirname(origin)) != ours:
        others = [f"the module at {origin}"]
    return tuple(others)


def report(diagnosis: Diagnosis) -> str:
    """The diagnosis as text for people."""
    lines = [
        f"protection   {diagnosis.level}: {_MEANING[diagnosis.level]}",
        *(f"  yes        {layer}" for layer in diagnosis.layers),
        *(f"  no         {layer}: {reason}" for layer, reason in diagnosis.missing.items()),
    ]
    if diagnosis.failure:
        lines.append(f"  failure    {diagnosis.failure}")
    lines += [f"python       {diagnosis.python} on {diagnosis.system}"]
    for language in list(wire.LANGUAGES)[1:]:
        lines.append(f"language     {language}: {diagnosis.tools.get(language, 'nothing to run it with')}")
    lines += [f"package      {name} {version or 'absent'}" for name, version in diagnosis.packages.items()]
    lines.append(f"docker       {diagnosis.docker}")
    for other in diagnosis.clashes:
        lines.append(f"clash        {other} also provides `agents`: give this project an environment of its own")
    return "\n".join(lines)


def main(json: bool = False) -> int:
    """Print the diagnosis; the exit code is 0 where programs run at level "good" or better."""
    diagnosis = diagnose()
    text = json_format.dumps(asdict(diagnosis), indent=2) if json else report(diagnosis)
    sys.stdout.write(text + "\n")
    return 0 if diagnosis.level in ("strong", "good") else 1
