"""A program for the sandbox: runs assert-style test code on the values that a candidate gave.

The trainer never imports this file for its functions; `code_envs.tasks.cases` sends its text as a job of
its own, which no candidate ever enters. Entry: `judge`. `recording.py` is the other half, which is sent
together with this file and records what test code asks of a program. Standard library only.

Names that the test code takes from the program are bound to the reference, so that editing a helper
cannot weaken a test.
"""

import ast
import builtins
import inspect
import random
import sys
import types
from collections.abc import Callable
from typing import Any

TEXT_LIMIT = 200


class KeywordOnlyError(ValueError):
    """A call needs keyword-only arguments."""


class Diverged(BaseException):
    """The test code called with other arguments than when it was recorded."""


class Unavailable(BaseException):
    """The candidate gave no value for this call."""


def positional(function: Callable[..., Any], args: tuple, kwargs: dict) -> tuple:
    """The arguments of a call without keywords."""
    if not kwargs:
        return args
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    if bound.kwargs:
        raise KeywordOnlyError(f"keyword-only arguments {sorted(bound.kwargs)}")
    return bound.args


class Guarding(ast.NodeTransformer):
    """Guards every assert; drops messages, which may call the candidate again, and asserts of constants."""

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        """Replace one assert."""
        if isinstance(node.test, ast.Constant) and node.test.value:
            return ast.copy_location(ast.Pass(), node)
        return ast.fix_missing_locations(ast.copy_location(self.replacement(node.test), node))

    def replacement(self, test: ast.expr) -> ast.stmt:
        """The statement to run instead of `assert test`."""
        text = ast.Constant(ast.unparse(test)[:TEXT_LIMIT])
        guard = ast.Call(ast.Name("__test__", ast.Load()), [text], [])
        return ast.With([ast.withitem(guard)], [ast.Assert(test, None)])


def calls_check_itself(tree: ast.Module) -> bool:
    """Whether test code with a `check` function also calls it."""
    names = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any(isinstance(name, ast.Name) and name.id == "check" for name in names)


def defines_check(tree: ast.Module) -> bool:
    """Whether the test code has a top-level function `check(candidate)`."""
    return any(isinstance(node, ast.FunctionDef) and node.name == "check" for node in tree.body)


def run_section(code: str, rewriter: ast.NodeTransformer, reference: dict, setup: str, entry: str, names: dict) -> None:
    """Run one piece of test code in a namespace of its own: the reference's, with `names`."""
    tree = ast.parse(code)
    check_only = defines_check(tree) and not calls_check_itself(tree)
    compiled = compile(rewriter.visit(tree), "<tests>", "exec")
    namespace = {**reference, "__name__": "tests", **names}
    random.seed(0)
    exec(compile(setup, "<setup>", "exec"), namespace)
    if not check_only:
        namespace[entry] = names["candidate"]
    exec(compiled, namespace)
    if check_only:
        namespace["check"](names["candidate"])


def load_reference(source: str) -> dict[str, Any]:
    """Execute the reference as a module of its own and return its namespace."""
    module = types.ModuleType("reference")
    sys.modules["reference"] = module
    exec(compile(source, "<reference>", "exec"), module.__dict__)
    return module.__dict__


class Judge:
    """A candidate that gives recorded outputs, and the verdict of each assert on them."""

    def __init__(self, function: Callable[..., Any], calls: list[list], outputs: list[list]) -> None:
        self.function = function
        self.calls = calls
        self.outputs = outputs
        self.made = 0
        self.passed: list[bool] = []

    def candidate(self, *args: Any, **kwargs: Any) -> Any:
        """Give the recorded output of the next call."""
        number, self.made = self.made, self.made + 1
        if number >= len(self.calls) or not same(tuple(self.calls[number]), positional(self.function, args, kwargs)):
            raise Diverged(f"call {number}")
        kind, *rest = self.outputs[number]
        if kind == "value":
            return rest[0]
        if kind == "exception":
            raise exception(*rest)
        raise Unavailable(f"call {number}")

    def test(self, _text: str) -> "Judge":
        """The guard of one assert."""
        return self

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, *_: object) -> bool:
        self.passed.append(kind is None)
        return kind is None or issubclass(kind, (Exception, Unavailable))


def same(recorded: tuple, arguments: tuple) -> bool:
    """Whether two argument lists are equal; nan equals itself here."""
    return recorded == arguments or repr(recorded) == repr(arguments)


def exception(name: str, message: str) -> Exception:
    """A recorded exception, of the built-in class of that name or of a new one."""
    found = getattr(builtins, name, None)
    if not (isinstance(found, type) and issubclass(found, Exception)):
        found = type(name, (Exception,), {})
    try:
        return found(message)
    except TypeError:  # UnicodeDecodeError and its like take other arguments
        return type(name, (found,), {"__init__": lambda self, text: None})(message)


def judge(
    source: str, entry: str, setup: str, sections: list[tuple], calls: list[list], outputs: list[list]
) -> list[bool]:
    """Which asserts hold on a candidate's outputs.

    Args:
        source: The reference, for the names that the test code takes from the program.
        entry: Name of the function under test.
        setup: Code to run before each section.
        sections: Pieces of test code, each with the number of its first call and the number of asserts
            that it reaches with the reference.
        calls: Arguments of the calls, as recorded.
        outputs: Per call ["value", v], ["exception", class, message] or ["none"].
    """
    reference = load_reference(source)
    taken = Judge(reference[entry], calls, outputs)
    names = {"candidate": taken.candidate, "__test__": taken.test}
    passed: list[bool] = []
    for code, first, count in sections:
        taken.passed, taken.made = [], first
        _run_judged(code, reference, setup, entry, names)
        passed += (taken.passed + [False] * count)[:count]
    return passed


def _run_judged(code: str, reference: dict, setup: str, entry: str, names: dict) -> None:
    try:
        run_section(code, Guarding(), reference, setup, entry, names)
    except (Exception, Diverged, Unavailable):
        return  # the asserts that were not reached count as failed
