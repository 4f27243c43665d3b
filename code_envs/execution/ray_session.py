"""This process's connection to Ray, which its executors share: made once, and ended by whoever made it."""

from __future__ import annotations

import gc
import math
import os
import weakref
from typing import Any

from code_envs.errors import ExecutorError, MissingDependencyError
from code_envs.execution.executor import Executor

__all__ = ["connect", "forked", "import_ray", "leave", "session"]

_process: int | None = None  # that connected last; a fork of it inherits a connection that it cannot use
_started: tuple[str, str] | None = None  # the session that this module started
_guests: weakref.WeakSet[Executor] = weakref.WeakSet()  # executors that use it
_connected: weakref.WeakSet[Executor] = weakref.WeakSet()
_inherited: list[Executor] = []


def _after_fork() -> None:
    # where a fork lets go of its parent's actors, the parent's connection breaks: its next call was seen to hang
    _inherited.extend(_connected)
    if _connected:
        gc.freeze()  # the parent's garbage, too


os.register_at_fork(after_in_child=_after_fork)


def import_ray() -> Any:
    """Ray itself.

    Raises:
        MissingDependencyError: If it is not installed.
    """
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise MissingDependencyError("ray", "ray") from error
    return ray


def session(ray: Any) -> tuple[str, str] | None:
    """The cluster's node that this process is connected to and its job there; None if it is not connected."""
    if not ray.is_initialized():
        return None
    context = ray.get_runtime_context()
    return context.get_node_id(), context.get_job_id()


def connect(ray: Any, executor: Executor, address: str | None, cpus: float) -> tuple[str, str] | None:
    """Use the Ray there is, or start it; the session.

    Raises:
        ExecutorError: If it cannot be reached or started.
    """
    global _process, _started
    if not ray.is_initialized():
        _initialise(ray, address, cpus)
        _started = session(ray)
        _guests.clear()  # those of a Ray that somebody else shut down
    elif _process not in (None, os.getpid()):
        raise ExecutorError(forked(_process))
    _process = os.getpid()
    _connected.add(executor)
    found = session(ray)
    if found == _started:
        _guests.add(executor)
    return found


def _initialise(ray: Any, address: str | None, cpus: float) -> None:
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    options: dict[str, Any] = {}
    if address == "local":
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a sandbox calls nobody
        options = {"num_cpus": max(math.ceil(cpus), os.cpu_count() or 1), "include_dashboard": False}
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **options)
    except (OSError, RuntimeError, ValueError) as error:
        raise ExecutorError(f"Ray could not be reached or started at {address!r}: {error}") from error


def forked(owner: int | None) -> str:
    """What to tell a fork of the process that uses Ray."""
    return (
        f"Process {owner} uses Ray, and this is its fork {os.getpid()}, which cannot. Start processes with 'spawn' or "
        "'forkserver', or use a LocalExecutor there."
    )


def leave(ray: Any, executor: Executor) -> None:
    """Stop the Ray that this module started, with the last executor that uses it."""
    global _started
    if executor not in _guests:
        return
    _guests.discard(executor)
    if not _guests and session(ray) == _started:
        ray.shutdown()
        _started = None
