"""A program for the sandbox: records what assert-style test code asks of a program.

The text of this file is sent after those of `judging.py` and `fingerprint.py`, whose names it uses, as one
program: a sandbox has no package to import from. The trainer never imports it for its functions.

Entry: `extract`, which runs test code once with a candidate that calls the reference and hands out symbols.
An assert that compares a symbol becomes a case: arguments, relation, expected value. Test code that looks
into a symbol is run again with the reference's own values (lane "replay"); calls whose arguments are
objects of the program itself are written down as expressions (lane "driven").
"""

import ast
import copy
import math
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, NoReturn

if TYPE_CHECKING:
    from code_envs.tasks.fingerprint import behaviour, infer_entry
    from code_envs.tasks.judging import Guarding, KeywordOnlyError, load_reference, positional, run_section

SCALARS = (type(None), bool, int, float, complex, str, bytes, Decimal, Fraction)
SEQUENCES = (list, tuple, set, frozenset)
RELATIONS = {ast.Eq: "eq", ast.NotEq: "ne", ast.Is: "is", ast.Lt: "lt", ast.LtE: "le"}


class NotExpressible(BaseException):
    """The test code needs the value itself. A BaseException: a test's own `except Exception` must not hide it."""


class NotEncodable(BaseException):
    """An argument has no encoding, such as an object of a class of the program."""


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


class Unreadable:
    """Something that test code must not look into; whoever does is referred to the recorder."""

    __slots__ = ()
    recorder: "Recorder"

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

    def __init__(self, recorder: "Recorder", call: int) -> None:
        self.recorder = recorder
        self.call = call
        self.consumed = False

    def __sub__(self, other: Any) -> "Difference":
        return Difference(self, other)

    def __rsub__(self, other: Any) -> "Difference":
        return Difference(self, other)


class Difference(Unreadable):
    """A symbol minus a value, or the value minus the symbol: only the distance matters."""

    __slots__ = ("absolute", "other", "recorder", "symbol")

    def __init__(self, symbol: Symbol, other: Any, absolute: bool = False) -> None:
        self.recorder = symbol.recorder
        self.symbol = symbol
        self.other = other
        self.absolute = absolute

    def __abs__(self) -> "Difference":
        return Difference(self.symbol, self.other, absolute=True)


class Symbolic(Guarding):
    """Hands both sides of every assert to the recorder."""

    def replacement(self, test: ast.expr) -> ast.stmt:
        """The call of the recorder's hook to run instead of `assert test`."""
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in RELATIONS:
            relation = RELATIONS[type(test.ops[0])]
            return _hook("compared", ast.Constant(relation), test.left, test.comparators[0])
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return _hook("truth", ast.Constant(False), test.operand)
        if isinstance(test, ast.Call):
            return _hook("called", test.func, *test.args, keywords=test.keywords)
        return _hook("truth", ast.Constant(True), test)


def _hook(name: str, *arguments: ast.expr, keywords: Sequence[ast.keyword] = ()) -> ast.stmt:
    function = ast.Attribute(ast.Name("__recorder__", ast.Load()), name, ast.Load())
    return ast.Expr(ast.Call(function, list(arguments), list(keywords)))


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
        try:
            arguments = positional(self.function, args, kwargs)
        except KeywordOnlyError as error:
            raise NotEncodable(f"call {len(self.calls)} has {error}") from None
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

    def test(self, text: str) -> "RecordedTest":
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
        run_section(code, Symbolic() if symbolic else Guarding(), reference, setup, entry, names)
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
