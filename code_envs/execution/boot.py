"""The runner as it is sent to a worker: its modules, and the line of Python that receives them.

Nothing has to be installed where a worker runs, and nothing of the runner lies on its disk to be read.
"""

from __future__ import annotations

import hashlib
import json
import struct
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["BOOT", "ENVIRONMENT", "bundle", "harness", "modules", "runner_digest"]

SOURCES = (
    "wire",
    "waiting",
    "codec",
    "instrument",
    "candidate",
    "kernel",
    "pages",
    "seccomp",
    "hardening",
    "protections",
    "toolchain",
    "runner",
)

ENVIRONMENT = {
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "PATH": "/usr/bin:/bin",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
}
"""The whole environment of a worker: nothing of the client's leaks, and string hashes are fixed."""

# receives {"modules": [[name, source], ...], "config": {...}} and runs the last module; without the fork hooks of
# the standard library, which would reseed `random` in every child and cost 85 page faults. First the heap grows by some
# mebibytes, of which an object in each is kept: asked for later, between the libraries, its pieces would lie apart, and
# no huge page would fit in (`code_envs.execution.pages`)
BOOT = """
import ctypes
getattr(ctypes.CDLL(None), "mallopt", max)(-2, 4 << 20)
heap = [bytes(479) for _ in range(12288)][::2048]
import json, os, struct, sys, types
def read(count):
    data = b""
    while len(data) < count:
        chunk = os.read(0, count - len(data))
        if not chunk:
            os._exit(0)
        data += chunk
    return data
os.register_at_fork = lambda **hooks: None
bundle = json.loads(read(struct.unpack("<I", read(4))[0]))
for name, source in bundle["modules"]:
    module = sys.modules[name] = types.ModuleType(name)
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)
    exec(compile(source, "<" + name + ">", "exec"), module.__dict__)
sys.modules["code_envs.execution.runner"].main(bundle["config"])
"""


@cache
def modules() -> list[list[str]]:
    """The runner's modules in the order in which they import each other."""
    here = Path(__file__).parent
    package = "code_envs.execution"
    found = [["code_envs", ""], [package, ""]]
    found += [[f"{package}.{name}", (here / f"{name}.py").read_text(encoding="utf-8")] for name in SOURCES]
    return found


@cache
def harness() -> str:
    """What calls a JavaScript candidate inside its process."""
    return Path(__file__).with_name("candidate.js").read_text(encoding="utf-8")


@cache
def runner_digest() -> bytes:
    """SHA-256 of the runner's modules: what an outcome depends on beside the job and the interpreter."""
    return hashlib.sha256(json.dumps([BOOT, modules(), harness()]).encode()).digest()


def bundle(config: dict[str, Any]) -> bytes:
    """The first frame to a worker.

    Args:
        config: `namespaces`, `watch_parent`, and `toolchain`: whether it runs programs of other languages than Python.
    """
    toolchain = config["toolchain"]
    sources = [each for each in modules() if toolchain or not each[0].endswith(".toolchain")]
    config = config | {"harness": harness() if toolchain else ""}
    data = json.dumps({"modules": sources, "config": config}).encode()
    return struct.pack("<I", len(data)) + data
