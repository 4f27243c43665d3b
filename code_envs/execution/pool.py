"""Executors by name, shared by everything in one process.

Thirty-two environments that say `executor="local"` share one pool of workers. A forked process gets its
own, because pipes cannot be shared.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from code_envs.errors import ConfigurationError
from code_envs.execution.executor import Executor
from code_envs.execution.local import LocalExecutor
from code_envs.execution.pipeline import PipelinedExecutor

if TYPE_CHECKING:
    from code_envs.execution.ray import RayExecutor

__all__ = ["open_executor"]

_shared: dict[tuple[int, str, int], PipelinedExecutor | RayExecutor] = {}
_SPEC = re.compile(r"(local|docker|ray)(?::([1-9][0-9]{0,3}))?")
_FORMS = (
    "'local' (one worker on this machine), 'local:4' (four workers), 'docker' or 'docker:4' (containers of a Docker "
    "engine), 'ray' or 'ray:4' (workers on a Ray cluster), or an Executor instance"
)


def open_executor(spec: str | Executor) -> Executor:
    """The executor that a string names, shared within this process; an instance is handed through.

    Do not close a shared executor: it ends with the process.

    Args:
        spec: "local", "local:<workers>", "docker", "docker:<containers>", "ray", "ray:<workers>", or an
            `Executor`.

    Raises:
        ConfigurationError: If the string names no executor of this version.
        MissingDependencyError: If the executor needs a package that is not installed.
    """
    if isinstance(spec, Executor):
        return spec
    match = _SPEC.fullmatch(spec) if isinstance(spec, str) else None
    if match is None:
        raise ConfigurationError(f"executor must be {_FORMS}, not {spec!r}.")
    key = (os.getpid(), match[1], int(match[2] or 1))
    for other in [each for each in _shared if each[0] != key[0]]:
        del _shared[other]  # this process is a fork: its parent's workers are not ours
    shared = _shared.get(key)
    if shared is None or shared.closed:
        shared = _shared[key] = _make(key[1], key[2])
    return shared


def _make(kind: str, workers: int) -> PipelinedExecutor | RayExecutor:
    if kind == "local":
        return LocalExecutor(workers)
    if kind == "ray":
        from code_envs.execution.ray import RayExecutor

        return RayExecutor(workers)
    from code_envs.execution.docker import DockerExecutor

    return DockerExecutor(workers)
