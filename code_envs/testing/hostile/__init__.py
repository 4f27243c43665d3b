"""Hostile programs, as data: what each attempts, and how it must end. One module per class of attack.

`code_envs.testing.campaign` runs them against an executor; `python -m code_envs attack` does it from the command line.
Some are in C, C++, JavaScript or Java: `native`, `compilers`, `javascript` and `java`.
Each tries to be paid for an answer that it does not compute, to reach what is planted outside its sandbox, to never
end, to leave a process or anything else behind, or to blame the sandbox for its own end. None of them endangers the
machine where a protection fails: a process that should not have been started ends at once, what is destructive is
tried on planted files, memory is bounded, and addresses are planted listeners.
"""

from __future__ import annotations

from code_envs.testing.hostile import (
    compilers,
    exits,
    files,
    forgery,
    harness,
    java,
    javascript,
    leftovers,
    limits,
    memory,
    native,
    network,
    output,
    pieces,
    processes,
    sources,
    timing,
)
from code_envs.testing.hostile.program import Hostile

__all__ = ["CLASSES", "PROGRAMS", "Hostile"]

_MODULES = (
    limits, exits, memory, output, forgery, harness, pieces, files, network, processes, sources, leftovers, timing,
    native, compilers, javascript, java,
)  # fmt: skip
CLASSES: dict[str, tuple[Hostile, ...]] = {module.__name__.rpartition(".")[2]: module.PROGRAMS for module in _MODULES}
"""The programs by class of attack."""

PROGRAMS: tuple[Hostile, ...] = tuple(program for programs in CLASSES.values() for program in programs)
"""All programs, in a fixed order; names are unique."""
