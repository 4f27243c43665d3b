"""Transformations of whole loops: into built-in functions, comprehensions, lookups, other loops."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from code_envs.syntax.transform_sites import (
    LOOPS,
    Change,
    Site,
    Transformation,
    ancestors,
    identifiers,
    is_pure,
    previous,
    reads,
    statement_of,
    statements,
    writes,
)
from code_envs.syntax.tree import Node

__all__ = ["loop_changes"]

T = Transformation
JUMPS = frozenset({"break_statement", "return_statement", "continue_statement", "raise_statement"})
NEEDS_PARENTHESES = frozenset({"conditional_expression", "lambda", "named_expression"})


class _Fold(NamedTuple):
    """A nest of loops and conditions around one statement: `for v in xs: if c: action`."""

    loop: Node
    clauses: tuple[str, ...]
    conditions: tuple[Node, ...]
    action: Node
    target: str
    iterable: Node

    @property
    def plain(self) -> bool:
        """One loop, no condition."""
        return len(self.clauses) == 1

    def over(self, element: str) -> str:
        """The generator expression, without its parentheses."""
        return " ".join([element, *self.clauses])


def loop_changes(site: Site) -> Iterator[Change]:
    """Every change of a loop of a program."""
    for node in site.root.walk():
        if node.type == "for_statement":
            fold = _fold(node)
            if fold is not None:
                for rule in (_accumulated, _collected, _mapped, _found, _extreme, _tallied, _looked_up):
                    yield from rule(site, fold)
            yield from _direct(site, node)
            yield from _merged(site, node)
        if node.type in LOOPS:
            yield from _unswitched(site, node)
            yield from _left_early(site, node)
            yield from _bounded(site, node)


def _fold(loop: Node) -> _Fold | None:
    clauses: list[str] = []
    conditions: list[Node] = []
    node = loop
    while True:
        if node.type == "for_statement" and node.child("alternative") is None:
            left, right, body = node.child("left"), node.child("right"), node.child("body")
            if left is None or right is None:
                return None
            clauses.append(f"for {left.text} in {_guarded(right)}")
        elif node.type == "if_statement" and node.child("alternative") is None:
            condition, body = node.child("condition"), node.child("consequence")
            if condition is None:
                return None
            conditions.append(condition)
            clauses.append(f"if {_guarded(condition)}")
        else:
            break
        if len(statements(body)) != 1:
            return None
        node = statements(body)[0]
    action = node.named[0] if node.type == "expression_statement" and node.named else node
    left, right = loop.child("left"), loop.child("right")
    assert left is not None
    assert right is not None
    return _Fold(loop, tuple(clauses), tuple(conditions), action, left.text, right)


def _guarded(node: Node) -> str:
    return f"({node.text})" if node.type in NEEDS_PARENTHESES else node.text


def _initial(loop: Node, name: str) -> tuple[Node, Node] | None:
    """The statement right before a loop, if it is `name = value`; with the value."""
    before = previous(loop)
    if before is None or before.type != "expression_statement" or not before.named:
        return None
    assignment = before.named[0]
    left, right = assignment.child("left"), assignment.child("right")
    if assignment.type != "assignment" or left is None or right is None or left.text != name:
        return None
    return before, right


def _accumulated(site: Site, fold: _Fold) -> Iterator[Change]:
    """`total += e` in a loop: sum, join or count."""
    added = _added(fold.action)
    if added is None:
        return
    name, value = added
    if name in {each.text for part in (value, *fold.conditions, fold.iterable) for each in identifiers(part)}:
        return
    element = fold.iterable.text if fold.plain and value.text == fold.target else fold.over(value.text)
    known = _initial(fold.loop, name)
    start = known[0].start if known else fold.loop.start
    end = fold.loop.end
    if known and known[1].type == "string":
        if known[1].text in ('""', "''"):
            yield Change(T.JOIN, start, end, f'{name} = "".join({element})', fold.loop)
        return
    if value.text == "1":
        counted = _counted(fold)
        if counted:
            yield Change(T.COUNT, start, end, _stored(name, known, counted), fold.loop)
    yield Change(T.SUM, start, end, _stored(name, known, f"sum({element})"), fold.loop)


def _added(action: Node) -> tuple[str, Node] | None:
    left, right = action.child("left"), action.child("right")
    if left is None or right is None or left.type != "identifier":
        return None
    if action.type == "augmented_assignment":
        return (left.text, right) if any(each.type == "+=" for each in action.children) else None
    if action.type == "assignment" and right.type == "binary_operator":
        first, second = right.child("left"), right.child("right")
        if first is not None and second is not None and first.text == left.text:
            return (left.text, second) if any(each.type == "+" for each in right.children) else None
    return None


def _stored(name: str, known: tuple[Node, Node] | None, value: str) -> str:
    if known is None:
        return f"{name} += {value}"
    return f"{name} = {value}" if known[1].text == "0" else f"{name} = {known[1].text} + {value}"


def _counted(fold: _Fold) -> str:
    """`xs.count(v)` or `len(xs)`, where the loop counts that."""
    if fold.plain:
        return f"len({fold.iterable.text})"
    equal = _equality(fold.conditions[-1]) if len(fold.clauses) == 2 and fold.conditions else None
    if equal is None or fold.target not in equal:
        return ""
    other = equal[1] if equal[0] == fold.target else equal[0]
    return f"{fold.iterable.text}.count({other})"


def _equality(condition: Node) -> tuple[str, str] | None:
    if condition.type != "comparison_operator" or len(condition.named) != 2:
        return None
    if not any(each.type == "==" for each in condition.children):
        return None
    return condition.named[0].text, condition.named[1].text


def _collected(site: Site, fold: _Fold) -> Iterator[Change]:
    """`out.append(e)` or `out.add(e)` in a loop: a comprehension, `extend`, or `dict.fromkeys`."""
    call = _method_call(fold.action)
    if call is None or call[1] not in ("append", "add"):
        return
    name, method, element = call
    known = _initial(fold.loop, name)
    as_list = method == "append"
    if known and as_list and len(fold.clauses) == 2 and fold.conditions:
        missing = f"{element.text} not in {name}"
        if fold.conditions[0].text == missing:
            text = f"{name} = list(dict.fromkeys({_elements(fold, element)}))"
            yield Change(T.UNIQUE, known[0].start, fold.loop.end, text, fold.loop)
    if name in {each.text for part in (element, *fold.conditions, fold.iterable) for each in identifiers(part)}:
        return
    plain = fold.plain and element.text == fold.target
    if known and known[1].text in ("[]", "set()", "list()"):
        if plain:
            text = f"{name} = {'list' if as_list else 'set'}({fold.iterable.text})"
        else:
            text = f"{name} = {'[' if as_list else '{'}{fold.over(element.text)}{']' if as_list else '}'}"
        yield Change(T.COLLECT, known[0].start, fold.loop.end, text, fold.loop)
        return
    inner = fold.iterable.text if plain else fold.over(element.text)
    text = f"{name}.{'extend' if as_list else 'update'}({inner})"
    yield Change(T.COLLECT, fold.loop.start, fold.loop.end, text, fold.loop)


def _elements(fold: _Fold, element: Node) -> str:
    return fold.iterable.text if element.text == fold.target else f"{element.text} {fold.clauses[0]}"


def _method_call(action: Node) -> tuple[str, str, Node] | None:
    """Name, method and only argument of `name.method(argument)`."""
    function, arguments = action.child("function"), action.child("arguments")
    if action.type != "call" or function is None or arguments is None or function.type != "attribute":
        return None
    owner, method = function.child("object"), function.child("attribute")
    if owner is None or method is None or owner.type != "identifier" or len(arguments.named) != 1:
        return None
    return owner.text, method.text, arguments.named[0]


def _mapped(site: Site, fold: _Fold) -> Iterator[Change]:
    """`out[k] = v` in a loop: a dictionary comprehension."""
    left, right = fold.action.child("left"), fold.action.child("right")
    if fold.action.type != "assignment" or left is None or right is None or left.type != "subscript":
        return
    owner, key = left.child("value"), left.child("subscript")
    if owner is None or key is None or owner.text in reads(right) | reads(key):
        return
    known = _initial(fold.loop, owner.text)
    if known and known[1].text in ("{}", "dict()") and not any(owner.text in reads(each) for each in fold.conditions):
        text = f"{owner.text} = {{{fold.over(f'{key.text}: {right.text}')}}}"
        yield Change(T.COLLECT, known[0].start, fold.loop.end, text, fold.loop)


def _found(site: Site, fold: _Fold) -> Iterator[Change]:
    """A loop that returns or keeps whether something was found: any or all."""
    if not fold.conditions or not fold.clauses[-1].startswith("if "):
        return
    element = f"{fold.conditions[-1].text} {' '.join(fold.clauses[:-1])}"
    if fold.action.type == "return_statement" and fold.action.named:
        found = fold.action.named[0].text
        after = _next(fold.loop)
        other = {"True": "False", "False": "True"}.get(found, "")
        if after is not None and other and after.text == f"return {other}":
            text = f"return {'not ' if found == 'False' else ''}any({element})"
            yield Change(T.ANY_ALL, fold.loop.start, after.end, text, fold.loop)
        return
    left, right = fold.action.child("left"), fold.action.child("right")
    if fold.action.type == "assignment" and left is not None and right is not None:
        known = _initial(fold.loop, left.text)
        if known and {known[1].text, right.text} == {"True", "False"} and left.text not in element:
            text = f"{left.text} = {'' if right.text == 'True' else 'not '}any({element})"
            yield Change(T.ANY_ALL, known[0].start, fold.loop.end, text, fold.loop)


def _next(statement: Node) -> Node | None:
    block = statement.parent
    if block is None:
        return None
    place = next((number for number, each in enumerate(block.named) if each is statement), len(block.named))
    return block.named[place + 1] if place + 1 < len(block.named) else None


def _extreme(site: Site, fold: _Fold) -> Iterator[Change]:
    """`if e > best: best = e` in a loop: max or min."""
    left, value = fold.action.child("left"), fold.action.child("right")
    if fold.action.type != "assignment" or left is None or value is None or left.type != "identifier":
        return
    name = left.text
    rest: tuple[str, ...] = fold.clauses
    kind = re.match(r"(max|min)\(", value.text)
    element = value.text
    if kind and f"{kind[1]}({name}, " == value.text[: len(name) + 6] and value.type == "call":
        element, function = value.text[len(name) + 6 : -1], kind[1]
    elif fold.conditions and fold.clauses[-1].startswith("if "):
        condition = fold.conditions[-1].text
        sides = re.fullmatch(r"(.+?) (<=?|>=?) (.+)", condition)
        if not sides or {sides[1], sides[3]} != {element, name}:
            return
        function = "max" if (sides[2][0] == ">") == (sides[1] == element) else "min"
        rest = fold.clauses[:-1]
    else:
        return
    known = _initial(fold.loop, name)
    if known is None or any(re.search(rf"\b{name}\b", each) for each in (*rest, element)):
        return
    inner = fold.iterable.text if element == fold.target and len(rest) == 1 else " ".join([element, *rest])
    if known[1].type == "subscript" and known[1].text.startswith(fold.iterable.text):
        text = f"{name} = {function}({inner})"
    else:
        first = inner if inner == fold.iterable.text else f"({inner})"
        text = f"{name} = {function}({known[1].text}, {function}({first}, default={known[1].text}))"
    yield Change(T.EXTREME, known[0].start, fold.loop.end, text, fold.loop)


def _tallied(site: Site, fold: _Fold) -> Iterator[Change]:
    """`for v in xs: if v == k: body` tests for membership."""
    equal = _equality(fold.conditions[0]) if fold.conditions and len(fold.clauses) == 2 else None
    if equal is None or fold.target not in equal or fold.target in reads(fold.action):
        return
    other = equal[1] if equal[0] == fold.target else equal[0]
    action = statement_of(fold.action)
    inner = site.indent(fold.loop) + "    "
    text = f"if {other} in {fold.iterable.text}:\n{inner}{site.moved(action, inner)}"
    if action.type not in ("break_statement", "continue_statement"):
        yield Change(T.LOOKUP, fold.loop.start, fold.loop.end, text, fold.loop)


def _looked_up(site: Site, fold: _Fold) -> Iterator[Change]:
    """An inner loop `for k, v in pairs: if k == key: body` becomes a lookup in a table made before the outer loops."""
    names = [each.strip() for each in fold.target.split(",")]
    equal = _equality(fold.conditions[0]) if fold.conditions and len(fold.clauses) == 2 else None
    if len(names) != 2 or equal is None or names[0] not in equal:
        return
    key = equal[1] if equal[0] == names[0] else equal[0]
    outer = [each for each in ancestors(fold.loop) if each.type in LOOPS]
    action = statement_of(fold.action)
    if not outer or reads(fold.iterable) & writes(outer[-1]) or action.type in JUMPS - {"return_statement"}:
        return
    top, table = outer[-1], site.fresh("table")
    pairs = fold.iterable.text
    made = f"dict({pairs})"
    owner = re.fullmatch(r"(\w+)\.items\(\)", pairs)
    if owner:
        made = owner[1]
    indent = site.indent(fold.loop) + "    "
    body = f"if {key} in {table}:\n{indent}{names[1]} = {table}[{key}]\n{indent}{site.moved(action, indent)}"
    rest = site.text(top.start, fold.loop.start)
    text = f"{table} = {made}\n{site.indent(top)}{rest}{body}"
    yield Change(T.LOOKUP, top.start, fold.loop.end, text, fold.loop)


def _direct(site: Site, loop: Node) -> Iterator[Change]:
    """`for i in range(len(xs))`: iterate over the items, with their numbers where these are needed."""
    left, right, body = loop.child("left"), loop.child("right"), loop.child("body")
    if left is None or right is None or body is None:
        return
    ranged = re.fullmatch(r"range\((?:0, )?len\(([\w.]+)\)\)", right.text)
    if not ranged or left.type != "identifier" or ranged[1] in writes(body):
        return
    items = [each for each in body.walk() if each.type == "subscript" and each.text == f"{ranged[1]}[{left.text}]"]
    if not items or left.text in writes(body):
        return
    item = site.fresh("item")
    replaced = [(each.start, each.end, item) for each in items]
    uses = [each for each in identifiers(body) if each.text == left.text]
    header = f"for {item} in {ranged[1]}"
    if len(uses) > len(items):
        header = f"for {left.text}, {item} in enumerate({ranged[1]})"
    text = header + site.text(right.end, body.end, replaced)
    yield Change(T.DIRECT_ITERATION, loop.start, body.end, text, loop)


def _merged(site: Site, loop: Node) -> Iterator[Change]:
    """Two neighbouring loops over the same: one."""
    after = _next(loop)
    if after is None or after.type != "for_statement":
        return
    mine, other = ([each.child(field) for field in ("left", "right", "body")] for each in (loop, after))
    if None in mine or None in other or any(mine[k].text != other[k].text for k in (0, 1)):  # type: ignore[union-attr]
        return
    first, second = mine[2], other[2]
    assert first is not None
    assert second is not None
    text = f"{first.text}\n{site.indent(first)}{second.text}"
    yield Change(T.MERGE_LOOPS, first.start, after.end, text, loop)


def _unswitched(site: Site, loop: Node) -> Iterator[Change]:
    """A condition that does not change in a loop moves out of it."""
    body = loop.child("body")
    inside = statements(body)
    if body is None or len(inside) != 1 or inside[0].type != "if_statement" or loop.child("alternative") is not None:
        return
    choice = inside[0]
    condition, yes = choice.child("condition"), choice.child("consequence")
    others = [each for each in choice.children if each.field == "alternative"]
    if condition is None or yes is None or reads(condition) & writes(loop) or not is_pure(condition):
        return
    if len(others) > 1 or (others and others[0].type != "else_clause"):
        return
    outer = site.indent(loop)
    header = site.text(loop.start, body.start).rstrip()
    indent = outer + "        "
    text = f"if {condition.text}:\n{outer}    {header}\n{indent}{site.moved(yes, indent)}"
    no = others[0].child("body") if others else None
    if no is not None:
        text += f"\n{outer}else:\n{outer}    {header}\n{indent}{site.moved(no, indent)}"
    yield Change(T.UNSWITCH, loop.start, loop.end, text, choice)


def _left_early(site: Site, loop: Node) -> Iterator[Change]:
    """A loop ends once something was found: `break` behind what a condition does."""
    body = loop.child("body")
    for each in statements(body):
        block = each.child("consequence") if each.type == "if_statement" else None
        last = statements(block)[-1] if statements(block) else None
        if last is not None and last.type == "expression_statement":
            yield Change(T.EARLY_EXIT, last.end, last.end, f"\n{site.indent(last)}break", last)


def _bounded(site: Site, loop: Node) -> Iterator[Change]:
    """A loop that looks for divisors stops at the square root; for other loops this is a mistake."""
    if loop.type == "while_statement":
        condition = loop.child("condition")
        sides = re.fullmatch(r"(\w+) (?:<|<=) (\w+)(?: // 2)?", condition.text if condition is not None else "")
        if sides and condition:
            text = f"{sides[1]} * {sides[1]} <= {sides[2]}"
            yield Change(T.DIVISOR_BOUND, condition.start, condition.end, text, condition)
        return
    right = loop.child("right")
    if right is None:
        return
    ranged = re.fullmatch(r"range\((?:(\w+), )?(\w+)(?: // 2)?(?: \+ 1)?\)", right.text)
    if ranged:
        text = f"range({ranged[1] or 0}, int({ranged[2]} ** 0.5) + 1)"
        yield Change(T.DIVISOR_BOUND, right.start, right.end, text, right)
