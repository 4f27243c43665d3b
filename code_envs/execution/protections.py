"""Which protections this machine gives, found out in throw-away forks. Standard library only."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable

from code_envs.execution import hardening, seccomp

__all__ = ["Plan"]

NOT_LINUX = (
    f"this system is {sys.platform}, and the protection is Linux's: programs run here with your rights, and reach your "
    "files and the network; use DockerExecutor for programs that you would not run yourself"
)
NAMESPACES = ["pid_namespace", "mount_namespace", "network_namespace", "ipc_namespace"]


class Plan:
    """The protections that this machine gives, found out in throw-away forks.

    Args:
        namespaces: How to leave the machine's namespaces: "auto", "root", "user", "none" or "container".
        programs: Paths that compilers and virtual machines read; None where only Python programs run.
    """

    def __init__(self, namespaces: str, programs: list[str] | None = None) -> None:
        self.layers: list[str] = ["rlimits"]
        self.missing: dict[str, str] = {}
        self.programs = programs is not None
        self.readable = hardening.readable_paths(programs or [])
        if sys.platform != "linux":
            self.namespaces, self.uid = "none", None
            self.missing = {"isolation": NOT_LINUX}
            return
        self.namespaces = self._namespaces(namespaces)
        self.uid = self._uid()
        self._probe("landlock", self._landlock)
        self._probe("seccomp", self._seccomp)

    def _probe(self, layer: str, action: Callable[[], object]) -> None:
        reason = hardening.attempt(action)
        if reason is None:
            self.layers.append(layer)
        else:
            self.missing[layer] = reason

    def _namespaces(self, wanted: str) -> str:
        """The first way into namespaces that works: "root", "user", or "none"; in a container, "container"."""
        if wanted == "container":
            _check_container()
            self.layers += NAMESPACES
            return wanted
        modes = ["root", "user"] if os.geteuid() == 0 else ["user"]
        if wanted != "auto":
            modes = [] if wanted == "none" else [wanted]
        reasons = ["switched off"] if wanted == "none" else []
        for mode in modes:
            reason = hardening.attempt(functools.partial(self._enter, mode))
            if reason is None:
                self.layers += NAMESPACES
                return mode
            reasons.append(f"as {mode}: {reason}")
        self.missing["namespaces"] = "; ".join(reasons)
        return "none"

    def _enter(self, mode: str) -> None:
        """The whole way in, in a probe: some systems refuse only the mounts."""
        hardening.enter_namespaces(mode == "user")
        reason = hardening.attempt(lambda: hardening.new_root(self.readable, 1000, 1000, self.programs))
        if reason is not None:
            raise OSError(reason)

    def _uid(self) -> int | None:
        """The user to become: one per worker, because processes are counted per user; None keeps ours."""
        if os.geteuid() != 0 or self.namespaces in ("user", "container"):
            return None
        uid = 2_000_000 + os.getpid()
        if self.namespaces == "root":
            return uid
        # without a file system of its own the worker must still reach the standard library
        reason = hardening.attempt(functools.partial(self._drop_and_read, uid))
        if reason is not None:
            self.missing["own_uid"] = reason
            return None
        return uid

    def _drop_and_read(self, uid: int) -> None:
        hardening.drop_root(uid)
        os.listdir(self.readable[0])

    def _landlock(self) -> None:
        hardening.restrict_files(self.readable, [])
        try:
            os.close(os.open("/proc/self/status", os.O_RDONLY))
        except PermissionError:
            return
        raise OSError("Landlock was applied, and a file outside its rules still opened")

    def _seccomp(self) -> None:
        seccomp.restrict_system_calls(guard_metadata=True, programs=self.programs)
        seccomp.CandidateFilter(self.programs).install()
        try:
            os.fork()
        except (BlockingIOError, PermissionError):
            return
        raise OSError("the filter was installed, and a fork still succeeded")

    @property
    def level(self) -> str:
        """What the layers add up to: "strong", "good" or "weak"."""
        walled = {"landlock", "mount_namespace"}.intersection(self.layers)
        if "pid_namespace" in self.layers and "seccomp" in self.layers and walled:
            return "strong"
        return "good" if {"landlock", "seccomp"}.issubset(self.layers) else "weak"


def _check_container() -> None:
    """Make sure that the container walls its processes off as it should.

    Raises:
        OSError: If it does not.
    """
    if os.getpid() != 1:
        raise OSError(f"the runner is process {os.getpid()} of its container, and must be process 1")
    if os.geteuid() == 0:
        raise OSError("the container runs as root; give it a user")
    networks = sorted(os.listdir("/sys/class/net"))
    if networks not in ([], ["lo"]):
        raise OSError(f"the container has the networks {networks}; start it without")
    if not os.statvfs("/").f_flag & os.ST_RDONLY:
        raise OSError("the container's root file system is writable; start it read-only")
