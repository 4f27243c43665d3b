"""The command line: `python -m code_envs` with `doctor`, `list`, `attack` or `replay`."""

from __future__ import annotations

import argparse
import importlib
import inspect
import sys
from collections.abc import Sequence

from code_envs import __version__
from code_envs.errors import CodeEnvsError

__all__ = ["main"]

USAGE_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code, 2 for what the caller can mend.

    Args:
        arguments: Words of the command line; None means those of this process.
    """
    options = _parser().parse_args(arguments)
    try:
        return _COMMANDS[options.command](options)
    except CodeEnvsError as error:
        sys.stderr.write(f"code_envs {options.command}: {error}\n")
        return USAGE_ERROR


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m code_envs", description="Gymnasium environments for RL on code.")
    parser.add_argument("--version", action="version", version=f"code-envs {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    doctor = commands.add_parser("doctor", help="what this machine can protect against; exit code 1 if too little")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    commands.add_parser("list", help="environment ids and task sources")
    attack = commands.add_parser("attack", help="run hostile programs in a sandbox; exit code 1 if one gets its way")
    attack.add_argument(
        "--executor", default="local", help="local[:N], docker[:N] or ray[:N], N workers; default: local"
    )
    attack.add_argument("--json", action="store_true", help="print JSON, with one entry per program")
    replay = commands.add_parser("replay", help="execute recorded episodes again; exit code 1 if one differs")
    replay.add_argument("file", help="what code_envs.record.RecordEpisodes wrote")
    replay.add_argument("--executor", help="local[:N], docker[:N] or ray[:N]; default: the recorded one")
    return parser


def _doctor(options: argparse.Namespace) -> int:
    from code_envs.execution import doctor

    return doctor.main(options.json)


def _attack(options: argparse.Namespace) -> int:
    from code_envs.execution.pool import open_executor
    from code_envs.testing.campaign import main as attack

    return attack(open_executor(options.executor), options.json)


def _replay(options: argparse.Namespace) -> int:
    from code_envs import replay

    return replay.main(options.file, options.executor)


def _list(_: argparse.Namespace) -> int:
    from code_envs.registration import ENVIRONMENTS
    from code_envs.tasks.sources import available

    environments = {name: _summary(str(entry["entry_point"])) for name, entry in ENVIRONMENTS.items()}
    sections = (("Environments, for gymnasium.make", environments), ("Task sources, for tasks=...", available()))
    width = max(len(name) for _, section in sections for name in section)
    for title, section in sections:
        rows = "".join(f"  {name:{width}}  {line}\n" for name, line in section.items())
        sys.stdout.write(f"{title}:\n{rows}")
    return 0


def _summary(entry_point: str) -> str:
    """First line of the docstring of a class given as "module:Class"."""
    module, _, name = entry_point.partition(":")
    documentation = inspect.getdoc(getattr(importlib.import_module(module), name)) or ""
    return documentation.partition("\n")[0]


_COMMANDS = {"attack": _attack, "doctor": _doctor, "list": _list, "replay": _replay}


if __name__ == "__main__":
    sys.exit(main())
