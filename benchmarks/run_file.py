"""A file of finished runs, so that a benchmark of hours can be stopped and goes on where it was."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tqdm import tqdm

from code_envs.errors import ConfigurationError

__all__ = ["Keyed", "RunFile", "finished"]


class Keyed(Protocol):
    """Something to be run."""

    @property
    def key(self) -> str:
        """What tells it from all others; its record has it too."""


R = TypeVar("R", bound=Keyed)


def finished(path: Path) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The head of a file of runs and the runs; None and no run where there is no file.

    A last line that was cut off, because the process was killed, is left out.

    Raises:
        ConfigurationError: If it is another kind of file.
    """
    if not path.exists():
        return None, []
    lines = path.read_text().split("\n")
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows += [json.loads(line)] if line else []
        except json.JSONDecodeError as error:
            if number < len(lines):
                raise ConfigurationError(f"{path}, line {number}: expected a run as JSON: {error}.") from error
    if rows and "settings" not in rows[0]:
        raise ConfigurationError(f"{path}: expected a file that this benchmark wrote; its first line has no settings.")
    return (rows[0], rows[1:]) if rows else (None, [])


class RunFile:
    """Lines of JSON: a head, then a line for each finished run.

    Args:
        path: Of the file; made if it is not there.
        head: What is written first into a new file; its `settings` are those of all runs.

    Attributes:
        head: That of the file.
        records: The runs that are finished.

    Raises:
        ConfigurationError: If the file is of another kind, or holds runs with other settings.
    """

    def __init__(self, path: Path, head: dict[str, Any]) -> None:
        self.path = path
        found, self.records = finished(path)
        self.head = found or head
        if found is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(head) + "\n")
        elif found["settings"] != head["settings"]:
            raise ConfigurationError(
                f"{path} holds runs with other settings, {found['settings']}. Give another file, or those settings."
            )
        self._mend()

    def _mend(self) -> None:
        """Take away a last line that was cut off, so that the next run has a line of its own."""
        text = self.path.read_text()
        if not text.endswith("\n"):
            self.path.write_text(text[: text.rfind("\n") + 1])

    def play(
        self, runs: Sequence[R], start: Callable[[], Callable[[R], dict[str, Any]]], minutes: float | None = None
    ) -> None:
        """Run what is missing; each run is written as soon as it is over.

        Args:
            runs: All runs, in their order.
            start: Makes what plays a run; not called where nothing is missing.
            minutes: Begin no run after so long.
        """
        known = {record["key"] for record in self.records}
        missing = [run for run in runs if run.key not in known]
        if not missing:
            return
        began = time.perf_counter()
        play = start()
        with tqdm(total=len(runs), initial=len(runs) - len(missing), unit="run", file=sys.stderr) as bar:
            for number, run in enumerate(missing):
                if minutes is not None and time.perf_counter() - began > 60 * minutes:
                    print(f"{len(missing) - number} runs are left; the same command goes on.", file=sys.stderr)
                    return
                bar.set_postfix_str(run.key)
                self.records.append(play(run))
                with self.path.open("a") as file:
                    file.write(json.dumps(self.records[-1]) + "\n")
                bar.update()

    def of(self, runs: Sequence[R]) -> list[dict[str, Any]]:
        """The records of these runs, as far as they are finished."""
        keys = {run.key for run in runs}
        return [record for record in self.records if record["key"] in keys]
