"""Sandbox workers in Docker containers: `DockerExecutor`.

A worker is a long-lived container without network, with a read-only root, no capabilities and a user of its own,
whose process 1 is the same runner as on this machine. Client and runner talk over the attached stream: it works
with any engine, and a container whose client is gone reads the end of its input, exits, and is removed.

Containers of clients that were killed together with the engine may stay; they carry a label with their owner, and
the next executor on this machine removes those whose owner is dead.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import platform
import struct
import time
from typing import Any

from code_envs.errors import ConfigurationError, ExecutorError, MissingDependencyError
from code_envs.execution.boot import BOOT, ENVIRONMENT
from code_envs.execution.pipeline import PipelinedExecutor, Worker

__all__ = ["IMAGE", "DockerExecutor"]

IMAGE = "code-envs-runner"
OWNER, HOST = "code-envs.owner", "code-envs.host"
ENGINE_TIMEOUT_S = 30.0
"""An engine that restarts may take so long to answer again."""
COMPILERS_MIB = 1024
"""Memory that a container's compilers and virtual machines may take beside its programs, MiB."""
_PATH = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
_FRAME = struct.Struct(">BxxxI")
_STDERR = 2
_FIRST_UID, _UIDS = 10_000, 50_000
_numbers = itertools.count()


class _Container(Worker):
    """A runner in a container of its own."""

    def __init__(self, api: Any, container: str) -> None:
        self.api = api
        self.container = container
        self.errors = b""
        self._framed = bytearray()
        self._stream = api.attach_socket(container, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        descriptor = self._stream.fileno()
        os.set_blocking(descriptor, False)
        super().__init__(descriptor, descriptor)

    def unframed(self, data: bytes) -> bytes:
        """The engine puts a header before each piece: which stream it comes from, and its length."""
        framed = self._framed
        framed += data
        written = bytearray()
        position = 0
        while len(framed) - position >= _FRAME.size:
            stream, length = _FRAME.unpack_from(framed, position)
            end = position + _FRAME.size + length
            if len(framed) < end:
                break
            piece = framed[position + _FRAME.size : end]
            if stream == _STDERR:
                self.errors = (self.errors + piece)[:2000]
            else:
                written += piece
            position = end
        del framed[:position]
        return bytes(written)

    def last_words(self) -> str:
        """What the runner wrote about its own failure."""
        text = self.errors.decode(errors="replace").strip()
        return f"It said: {text}" if text else "It said nothing."

    def stop(self) -> None:
        """Remove the container."""
        self.forget()
        _remove(self.api, self.container)

    def forget(self) -> None:
        """Close this process's end of the stream, and nothing else."""
        connection = self._stream._sock  # the SDK's stream does not own its connection
        self._stream.close()
        connection.close()


class DockerExecutor(PipelinedExecutor):
    """Runs jobs in hardened containers of a Docker engine.

    Not safe for use from several threads at once; after a fork, the child gets workers of its own.

    Args:
        workers: Number of containers, at least 1. They start at the first job.
        image: Image with a full Python 3.11 or later as `python3`; `docker/` has two ways to make it.
        level: Protection to insist on: "strong", "good" or "weak". None takes the best there is, and refuses
            less than "good".
        memory_mib: Memory of a container, MiB; more than what one job may use (`Limits.memory_mib`).
        runtime: Container runtime of the engine, such as "runsc"; None takes the engine's default.

    Raises:
        ConfigurationError: If an argument cannot be used.
        MissingDependencyError: If the Docker SDK is not installed.
    """

    def __init__(
        self,
        workers: int = 1,
        image: str = IMAGE,
        level: str | None = None,
        *,
        memory_mib: int = 1024,
        runtime: str | None = None,
    ) -> None:
        self._image = image
        self._memory_mib = memory_mib
        self._runtime = runtime
        self._sdk = _sdk()
        self._api: Any = None
        super().__init__(workers, level)

    def _adopt(self) -> None:
        super()._adopt()
        self._api = None  # a fork must not share the connections of its parent

    def _start_worker(self) -> Worker:
        deadline = time.monotonic() + ENGINE_TIMEOUT_S
        while True:
            try:
                return self._container()
            except (self._sdk.errors.DockerException, OSError) as error:
                self._explain(error)
                if time.monotonic() > deadline:
                    raise ExecutorError(
                        f"The Docker engine gave no worker within {ENGINE_TIMEOUT_S:.0f} s: {error}. Is it running "
                        "(`docker info`), and may this user reach it?"
                    ) from error
                time.sleep(0.2)

    def _explain(self, error: Exception) -> None:
        """Raise what waiting will not mend."""
        if isinstance(error, self._sdk.errors.ImageNotFound):
            raise ConfigurationError(
                f"The Docker engine has no image {self._image!r}. Make it with `docker build -t {IMAGE} docker`, or "
                "without a registry with `docker/build_image.sh`."
            ) from error
        response = getattr(error, "response", None)
        if response is not None and 400 <= response.status_code < 500:
            raise ConfigurationError(f"The Docker engine refused the container: {error}") from error

    def _container(self) -> Worker:
        if self._api is None:
            self._api = self._sdk.APIClient(version="auto", **self._sdk.utils.kwargs_from_env())
            _sweep(self._api)
        api = self._api
        container = api.create_container(**self._settings())["Id"]
        try:
            worker = _Container(api, container)
            api.start(container)
            worker.start({"namespaces": "container", "watch_parent": False, "toolchain": self._toolchain})
        except BaseException:
            _remove(api, container)
            raise
        return worker

    def _settings(self) -> dict[str, Any]:
        """Everything that makes the container a sandbox."""
        memory = f"{self._memory_mib + (COMPILERS_MIB if self._toolchain else 0)}m"
        scratch = "rw,size=64m,nr_inodes=4k,exec" if self._toolchain else "rw,size=16m,nr_inodes=1k,noexec"
        # processes are counted per user, across containers: each worker has a user of its own
        user = _FIRST_UID + (os.getpid() * 64 + next(_numbers)) % _UIDS
        limits = self._api.create_host_config(
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            pids_limit=320 if self._toolchain else 64,
            mem_limit=memory,
            memswap_limit=memory,
            ipc_mode="none",
            tmpfs={"/tmp": f"{scratch},nosuid,nodev,mode=700,uid={user},gid={user}"},
            log_config={"type": "none"},
            oom_score_adj=500,
            init=False,
            auto_remove=True,
            runtime=self._runtime,
        )
        return {
            "image": self._image,
            "command": ["python3", "-s", "-S", "-c", BOOT],
            "user": f"{user}:{user}",
            "environment": ENVIRONMENT | _PATH,
            "working_dir": "/tmp",
            "stdin_open": True,
            "stop_signal": "SIGKILL",
            "labels": {HOST: platform.node(), OWNER: _identity(os.getpid()) or ""},
            "host_config": limits,
        }


def _sdk() -> Any:
    try:
        import docker
    except ImportError as error:
        raise MissingDependencyError("docker", "docker") from error
    return docker


def _remove(api: Any, container: str) -> None:
    # it may be gone, or going, or the engine may be down: then the next executor's sweep finds it
    with contextlib.suppress(_sdk().errors.DockerException, OSError):
        api.remove_container(container, force=True)
    api.close()  # idle connections; the next request opens one


def _sweep(api: Any) -> None:
    """Remove the containers of this machine whose owner is dead."""
    for container in api.containers(all=True, filters={"label": f"{HOST}={platform.node()}"}):
        owner = container["Labels"].get(OWNER, "")
        if owner and _identity(int(owner.split()[0])) != owner:
            _remove(api, container["Id"])


def _identity(pid: int) -> str | None:
    """A process as its pid and the time it started at; None if there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as listing:
            fields = listing.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return f"{pid} {int(fields[19])}"
