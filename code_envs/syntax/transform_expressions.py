"""Transformations of expressions and statements: hoisting, sharing, removing, and cheaper forms of the same value."""

from __future__ import annotations

import re
from collections.abc import Iterator

from code_envs.syntax.rewrite import DELIMITED, role_of
from code_envs.syntax.transform_sites import (
    COMPREHENSIONS,
    LOOPS,
    Change,
    Site,
    Transformation,
    ancestors,
    identifiers,
    is_pure,
    reads,
    statement_of,
    statements,
    within,
    writes,
)
from code_envs.syntax.tree import Node

__all__ = ["expression_changes"]

T = Transformation
SHARED = frozenset({"call", "binary_operator", "subscript", "list_comprehension", "comparison_operator", "set"})
SHORTEST = 5
"""Expressions of fewer characters are not worth a name."""
ATOMS = frozenset({"identifier", "integer", "float", "call", "subscript", "attribute", "parenthesized_expression"})
CONSUMERS = frozenset("any all sum min max sorted list set tuple join dict".split())
FOLDS = frozenset("any all sum min max join".split())


def expression_changes(site: Site) -> Iterator[Change]:
    """Every change of an expression or a simple statement of a program."""
    for node in site.root.walk():
        for rule in RULES.get(node.type, ()):
            yield from rule(site, node)
        if node.type in SHARED:
            yield from _hoisted(site, node)
        if node.type == "block":
            yield from _shared(site, node)


def _hoisted(site: Site, node: Node) -> Iterator[Change]:
    """What does not change in a loop is worked out before it, as far out as it does not change."""
    parent = node.parent
    assert parent is not None
    if not _can_move(node) or node.field == "function":
        return
    home = None
    bound = {name for each in ancestors(node) if each.type in COMPREHENSIONS for name in writes(each)}
    inside = any(each.type in COMPREHENSIONS for each in ancestors(node))
    if inside and not reads(node) & bound:
        home = statement_of(node)
    for each in ancestors(node):
        if each.type in ("function_definition", "lambda"):
            break
        if each.type not in LOOPS:
            continue
        if reads(node) & (writes(each) | bound) or (each.type == "for_statement" and _in_header(node, each)):
            break
        home = each
    if home is None or (parent.type in SHARED and _movable_to(parent, home, bound)):
        return
    yield _named(site, home, node, T.HOIST, "fixed")


def _in_header(node: Node, loop: Node) -> bool:
    right = loop.child("right")
    return (
        right is not None and within(node, right) and not any(each is not loop for each in _loops_between(node, loop))
    )


def _loops_between(node: Node, top: Node) -> Iterator[Node]:
    for each in ancestors(node):
        if each is top:
            return
        if each.type in LOOPS:
            yield each


def _can_move(node: Node) -> bool:
    if len(node.text) < SHORTEST or "\n" in node.text or not is_pure(node) or not reads(node):
        return False
    return role_of(node).name != "TARGET" and node.field != "left" if node.type == "subscript" else True


def _movable_to(node: Node, home: Node, bound: set[str]) -> bool:
    """Whether the expression around one can move as far: then it moves, and not its part."""
    return _can_move(node) and within(node, home) and not reads(node) & (writes(home) | bound)


def _named(site: Site, home: Node, node: Node, kind: Transformation, base: str) -> Change:
    """A statement before `home` that gives an expression a name, which takes the place of its occurrences."""
    name = site.fresh(base)
    same = [each for each in home.walk() if each.type == node.type and each.text == node.text]
    last = max(each.end for each in same)
    replaced = [(each.start, each.end, name) for each in same]
    text = f"{name} = {node.text}\n{site.indent(home)}{site.text(home.start, last, replaced)}"
    return Change(kind, home.start, last, text, node)


def _shared(site: Site, block: Node) -> Iterator[Change]:
    """An expression that a block works out more than once gets a name."""
    seen: dict[str, list[Node]] = {}
    for node in block.walk():
        if node.type in SHARED and _can_move(node) and node.field != "function":
            seen.setdefault(node.text, []).append(node)
    for places in seen.values():
        if len(places) < 2 or any(_closest(each, block) is not block for each in places):
            continue
        around = {each.parent.start: each.parent for each in places if each.parent is not None}
        texts = {each.text for each in around.values()}
        if len(around) == len(places) and len(texts) == 1 and around[min(around)].type in SHARED:
            continue  # the expression around it occurs as often
        first = _statement_in(places[0], block)
        last = _statement_in(places[-1], block)
        span = [each for each in block.named if first.start <= each.start <= last.start]
        if any(reads(places[0]) & writes(each) for each in span[:-1]) or reads(places[0]) & _early_writes(span[-1]):
            continue
        if any(each.type in COMPREHENSIONS for each in ancestors(places[0])):
            continue
        name = site.fresh("value")
        replaced = [(each.start, each.end, name) for each in places]
        end = max(each.end for each in places)
        text = f"{name} = {places[0].text}\n{site.indent(first)}{site.text(first.start, end, replaced)}"
        yield Change(T.COMMON, first.start, end, text, places[0])


def _early_writes(statement: Node) -> set[str]:
    """Names that a statement may change before all of it was worked out."""
    return (
        writes(statement)
        if statement.type.endswith("_statement") and statement.type != "expression_statement"
        else set()
    )


def _closest(node: Node, block: Node) -> Node:
    """The block whose statement works a node out: one of a condition below counts for the block itself."""
    for each in ancestors(node):
        if each is block:
            return block
        if each.type in ("function_definition", "lambda") or each.type in LOOPS:
            return each
    return block


def _statement_in(node: Node, block: Node) -> Node:
    return next(each for each in block.named if within(node, each))


def _member(site: Site, node: Node) -> Iterator[Change]:
    """Membership in a list is asked of a set, made once before the loop."""
    if len(node.named) != 2 or not any(each.type in ("in", "not in") for each in node.children):
        return
    box = node.named[1]
    if box.type == "list" and box.named:
        yield Change(T.CONTAINER, box.start, box.end, f"{{{box.text[1:-1]}}}", node)
    if box.type != "identifier":
        return
    loops = [each for each in ancestors(node) if each.type in LOOPS]
    homes = [each for each in loops if box.text not in writes(each)]
    if not homes and any(each.type in COMPREHENSIONS for each in ancestors(node)):
        homes = [statement_of(node)]
    if homes and box.text not in writes(homes[-1]):
        home, name = homes[-1], site.fresh(f"{box.text}_set")
        same = [each for each in home.walk() if each.text == box.text and _is_box(each)]
        last = max(each.end for each in same)
        replaced = [(each.start, each.end, name) for each in same]
        text = f"{name} = set({box.text})\n{site.indent(home)}{site.text(home.start, last, replaced)}"
        yield Change(T.CONTAINER, home.start, last, text, node)
    yield from _grown_set(site, node, box)


def _is_box(node: Node) -> bool:
    parent = node.parent
    if parent is None or parent.type != "comparison_operator" or len(parent.named) != 2:
        return False
    return parent.named[1] is node and any(each.type in ("in", "not in") for each in parent.children)


def _grown_set(site: Site, node: Node, box: Node) -> Iterator[Change]:
    """A list that only grows and is only asked for membership becomes a set."""
    function = next((each for each in ancestors(node) if each.type == "function_definition"), None)
    if function is None:
        return
    uses = [each for each in identifiers(function) if each.text == box.text]
    first, rest = uses[0], uses[1:]
    value = first.parent.child("right") if first.parent is not None and first.parent.type == "assignment" else None
    if value is None or value.type != "list" or first.field != "left":
        return
    replaced = [(value.start, value.end, f"{{{value.text[1:-1]}}}" if value.named else "set()")]
    for each in rest:
        above = each.parent
        method = above.child("attribute") if above is not None and above.type == "attribute" else None
        if method is not None and method.text == "append":
            replaced.append((method.start, method.end, "add"))
        elif not _is_box(each) and not _is_measured(each):
            return
    end = max(last for _, last, _ in replaced)
    yield Change(T.CONTAINER, value.start, end, site.text(value.start, end, replaced), value)


def _is_measured(node: Node) -> bool:
    """Whether a name is the only argument of a function to which a list and a set are the same."""
    call = node.parent.parent if node.parent is not None and node.parent.type == "argument_list" else None
    return call is not None and _call_of(call)[0] in ("len", "set", "sorted", "sum", "max", "min")


def _cheaper_operator(site: Site, node: Node) -> Iterator[Change]:
    """Powers and products, and a power under a modulus."""
    left, right = node.child("left"), node.child("right")
    operator = next((each.type for each in node.children if each.field == "operator"), "")
    if left is None or right is None:
        return
    if operator == "**" and right.text in ("2", "3") and left.type in ATOMS:
        yield _placed(node, " * ".join([left.text] * int(right.text)), T.STRENGTH)
    if operator == "*" and left.text == right.text and left.type in ATOMS:
        yield _placed(node, f"{left.text} ** 2", T.STRENGTH)
    if operator == "%" and left.type == "parenthesized_expression" and len(left.named) == 1:
        power = left.named[0]
    else:
        power = left
    if operator == "%" and power.type == "binary_operator" and any(each.type == "**" for each in power.children):
        base, exponent = power.child("left"), power.child("right")
        if base is not None and exponent is not None:
            yield Change(T.STRENGTH, node.start, node.end, f"pow({base.text}, {exponent.text}, {right.text})", node)


def _placed(node: Node, text: str, kind: Transformation) -> Change:
    parent = node.parent
    bare = role_of(node) in DELIMITED or (parent is not None and parent.type == "parenthesized_expression")
    return Change(kind, node.start, node.end, text if bare else f"({text})", node)


def _extreme_of_sorted(site: Site, node: Node) -> Iterator[Change]:
    """`sorted(xs)[0]` is `min(xs)`; `xs[:]` is `xs`, as far as nobody changes it."""
    value, index = node.child("value"), node.child("subscript")
    if value is None or index is None:
        return
    name, argument = _call_of(value)
    if name == "sorted" and argument is not None and index.text in ("0", "-1"):
        text = f"{'min' if index.text == '0' else 'max'}({argument.text})"
        yield Change(T.STRENGTH, node.start, node.end, text, node)
    if index.text == ":" and node.field != "left":
        yield Change(T.COPY, node.start, node.end, value.text, node)


def _call_of(node: Node) -> tuple[str, Node | None]:
    """Name of a called function or method, and its only argument."""
    function, arguments = node.child("function"), node.child("arguments")
    if node.type != "call" or function is None or arguments is None:
        return "", None
    name = function.child("attribute") if function.type == "attribute" else function
    assert name is not None
    if arguments.type == "generator_expression":
        return name.text, arguments
    return name.text, arguments.named[0] if len(arguments.named) == 1 else None


def _called(site: Site, node: Node) -> Iterator[Change]:
    """Calls: closed forms of sums, generators instead of lists, copies that nobody needs."""
    name, argument = _call_of(node)
    if argument is None:
        return
    if name == "sum":
        yield from _closed(node, argument)
    if name in CONSUMERS and argument.type == "generator_expression":
        yield from _unwrapped(node, argument)
    if name in FOLDS and argument.type == "list_comprehension":
        text = argument.text[1:-1]
        yield Change(T.LAZY, argument.start, argument.end, text, node)
    if name in FOLDS and argument.type == "generator_expression":
        text = f"([{argument.text[1:-1]}])" if argument.field == "arguments" else f"[{argument.text[1:-1]}]"
        yield Change(T.LAZY, argument.start, argument.end, text, node)
    function = node.child("function")
    assert function is not None
    if argument.type == "generator_expression" or function.type != "identifier":
        return
    if name in ("list", "sorted", "tuple", "set"):
        yield Change(T.COPY, node.start, node.end, argument.text, node)
    if name in ("min", "max"):
        text = f"sorted({argument.text})[{'0' if name == 'min' else '-1'}]"
        yield Change(T.STRENGTH, node.start, node.end, text, node)
    if argument.type == "identifier" and name not in ("list", "range", "str", "int"):
        yield Change(T.COPY, argument.start, argument.end, f"list({argument.text})", node)


def _copied_whole(site: Site, loop: Node) -> Iterator[Change]:
    """The dear direction: iterate over a copy."""
    right = loop.child("right")
    if right is not None and not right.text.startswith(("list(", "sorted(", "range(", "enumerate(")):
        yield Change(T.COPY, right.start, right.end, f"list({right.text})", right)


def _unwrapped(node: Node, argument: Node) -> Iterator[Change]:
    """`sum(v for v in xs)` is `sum(xs)`."""
    plain = re.fullmatch(
        r"\((\w+) for (\w+) in (.+)\)", argument.text if argument.text[0] == "(" else f"({argument.text})"
    )
    if plain and plain[1] == plain[2] and not re.search(r"\b(for|if)\b", plain[3]):
        text = f"({plain[3]})" if argument.field == "arguments" else plain[3]
        yield Change(T.LAZY, argument.start, argument.end, text, node)


def _closed(node: Node, argument: Node) -> Iterator[Change]:
    """Sums over a range, of the numbers or of their squares, without a loop."""
    text = argument.text
    squares = re.fullmatch(r"\(?(\w+) (?:\* \1|\*\* 2) for \1 in (range\(.+\))\)?", text)
    if squares:
        text = squares[2].removesuffix(")") if squares[2].count("(") < squares[2].count(")") else squares[2]
    ranged = re.fullmatch(r"range\(((?:[^,()]|\([^()]*\))+)(?:, ((?:[^,()]|\([^()]*\))+))?\)", text)
    if not ranged:
        return
    low, high = ("0", ranged[1]) if ranged[2] is None else (ranged[1], ranged[2])
    high = _grouped(high)
    if squares:
        closed = f"({high} - 1) * {high} * (2 * {high} - 1) // 6" + (
            "" if low in ("0", "1") else f" - ({low} - 1) * {low} * (2 * {low} - 1) // 6"
        )
    else:
        closed = (
            f"{high} * ({high} - 1) // 2"
            if low in ("0", "1")
            else f"({high} - {_grouped(low)}) * ({_grouped(low)} + {high} - 1) // 2"
        )
    yield _placed(node, closed, T.CLOSED_SUM)


def _grouped(text: str) -> str:
    return text if re.fullmatch(r"\w+", text) else f"({text})"


def _condition(site: Site, node: Node) -> Iterator[Change]:
    """`if c: return True` and else False: return the condition itself."""
    condition, yes = node.child("condition"), node.child("consequence")
    other = node.child("alternative")
    inside = statements(yes)
    if condition is None or len(inside) != 1 or not inside[0].text.startswith("return "):
        return
    first = inside[0].text
    if other is not None:
        rest = statements(other.child("body")) if other.type == "else_clause" else []
        end = node.end
    else:
        block = node.parent
        assert block is not None
        after = [each for each in block.named if each.start >= node.end][:1]
        rest, end = after, after[0].end if after else node.end
    if len(rest) != 1 or {first, rest[0].text} != {"return True", "return False"}:
        return
    text = condition.text if first == "return True" else f"not ({condition.text})"
    yield Change(T.CONDITION, node.start, end, f"return {text}", node)


def _dead(site: Site, node: Node) -> Iterator[Change]:
    """A statement goes: harmless where nobody reads what it makes, and worth a try only there."""
    block = node.parent
    if block is None or block.type != "block" or len(block.named) < 2:
        return
    if any(each.type in ("return_statement", "raise_statement") for each in node.walk()):
        return
    line = site.source.rfind(b"\n", 0, node.start) + 1
    end = site.source.find(b"\n", node.end) + 1 or len(site.source)
    if site.source[line : node.start].strip() or b";" in site.source[node.end : end]:
        return  # other statements stand on the line
    yield Change(T.DEAD, line, end, "", node)


def _inlined(site: Site, statement: Node) -> Iterator[Change]:
    """The dear direction of a shared value: every use of a name that is bound once works its value out."""
    assignment = statement.named[0] if statement.named else statement
    left, right = assignment.child("left"), assignment.child("right")
    function = next((each for each in ancestors(statement) if each.type == "function_definition"), None)
    if assignment.type != "assignment" or function is None or left is None or right is None:
        return
    if left.type != "identifier" or not reads(right) or not is_pure(right):
        return
    uses = [each for each in identifiers(function) if each.text == left.text and each is not left]
    if not uses or uses[0].start < statement.end or any(left.text in writes(statement_of(each)) for each in uses):
        return
    last = max(each.end for each in uses)
    replaced = [(each.start, each.end, right.text if right.type in ATOMS else f"({right.text})") for each in uses]
    start = statement.end + len(site.text(statement.end, last)) - len(site.text(statement.end, last).lstrip())
    yield Change(T.INLINE, statement.start, last, site.text(start, last, replaced), statement)


def _memoised(site: Site, function: Node) -> Iterator[Change]:
    """A function remembers its values: a gain for one that calls itself, an error for one that is given lists."""
    name, body, parent = function.child("name"), function.child("body"), function.parent
    if name is None or body is None or parent is None or parent.type == "decorated_definition":
        return
    indent = site.indent(function)
    text = f"@functools.cache\n{indent}" if indent else "import functools\n\n\n@functools.cache\n"
    yield Change(T.MEMOISE, function.start, function.start, text, function)


def _queued(site: Site, function: Node) -> Iterator[Change]:
    """A list that is emptied from its front becomes a deque."""
    body = function.child("body")
    if body is None or function.parent is None or function.parent.type != "module":
        return
    for name in sorted({each.text for each in identifiers(body)}):
        pops = [each for each in body.walk() if each.type == "call" and each.text == f"{name}.pop(0)"]
        uses = [each for each in identifiers(body) if each.text == name]
        first = uses[0].parent
        value = first.child("right") if first is not None and first.type == "assignment" else None
        if not pops or value is None or uses[0].field != "left":
            continue
        replaced = [(each.start, each.end, f"{name}.popleft()") for each in pops]
        replaced.append((value.start, value.end, f"deque({value.text})"))
        end = max(last for _, last, _ in replaced)
        text = f"from collections import deque\n\n\n{site.text(function.start, end, replaced)}"
        yield Change(T.CONTAINER, function.start, end, text, pops[0])


RULES = {
    "comparison_operator": (_member,),
    "binary_operator": (_cheaper_operator,),
    "subscript": (_extreme_of_sorted,),
    "call": (_called,),
    "if_statement": (_condition,),
    "expression_statement": (_dead, _inlined),
    "for_statement": (_dead, _copied_whole),
    "function_definition": (_memoised, _queued),
}
