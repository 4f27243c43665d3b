"""Tests of whole Python programs: what they write to the standard output for a standard input.

Other languages run whole programs as they are (`Job.entry` ""). In Python the sandbox calls functions, so the program
is executed inside a trusted one, `standard_streams.py`, once per test. What it costs: the program's steps and lines are
not counted, and one that does not compile ends with "load_error" (a SyntaxError), not with "compile_error".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from code_envs.execution.executor import Job, Limits
from code_envs.tasks.cases import Case, CaseSuite, sandbox_program, shortened
from code_envs.tasks.standard_streams import output_lines

__all__ = ["ProgramSuite", "output_case"]

DRIVER = "standard_streams.py"
COMPILED = "CODE_ENVS_CODE = compile({source!r}, '<program>', 'exec', dont_inherit=True)\n"


def output_case(given: str, output: str) -> Case:
    """The test that a program writes an output for an input, up to empty lines and spaces."""
    case = Case.of("program", [given], output_lines(output))
    return Case(case.arguments, case.relation, case.expected, text=shortened(f"{given!r} -> {case.expected!r}"))


class ProgramSuite(CaseSuite):
    """Tests of a whole Python program, each with an input and the output.

    Args:
        cases: The tests, made by `output_case`.
    """

    def __init__(self, cases: Iterable[Case]) -> None:
        super().__init__("code_envs_program", cases)

    def subset(self, indices: Iterable[int]) -> ProgramSuite:
        """The suite of some of the tests."""
        return ProgramSuite([self.cases[index] for index in indices])

    def job(self, source: bytes, limits: Limits, trace: bool = False) -> Job:
        """The job that runs a program on this suite's inputs; nothing is traced, and its steps are not limited."""
        program = COMPILED.format(source=source).encode() + sandbox_program(DRIVER)
        return Job(program, self.entry, self.calls, replace(limits, steps=None))
