"""Waiting for a child process within its limits. Standard library only; runs inside the sandbox."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from code_envs.execution import wire

__all__ = ["CHILD", "pause", "wait_within"]

CHILD = {signal.SIGCHLD}
"""The signals that `wait_within` waits for: its caller must have them blocked."""


POLL_S = 0.001
_sigtimedwait = getattr(signal, "sigtimedwait", None)


def pause(timeout_s: float) -> None:
    """Wait at most so long for a child to end; systems without `sigtimedwait` look again after a millisecond."""
    if _sigtimedwait is not None:
        _sigtimedwait(CHILD, max(timeout_s, 0.0))
    else:
        time.sleep(min(max(timeout_s, 0.0), POLL_S))


def _used(clock: int) -> float:
    """CPU time of a process by its clock, s; 0.0 on systems that have none: a resource limit must do there."""
    try:
        return time.clock_gettime(clock)
    except OSError:
        return 0.0


def wait_within(pid: int, cpu_s: float, wall_s: float) -> tuple[int, int, Any]:
    """How a child ended (`wire.END_*`), its wait status and its resource usage; kills it at a limit."""
    start = time.monotonic()
    clock = (~pid << 3) | 2  # the CPU clock of another process
    end = wire.END_EXIT
    timeout_s = min(cpu_s, wall_s)
    while True:
        pause(timeout_s)
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            return end, status, usage
        cpu_left = cpu_s - _used(clock)
        wall_left = wall_s - (time.monotonic() - start)
        if cpu_left <= 0 or wall_left <= 0:
            end = wire.END_CPU if cpu_left <= 0 else wire.END_WALL
            os.kill(pid, signal.SIGKILL)
            _, status, usage = os.wait4(pid, 0)
            return end, status, usage
        timeout_s = min(cpu_left, wall_left) + 0.0005
