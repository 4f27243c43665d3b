"""What no candidate may reach, planted where only a sandbox stands in the way.

Everything planted is marked with one secret, which programs are given backwards: where it shows in what a program
returns, it was read.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import tempfile
from pathlib import Path
from types import TracebackType

from code_envs.execution.hardening import SCRATCH

__all__ = ["VARIABLE", "Honeypots"]

VARIABLE = "CODE_ENVS_PLANTED"


class Honeypots:
    """A secret file, a secret in the environment, and listeners; gone when the context is left.

    Attributes:
        secret: What marks everything planted: "<secret>:file" is in the file, "<secret>:environment" in the
            environment of this process.
        places: What to fill into programs.
    """

    def __init__(self) -> None:
        self.secret = f"planted{secrets.token_hex(6)}"
        # open to everybody, so that only the sandbox stands in the way
        self.directory = Path(tempfile.mkdtemp(prefix="code-envs-honeypots-"))
        self.directory.chmod(0o777)
        self.file = self.directory / "secret"
        self._plant_file()
        self._listeners = {
            "tcp": socket.create_server(("127.0.0.1", 0)),
            "datagrams": socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
            "unix": socket.socket(socket.AF_UNIX),
            "abstract": socket.socket(socket.AF_UNIX),
        }
        self._abstract = f"code-envs-{self.secret}"
        self._listeners["datagrams"].bind(("127.0.0.1", 0))
        self._listeners["unix"].bind(str(self.directory / "u"))
        self._listeners["abstract"].bind(f"\0{self._abstract}")
        for name, listener in self._listeners.items():
            listener.settimeout(0)
            if name != "datagrams":
                listener.listen()
        (self.directory / "link").symlink_to(f"{self.secret}:link")
        self._present = self._listing()
        self._before = os.environ.get(VARIABLE)
        os.environ[VARIABLE] = f"{self.secret}:environment"

    def __enter__(self) -> Honeypots:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for listener in self._listeners.values():
            listener.close()
        if self._before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = self._before
        shutil.rmtree(self.directory)

    def _plant_file(self) -> None:
        self.file.write_text(f"{self.secret}:file")
        self.file.chmod(0o666)

    def _listing(self) -> list[str]:
        return sorted(each.name for each in self.directory.iterdir())

    @property
    def places(self) -> dict[str, str]:
        """What to fill into programs, by name."""
        here = os.getcwd()
        return {
            "needle_backwards": self.secret[::-1],
            "secret_file": str(self.file),
            "secret_dir": str(self.directory),
            "port": str(self._listeners["tcp"].getsockname()[1]),
            "datagrams": str(self._listeners["datagrams"].getsockname()[1]),
            "unix": str(self.directory / "u"),
            "abstract": self._abstract,
            "client": str(os.getpid()),
            # a program has a directory of its own under the name of the scratch directory
            "caller_directory": str(self.directory) if here == SCRATCH else here,
            "package_directory": str(Path(__file__).resolve().parents[2]),
        }

    def fill_in(self, source: str | bytes, **more: str) -> bytes:
        """A program with the places filled in; bytes have none."""
        if isinstance(source, bytes):
            return source
        for key, place in (self.places | more).items():
            source = source.replace("{" + key + "}", place)
        return source.encode()

    def touched(self) -> list[str]:
        """What was reached since the last time this was asked; it is planted anew."""
        found = [name for name in self._listeners if self._reached(name)]
        if self._listing() != self._present or self.file.read_text() != f"{self.secret}:file":
            found.append(f"files: {self._listing()}")
            self._restore()
        return found

    def _reached(self, name: str) -> bool:
        try:
            if name == "datagrams":
                self._listeners[name].recvfrom(1)
            else:
                self._listeners[name].accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def _restore(self) -> None:
        for entry in self.directory.iterdir():
            if entry.name not in ("secret", "u", "link"):
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        self._plant_file()
        self._present = self._listing()
