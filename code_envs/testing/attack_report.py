"""What came of attacks on an executor: one entry per hostile program, counts, a summary, JSON."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Attack", "AttackReport", "Fault"]


class Fault(enum.StrEnum):
    """What can be wrong after a hostile program."""

    PAID = "paid"
    ESCAPED = "escaped"
    HUNG = "hung"
    SURVIVED = "survived"
    LOST = "lost"
    SPOILT = "spoilt"
    UNEXPECTED = "unexpected"


_COUNTED = (Fault.PAID, Fault.ESCAPED, Fault.HUNG, Fault.SURVIVED)
_ALSO = {
    Fault.LOST: "failed the sandbox",
    Fault.SPOILT: "spoilt the next job",
    Fault.UNEXPECTED: "ended in another way than expected",
}


@dataclass(frozen=True)
class Attack:
    """What one hostile program did.

    Args:
        group: Class of attack, a module of `code_envs.testing.hostile`.
        name: Of the program.
        attempts: What it tries.
        outcome: How the job and its calls ended, in a few words.
        faults: What is wrong, with the details; PAID is a verdict that passes, ESCAPED planted evidence that was
            touched or read, HUNG no outcome in time, SURVIVED a process that is left, LOST an `ExecutorError`,
            SPOILT an honest job after it without the right verdict, UNEXPECTED another outcome than may be.
    """

    group: str
    name: str
    attempts: str
    outcome: str
    faults: dict[Fault, str] = field(default_factory=dict)

    def __str__(self) -> str:
        details = "; ".join(f"{fault}: {detail}" for fault, detail in self.faults.items())
        return f"{self.group}/{self.name} ({self.attempts}): {details or self.outcome}"


@dataclass(frozen=True)
class AttackReport:
    """What all programs did.

    Args:
        attacks: One entry per program that was run, in order.
        not_run: Languages that the executor has no tool for, each with the number of its programs.
    """

    attacks: tuple[Attack, ...]
    not_run: dict[str, int] = field(default_factory=dict)

    def count(self, fault: Fault) -> int:
        """Number of programs with a fault."""
        return sum(fault in each.faults for each in self.attacks)

    @property
    def failures(self) -> tuple[Attack, ...]:
        """The attacks with a fault."""
        return tuple(each for each in self.attacks if each.faults)

    def summary(self) -> str:
        """One line: how many programs, how many of them have which fault, and how many could not be run."""
        parts = [f"{len(self.attacks)} programs", *(f"{self.count(fault)} {fault}" for fault in _COUNTED)]
        parts += [f"{self.count(fault)} {text}" for fault, text in _ALSO.items() if self.count(fault)]
        parts += [f"{count} not run: no {language}" for language, count in self.not_run.items()]
        return ", ".join(parts)

    def as_json(self) -> dict[str, Any]:
        """The report in JSON's types."""
        rows = [
            {
                "class": each.group,
                "name": each.name,
                "attempts": each.attempts,
                "outcome": each.outcome,
                "faults": {str(fault): detail for fault, detail in each.faults.items()},
            }
            for each in self.attacks
        ]
        counts = {str(fault): self.count(fault) for fault in Fault}
        return {"programs": len(self.attacks), "counts": counts, "not_run": self.not_run, "attacks": rows}
