"""The exceptions of reward machines.

::

    RewardMachineError (ValueError)
    ├── FormulaError    a guard that cannot be read; points at the column
    └── MachineError    a machine or a file that cannot be used; names the line
"""

from __future__ import annotations

__all__ = ["FormulaError", "MachineError", "RewardMachineError"]


class RewardMachineError(ValueError):
    """Base of every exception that a reward machine raises on purpose."""


class FormulaError(RewardMachineError):
    """A formula cannot be read or is too large.

    Args:
        reason: What was expected and what came.
        text: The formula.
        column: Where in it, from 0; None where the whole is meant.
    """

    def __init__(self, reason: str, text: str, column: int | None = None) -> None:
        self.reason = reason
        self.text = text
        self.column = column
        where = "" if column is None else f" at column {column + 1}"
        pointer = "" if column is None else f"\n    {text}\n    {' ' * column}^"
        super().__init__(f"{reason}{where}.{pointer or f' The formula is {text!r}.'}")


class MachineError(RewardMachineError):
    """A machine is not one, or a file cannot be read.

    Args:
        reason: What was expected, what came and what to do.
        line: The line of the file, from 1; 0 where there is no file.
        name: The file.
    """

    def __init__(self, reason: str, line: int = 0, name: str = "") -> None:
        self.reason = reason
        self.line = line
        place = ", ".join([*([name] if name else []), *([f"line {line}"] if line else [])])
        super().__init__(f"{place}: {reason}" if place else reason)
