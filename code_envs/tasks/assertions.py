"""A program for the sandbox: runs assert-style test code on recorded or symbolic values.

The trainer never imports this file; `code_envs.tasks.extraction` and `code_envs.tasks.cases.ReplaySuite`
send its text as a job of its own, which no candidate ever enters. It needs only the standard library.
Two entries:

- `extract` runs test code once with a candidate that calls the reference and hands out symbols. An
  assert that compares a symbol becomes a case: arguments, relation, expected value. Test code that
  looks into a symbol is run again with the reference's own values (lane "replay"); calls whose
  arguments are objects of the program itself are written down as expressions (lane "driven").
- `judge` runs the same test code on the values that a candidate gave, and says which asserts held.

Names that the test code takes from the program are bound to the reference, so that editing a helper
cannot weaken a test.
"""

from __future__ import annotations

import ast
import builtins
import copy
import hashlib
import inspect
import math
import random
import sys
import types
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal, NoReturn

SCALARS = (type(None), bool, int, float, complex, str, bytes, Decimal, Fraction)
SEQUENCES = (list, tuple, set, frozenset)
TEXT_LIMIT = 200
RELATIONS = {ast.Eq: "eq", ast.NotEq: "ne", ast.Is: "is", ast.Lt: "lt", ast.LtE: "le"}


class NotExpressible(BaseException):
    """The test code needs the value itself. A BaseException: a test's own `except Exception` must not hide it."""


class NotEncodable(BaseException):
    """An argument has no encoding, such as an object of a class of the program."""


class Diverged(BaseException):
    """The test code called with other arguments than when it was recorded."""


class Unavailable(BaseException):
    """The candidate gave no value for this call."""


# --- values -----------------------------------------------------------------------------------------


def obstacle(value: Any) -> type | None:
    """The first type inside `value` that has no encoding."""
    kind = type(value)
    if kind in SCALARS:
        return None
    if kind in SEQUENCES:
        return next(filter(None, map(obstacle, value)), None)
    if kind is dict:
        return next(filter(None, (obstacle(part) for pair in value.items() for part in pair)), None)
    return kind


def positional(function: Callable[..., Any], args: tuple, kwargs: dict) -> tuple:
    """The arguments of a call without keywords."""
    if not kwargs:
        return args
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    if bound.kwargs:
        raise NotEncodable(f"keyword-only arguments {sorted(bound.kwargs)}")
    return bound.args


class Unreadable:
    """Something that test code must not look into; whoever does is referred to the recorder."""

    __slots__ = ()
    recorder: Recorder

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # isinstance asks for it
        return self.recorder.refuse("the test code asks for the type of a result")


def _refusal(name: str) -> Callable[..., Any]:
    def refuse(self: Unreadable, *_: Any, **__: Any) -> NoReturn:
        self.recorder.refuse(f"the test code uses {name} on a result")

    return refuse


READS = """
bool len iter next getitem setitem delitem contains hash eq ne lt le gt ge abs add radd sub rsub mul rmul truediv
rtruediv floordiv rfloordiv mod rmod divmod rdivmod pow rpow and rand or ror xor rxor lshift rlshift rshift rrshift
matmul rmatmul neg pos invert float int complex index round trunc floor ceil str repr format bytes call getattr
reversed enter exit copy deepcopy reduce_ex
"""
for _name in READS.split():
    setattr(Unreadable, f"__{_name}__", _refusal(_name))


class Symbol(Unreadable):
    """What one call will give: may be compared, and a number may be subtracted from it, or it from a number."""

    __slots__ = ("call", "consumed", "recorder")

    def __init__(self, recorder: Recorder, call: int) -> None:
        self.recorder = recorder
        self.call = call
        self.consumed = False

    def __sub__(self, other: Any) -> Difference:
        return Difference(self, other)

    def __rsub__(self, other: Any) -> Difference:
        return Difference(self, other)


class Difference(Unreadable):
    """A symbol minus a value, or the value minus the symbol: only the distance matters."""

    __slots__ = ("absolute", "other", "recorder", "symbol")

    def __init__(self, symbol: Symbol, other: Any, absolute: bool = False) -> None:
        self.recorder = symbol.recorder
        self.symbol = symbol
        self.other = other
        self.absolute = absolute

    def __abs__(self) -> Difference:
        return Difference(self.symbol, self.other, absolute=True)


# --- test code --------------------------------------------------------------------------------------


class Rewriter(ast.NodeTransformer):
    """Drops assert messages (they may call the candidate again) and asserts of constants, and hooks the rest."""

    def __init__(self, symbolic: bool) -> None:
        self.symbolic = symbolic

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        """Replace one assert."""
        if isinstance(node.test, ast.Constant) and node.test.value:
            return ast.copy_location(ast.Pass(), node)
        text = ast.Constant(ast.unparse(node.test)[:TEXT_LIMIT])
        made = self._symbolic(node.test) if self.symbolic else self._guarded(node.test, text)
        return ast.fix_missing_locations(ast.copy_location(made, node))

    def _guarded(self, test: ast.expr, text: ast.Constant) -> ast.stmt:
        guard = ast.Call(ast.Name("__test__", ast.Load()), [text], [])
        return ast.With([ast.withitem(guard)], [ast.Assert(test, None)])

    def _symbolic(self, test: ast.expr) -> ast.stmt:
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in RELATIONS:
            relation = RELATIONS[type(test.ops[0])]
            return self._hook("compared", ast.Constant(relation), test.left, test.comparators[0])
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return self._hook("truth", ast.Constant(False), test.operand)
        if isinstance(test, ast.Call):
            called = ast.Call(ast.Attribute(ast.Name("__recorder__", ast.Load()), "called", ast.Load()), [], [])
            called.args, called.keywords = [test.func, *test.args], test.keywords
            return ast.Expr(called)
        return self._hook("truth", ast.Constant(True), test)

    def _hook(self, name: str, *arguments: ast.expr) -> ast.stmt:
        function = ast.Attribute(ast.Name("__recorder__", ast.Load()), name, ast.Load())
        return ast.Expr(ast.Call(function, list(arguments), []))


def calls_check_itself(tree: ast.Module) -> bool:
    """Whether test code with a `check` function also calls it."""
    names = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any(isinstance(name, ast.Name) and name.id == "check" for name in names)


def defines_check(tree: ast.Module) -> bool:
    """Whether the test code has a top-level function `check(candidate)`."""
    return any(isinstance(node, ast.FunctionDef) and node.name == "check" for node in tree.body)


def run_section(code: str, symbolic: bool, reference: dict, setup: str, entry: str, names: dict) -> None:
    """Run one piece of test code in a namespace of its own, in which `names` and the candidate are added."""
    tree = ast.parse(code)
    check_only = defines_check(tree) and not calls_check_itself(tree)
    compiled = compile(Rewriter(symbolic).visit(tree), "<tests>", "exec")
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


# --- recording --------------------------------------------------------------------------------------


class Recorder:
    """A candidate that calls the reference, and writes down the calls and the tests made of them."""

    def __init__(self, function: Callable[..., Any], symbolic: bool) -> None:
        self.function = function
        self.symbolic = symbolic
        self.calls: list[tuple] = []
        self.symbols: list[Symbol] = []
        self.tests: list[dict[str, Any]] = []
        self.starts: list[int] = []
        self.listed = False
        self.opaque: set[int] = set()
        self.refusal = ""
        self._since = 0

    def candidate(self, *args: Any, **kwargs: Any) -> Any:
        """Call the reference for its effects on the arguments; hand out a symbol or its value."""
        arguments = positional(self.function, args, kwargs)
        found = obstacle(arguments)
        if found and issubclass(found, Unreadable):
            self.refuse("a result is an argument of another call")
        if found:
            name = found.__name__
            raise NotEncodable(f"call {len(self.calls)} has an argument of type {name!r}, which has no encoding")
        self.calls.append(copy.deepcopy(arguments))
        if not self.symbolic:
            return self._listed(self.function(*args, **kwargs))
        try:
            value = self._listed(self.function(*args, **kwargs))
        except Exception as error:
            self.refuse(f"the reference raises {type(error).__name__}")
        if obstacle(value):
            self.opaque.add(len(self.symbols))
        self.symbols.append(Symbol(self, len(self.calls) - 1))
        return self.symbols[-1]

    def _listed(self, value: Any) -> Any:
        if not isinstance(value, Iterator):
            return value
        self.listed = True
        return list(value)

    def refuse(self, reason: str) -> NoReturn:
        """Give up on cases."""
        self.refusal = self.refusal or reason
        raise NotExpressible(reason)

    def finish(self) -> None:
        """Check that nothing was lost: every call must have ended in a case."""
        unused = [symbol.call for symbol in self.symbols if not symbol.consumed]
        if unused or self.refusal:
            self.refuse(f"the results of {len(unused)} calls are in no comparison")

    @property
    def adapter(self) -> str:
        """What to do beside the candidate with values that have no encoding: "list", "bool" or ""."""
        truths = all(test.get("relation") in ("true", "false") for test in self.tests)
        return "list" if self.listed else "bool" if self.opaque and truths else ""

    # Hooks of the rewritten asserts, symbolic run.

    def compared(self, relation: str, left: Any, right: Any) -> None:
        """`assert left <relation> right`."""
        if relation in ("lt", "le") and type(left) is Difference and left.absolute:
            return self._near(left, right)
        if type(right) is Symbol and type(left) is not Symbol:
            left, right = right, left
        if type(left) is not Symbol:
            return self._plainly(OPERATORS[relation](left, right))
        if relation in ("lt", "le") or type(right) in (Symbol, Difference):
            self.refuse("an order, or a comparison of two results")
        if relation == "is" and not any(right is single for single in (None, True, False)):
            self.refuse("an identity of objects")
        return self._case(left, relation, right)

    def truth(self, wanted: bool, value: Any) -> None:
        """`assert value` or `assert not value`."""
        if type(value) is Symbol:
            return self._case(value, "true" if wanted else "false", wanted)
        return self._plainly(bool(value) is wanted)

    def called(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """`assert function(...)`."""
        if function is math.isclose and any(type(value) is Symbol for value in args):
            return self._isclose(*args, **kwargs)
        return self.truth(True, function(*args, **kwargs))

    def _isclose(self, a: Any, b: Any, *, rel_tol: float = 1e-09, abs_tol: float = 0.0) -> None:
        symbol, value = (a, b) if type(a) is Symbol else (b, a)
        if type(value) not in (int, float):
            self.refuse("math.isclose of something other than numbers")
        self._case(symbol, "close", value, max(rel_tol * abs(value), abs_tol))

    def _near(self, difference: Difference, tolerance: Any) -> None:
        if type(tolerance) not in (int, float) or type(difference.other) not in (int, float):
            self.refuse("a distance of something other than numbers")
        self._case(difference.symbol, "close", difference.other, float(tolerance))

    def _case(self, symbol: Symbol, relation: str, expected: Any, tolerance: float = 0.0) -> None:
        found = obstacle(expected)
        if found:
            self.refuse(f"an expected value of type {found.__name__!r}")
        symbol.consumed = True
        self.tests.append(
            {
                "call": symbol.call,
                "relation": relation,
                "expected": copy.deepcopy(expected),
                "tolerance": tolerance,
                "section": len(self.starts) - 1,
            }
        )

    def _plainly(self, holds: Any) -> None:
        if not holds:
            self.refuse("an assert without the candidate that does not hold")

    # Hook of the guarded asserts, recording run.

    def test(self, text: str) -> RecordedTest:
        """The guard of one assert."""
        return RecordedTest(self, text)

    def add(self, text: str) -> None:
        """Write down an assert that held, with the calls made since the last one."""
        since, self._since = self._since, len(self.calls)
        made = repr(self.calls[since:])
        self.tests.append({"text": text, "section": len(self.starts) - 1, "made": made})


OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": lambda left, right: left == right,
    "ne": lambda left, right: left != right,
    "is": lambda left, right: left is right,
    "lt": lambda left, right: left < right,
    "le": lambda left, right: left <= right,
}


class RecordedTest:
    """Guard of one assert of the recording run: a failure is the test code's or the reference's fault."""

    def __init__(self, recorder: Recorder, text: str) -> None:
        self.recorder = recorder
        self.text = text

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, *_: object) -> Literal[False]:
        if kind is None:
            self.recorder.add(self.text)
        return False


def record(reference: dict, entry: str, setup: str, sections: list[str], symbolic: bool) -> Recorder:
    """Run all sections with one recorder."""
    recorder = Recorder(reference[entry], symbolic)
    names = {"candidate": recorder.candidate, "__recorder__": recorder, "__test__": recorder.test}
    for code in sections:
        recorder.starts.append(len(recorder.calls))
        run_section(code, symbolic, reference, setup, entry, names)
    if symbolic:
        recorder.finish()
    return recorder


# --- driven calls -----------------------------------------------------------------------------------


def mentions(node: ast.AST, name: str) -> bool:
    """Whether a name occurs in a tree."""
    return any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(node))


def driven_test(statement: ast.stmt, entry: str, namespace: dict) -> dict[str, Any]:
    """One top-level assert as an expression to evaluate beside the candidate, and what it should give."""
    if not isinstance(statement, ast.Assert):
        raise NotEncodable(f"and the test code is more than asserts: {ast.unparse(statement)[:60]!r}")
    test, relation, expected = statement.test, "true", True
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test, relation, expected = test.operand, "false", False
    elif isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in (ast.Eq, ast.NotEq):
        relation, sides = RELATIONS[type(test.ops[0])], (test.left, test.comparators[0])
        test, other = reversed(sides) if mentions(sides[1], entry) else sides
        expected = eval(compile(ast.Expression(other), "<tests>", "eval"), namespace)
    if not (isinstance(test, ast.Call) and isinstance(test.func, ast.Name) and test.func.id == entry):
        raise NotEncodable(f"and the assert is no comparison of one call: {ast.unparse(statement)[:60]!r}")
    found = obstacle(expected)
    if found:
        raise NotEncodable(f"and an expected value is of type {found.__name__!r}")
    return {"expression": ast.unparse(test), "relation": relation, "expected": expected, "tolerance": 0.0}


def drive(reference: dict, entry: str, setup: str, sections: list[str]) -> list[dict[str, Any]]:
    """All asserts as expressions; only for test code that is nothing but asserts."""
    namespace = dict(reference)
    exec(compile(setup, "<setup>", "exec"), namespace)
    tests = []
    for number, code in enumerate(sections):
        for statement in ast.parse(code).body:
            tests.append({**driven_test(statement, entry, namespace), "section": number})
    return tests


# --- the program's identity ---------------------------------------------------------------------------


class Normaliser(ast.NodeTransformer):
    """Renames what the program binds by order of appearance; drops docstrings, annotations and typing imports."""

    def __init__(self, bound: set[str]) -> None:
        self.names = dict.fromkeys(bound, "")

    def _rename(self, name: str) -> str:
        if name in self.names and not self.names[name]:
            self.names[name] = f"v{sum(map(bool, self.names.values()))}"
        return self.names.get(name, name)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Rename a name."""
        node.id = self._rename(node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """Rename a parameter, drop its annotation."""
        node.arg, node.annotation = self._rename(node.arg), None
        return node

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        """Rename a keyword as its parameter."""
        node.arg = self._rename(node.arg) if node.arg else None
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Rename a function, drop its docstring and annotation."""
        node.name, node.returns = self._rename(node.name), None
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        """Turn an annotated assignment into a plain one."""
        if node.value is None:
            return None
        return self.visit(ast.copy_location(ast.Assign([node.target], node.value, lineno=node.lineno), node))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        """Drop imports of annotations."""
        return None if node.module == "typing" else node


def bound_names(tree: ast.AST) -> set[str]:
    """Names that a program assigns, takes as parameters or defines."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    names |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return names | {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def behaviour(source: str) -> str:
    """Digest of a program up to names, comments, layout, docstrings and annotations, hexadecimal."""
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if not isinstance(node, ast.Expr)]
    normal = Normaliser(bound_names(tree)).visit(tree)
    return hashlib.sha256(ast.unparse(normal).encode()).hexdigest()


def infer_entry(source: str, code: str) -> str:
    """The one function of the program that the asserts call."""
    defined = {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    asserts = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Assert)]
    called = [
        {node.func.id for node in ast.walk(each) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
        for each in asserts
    ]
    shared = defined.intersection(*called) if called else set()
    if len(shared) != 1:
        raise ValueError(f"{len(shared)} functions of the program are called in every assert: {sorted(shared)}")
    return shared.pop()


# --- entries ----------------------------------------------------------------------------------------


def extract(source: str, entry: str, setup: str, sections: list[str]) -> dict[str, Any]:
    """Turn test code into tests; the caller reads "lane" first.

    Args:
        source: The reference.
        entry: Name of the function under test, or "" to infer it.
        setup: Code to run before each section.
        sections: Pieces of test code; each test says which one it comes from.
    """
    entry = entry or infer_entry(source, "\n".join(sections))
    found = {"entry": entry, "behaviour": behaviour(source)}
    reference = load_reference(source)
    if not callable(reference.get(entry)):
        return {**found, "lane": "", "reason": f"the reference defines no function {entry!r}"}
    try:
        return {**found, **_extract(reference, entry, setup, sections)}
    except (NotEncodable, AssertionError) as error:
        return {**found, "lane": "", "reason": str(error) or "the reference fails its own tests"}


def _extract(reference: dict, entry: str, setup: str, sections: list[str]) -> dict[str, Any]:
    try:
        return _recorded(reference, entry, setup, sections)
    except NotEncodable as error:
        tests = _driven(str(error), reference, entry, setup, sections)
        return {"lane": "driven", "tests": tests, "reason": str(error)}


def _recorded(reference: dict, entry: str, setup: str, sections: list[str]) -> dict[str, Any]:
    try:
        taken, lane, reason = record(reference, entry, setup, sections, symbolic=True), "cases", ""
    except (NotExpressible, Exception) as error:  # whatever a symbol led to, the recording run decides
        reason = f"{type(error).__name__}: {error}"
        taken, lane = record(reference, entry, setup, sections, symbolic=False), "replay"
    found = {"lane": lane, "tests": taken.tests, "calls": taken.calls, "starts": taken.starts}
    return {**found, "adapter": taken.adapter, "reason": reason}


def _driven(reason: str, reference: dict, entry: str, setup: str, sections: list[str]) -> list[dict[str, Any]]:
    try:
        return drive(reference, entry, setup, sections)
    except NotEncodable as error:
        raise NotEncodable(f"{reason}, {error}") from None


class Judge:
    """A candidate that gives recorded outputs, and the verdict of each assert on them."""

    def __init__(self, function: Callable[..., Any], calls: list[tuple], outputs: list[list]) -> None:
        self.function = function
        self.calls = calls
        self.outputs = outputs
        self.made = 0
        self.passed: list[bool] = []

    def candidate(self, *args: Any, **kwargs: Any) -> Any:
        """Give the recorded output of the next call."""
        number, self.made = self.made, self.made + 1
        if number >= len(self.calls) or not same(self.calls[number], positional(self.function, args, kwargs)):
            raise Diverged(f"call {number}")
        kind, *rest = self.outputs[number]
        if kind == "value":
            return rest[0]
        if kind == "exception":
            raise exception(*rest)
        raise Unavailable(f"call {number}")

    def test(self, _text: str) -> Judge:
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
    source: str, entry: str, setup: str, sections: list[tuple], calls: list[tuple], outputs: list[list]
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
        run_section(code, False, reference, setup, entry, names)
    except (Exception, Diverged, Unavailable):
        return  # the asserts that were not reached count as failed
