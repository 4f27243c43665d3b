"""What the names of a program seem to be, and what repairs may draw on.

The context of an episode is taken from its starting program and stays: an edit only ever uses names,
constants, calls and expressions that were there at the start, or that stand in a fixed table. Edits
of one statement therefore stay valid while other statements change, and can be remembered.
"""

from __future__ import annotations

from tree_sitter import Node as TreeSitterNode

from code_envs.syntax.languages import Grammar, grammar
from code_envs.syntax.program import Program
from code_envs.syntax.tree import Node, lighten

__all__ = ["Context", "Kind", "Scope", "compatible", "function_name", "kind_of"]


class Kind:
    """Bits of what a value seems to be; UNKNOWN is compatible with everything.

    Plain integers: an `enum.IntFlag` made enumeration a third slower.
    """

    UNKNOWN = 0
    NUMBER = 1
    SEQUENCE = 2
    STRING = 4
    BOOLEAN = 8
    MAPPING = 16
    SET = 32
    FUNCTION = 64


NUMBER_CALLS = frozenset(
    "len int sum abs ord round count index find rfind float pow gcd sqrt floor ceil bit_length".split()
)
SEQUENCE_CALLS = frozenset(
    "sorted list tuple range zip split splitlines keys values items enumerate reversed map filter".split()
)
STRING_CALLS = frozenset(
    "str join lower upper replace strip lstrip rstrip capitalize swapcase title chr bin hex".split()
)
BOOLEAN_CALLS = frozenset("any all isinstance startswith endswith isdigit isalpha isalnum isupper islower bool".split())
SEQUENCE_METHODS = frozenset("append extend insert sort reverse appendleft popleft".split())
MAPPING_METHODS = frozenset("keys values items get setdefault".split())
SET_METHODS = frozenset("add discard union intersection difference".split())
STRING_METHODS = frozenset(
    "lower upper split strip replace startswith endswith isdigit isalpha join isupper islower".split()
)
ANNOTATIONS = {
    "int": Kind.NUMBER,
    "float": Kind.NUMBER,
    "str": Kind.STRING,
    "bool": Kind.BOOLEAN,
    "List": Kind.SEQUENCE,
    "list": Kind.SEQUENCE,
    "Tuple": Kind.SEQUENCE,
    "Dict": Kind.MAPPING,
    "dict": Kind.MAPPING,
    "Set": Kind.SET,
    "set": Kind.SET,
    "long": Kind.NUMBER,
    "double": Kind.NUMBER,
    "Integer": Kind.NUMBER,
    "String": Kind.STRING,
    "boolean": Kind.BOOLEAN,
    "ArrayList": Kind.SEQUENCE,
    "Map": Kind.MAPPING,
}


NUMBER_MEMBERS = frozenset(
    "length size floor ceil round abs max min sqrt pow indexOf lastIndexOf charCodeAt parseInt parseFloat trunc".split()
)
STRING_MEMBERS = frozenset("toUpperCase toLowerCase trim substring join replace charAt toString repeat".split())


def compatible(first: int, second: int) -> bool:
    """Whether one may stand for the other."""
    return not first or not second or bool(first & second)


class Scope:
    """Names of one top-level function (or of the module outside functions) with their kinds."""

    def __init__(self) -> None:
        self.kinds: dict[str, int] = {}
        self.parameters: list[str] = []
        self.returns: list[str] = []
        self._names: dict[tuple[int, bool], list[str]] = {}

    def note(self, name: str, kind: int) -> None:
        """Record evidence about a name."""
        self.kinds[name] = self.kinds.get(name, Kind.UNKNOWN) | kind
        self._names.clear()

    def names(self, kind: int = Kind.UNKNOWN, known: bool = False) -> list[str]:
        """Names compatible with a kind, in order of appearance; only those of known kind if `known`."""
        found = self._names.get((kind, known))
        if found is None:
            found = self._names[kind, known] = [
                name
                for name, have in self.kinds.items()
                if (have & kind if known else compatible(have, kind)) and not have & Kind.FUNCTION
            ]
        return found


class Context:
    """Scopes, constants, calls and expressions of a starting program.

    Args:
        program: The program an episode starts with.
    """

    def __init__(self, program: Program) -> None:
        self.grammar: Grammar = grammar(program.language)
        self.module = Scope()
        self.scopes: dict[str, Scope] = {}
        self.numbers: list[str] = []
        self.strings: list[str] = []
        self.functions: list[str] = []
        self.single_argument_calls: list[str] = []
        self.bare_methods: list[str] = []
        self.conditions: list[str] = []
        self.donors: dict[str, list[tuple[str, frozenset[str]]]] = {}
        for child in program.tree.root_node.named_children:
            _Reader(self, self._scope_of(child)).read(lighten(child))
        for scope in self.scopes.values():
            for name, kind in self.module.kinds.items():
                if name not in scope.kinds:
                    scope.note(name, kind)

    def scope(self, function: str) -> Scope:
        """The scope of a top-level function by name; the module's for "" or an unknown name."""
        return self.scopes.get(function, self.module)

    def _scope_of(self, node: TreeSitterNode) -> Scope:
        name = function_name(node, self.grammar)
        if not name:
            return self.module
        self.module.note(name, Kind.FUNCTION)
        self.functions.append(name)
        scope = self.scopes.setdefault(name, Scope())
        if self.grammar.name != "python":  # the declaration that names the function is read as one of its own names
            scope.note(name, Kind.FUNCTION)
        return scope


def function_name(node: TreeSitterNode, table: Grammar) -> str:
    """Name of the function or class that a top-level statement defines, or ""."""
    for each in [node, *node.named_children]:
        if each.type in table.functions or each.type.startswith("class_"):
            name = each.child_by_field_name("name")
            return (name.text or b"").decode() if name is not None else ""
        if each.type in ("lexical_declaration", "variable_declaration") and each.named_children:
            return function_name(each.named_children[0], table) or _declared(each)
    return ""


def _declared(node: TreeSitterNode) -> str:
    name = node.named_children[0].child_by_field_name("name")
    return (name.text or b"").decode() if name is not None else ""


class _Reader:
    """Gathers facts from one top-level statement into a context and a scope."""

    def __init__(self, context: Context, scope: Scope) -> None:
        self.context = context
        self.scope = scope
        self.table = context.grammar
        self._braces = self.table.name != "python"

    def read(self, root: Node) -> None:
        for node in root.walk(frozenset({"string", "import_statement", "import_from_statement", "type"})):
            reader = getattr(self, f"_{node.type}", None)
            if reader is not None:
                reader(node)
            elif node.type in self.table.numbers:
                _add(self.context.numbers, node.text)
            elif node.type in self.table.identifiers:
                self._name(node)
            if node.type in DONOR_TYPES:
                self._donor(node)

    def _donor(self, node: Node) -> None:
        words = frozenset(each.text for each in node.walk() if not each.children)
        group = self.context.donors.setdefault(node.type, [])
        if len(node.text) <= 80 and "\n" not in node.text and all(text != node.text for text, _ in group):
            group.append((node.text, words))
        if node.type in ("comparison_operator", "boolean_operator") and len(node.text) <= 60:
            _add(self.context.conditions, node.text)

    def _name(self, node: Node) -> None:
        parent = node.parent
        if parent is None or node.field in ("function", "attribute", "property") or parent.type in OUTSIDE:
            return
        if node.field == "name" and parent.type not in DECLARES:
            return
        if node.field == "constructor" or (node.field == "object" and self._braces and node.text[0].isupper()):
            return
        self.scope.note(node.text, Kind.UNKNOWN)

    def _string(self, node: Node) -> None:
        if len(node.text) <= 24 and not (node.parent and node.parent.type == "expression_statement"):
            _add(self.context.strings, node.text)

    def _parameters(self, node: Node) -> None:
        for each in node.named:
            names = [below for below in each.walk() if below.type == "identifier"]
            if not names:
                continue
            annotation = each.child("type")
            kind = ANNOTATIONS.get(annotation.text.split("[")[0], Kind.UNKNOWN) if annotation else Kind.UNKNOWN
            self.scope.note(names[0].text, kind)
            _add(self.scope.parameters, names[0].text)

    def _assignment(self, node: Node) -> None:
        left, right = node.child("left"), node.child("right")
        if left is None or right is None:
            return
        lefts, rights = _parts(left), _parts(right)
        if len(lefts) == len(rights):
            for target, value in zip(lefts, rights, strict=True):
                self._note(target, kind_of(value, self.scope))

    def _augmented_assignment(self, node: Node) -> None:
        left, right = node.child("left"), node.child("right")
        if left is not None and right is not None:
            self._note(left, kind_of(right, self.scope))

    def _for_statement(self, node: Node) -> None:
        self._loop(node.child("left"), node.child("right"))

    def _for_in_clause(self, node: Node) -> None:
        self._loop(node.child("left"), node.child("right"))

    def _loop(self, left: Node | None, right: Node | None) -> None:
        if left is None or right is None:
            return
        function = right.child("function")
        called = function.text if function else ""
        if called == "range":
            self._note(left, Kind.NUMBER)
        elif called == "enumerate" and left.named:
            self._note(left.named[0], Kind.NUMBER)
        elif right.type == "identifier":
            self._note(right, Kind.SEQUENCE)

    def _subscript(self, node: Node) -> None:
        value, index = node.child("value"), node.child("subscript")
        if value is not None and index is not None:
            mapping = kind_of(value, self.scope) & Kind.MAPPING
            self._note(value, Kind.UNKNOWN if mapping else Kind.SEQUENCE)
            if index.type == "identifier" and not mapping:
                self._note(index, Kind.NUMBER)

    def _call(self, node: Node) -> None:
        function, arguments = node.child("function"), node.child("arguments")
        if function is None or arguments is None:
            return
        if function.type == "attribute":
            self._method(function, arguments)
        elif function.type == "identifier":
            _add(self.context.functions, function.text)
            if function.text == "range":
                for each in arguments.named:
                    self._note(each, Kind.NUMBER)
            if len(arguments.named) == 1 and arguments.type == "argument_list":
                _add(self.context.single_argument_calls, function.text)
                if function.text in ("len", "sum", "sorted", "min", "max"):
                    self._note(arguments.named[0], Kind.SEQUENCE)

    def _method(self, function: Node, arguments: Node) -> None:
        receiver, name = function.child("object"), function.child("attribute")
        if receiver is None or name is None:
            return
        if not arguments.named:
            _add(self.context.bare_methods, name.text)
        for methods, kind in (
            (SEQUENCE_METHODS, Kind.SEQUENCE),
            (MAPPING_METHODS, Kind.MAPPING),
            (SET_METHODS, Kind.SET),
            (STRING_METHODS, Kind.STRING),
        ):
            if name.text in methods:
                self._note(receiver, kind)

    def _comparison_operator(self, node: Node) -> None:
        if any(child.type in ("<", "<=", ">", ">=") for child in node.children):
            self._share_number(node.named)

    def _binary_operator(self, node: Node) -> None:
        operator = node.child("operator")
        if operator is not None and operator.type in ("-", "/", "//", "**"):
            for each in node.named:
                self._note(each, Kind.NUMBER)
        else:
            self._share_number(node.named)

    def _share_number(self, nodes: list[Node]) -> None:
        if any(kind_of(each, self.scope) & Kind.NUMBER for each in nodes):
            for each in nodes:
                self._note(each, Kind.NUMBER)

    def _return_statement(self, node: Node) -> None:
        if node.named and len(node.named[0].text) <= 24:
            _add(self.scope.returns, node.named[0].text)

    # JavaScript and Java ----------------------------------------------------------------------------

    def _variable_declarator(self, node: Node) -> None:
        name, value = node.child("name"), node.child("value")
        if name is not None and value is not None:
            self._note(name, kind_of(value, self.scope))

    def _formal_parameter(self, node: Node) -> None:
        self._typed(node, node)

    def _local_variable_declaration(self, node: Node) -> None:
        for each in node.named:
            self._typed(node, each)

    def _enhanced_for_statement(self, node: Node) -> None:
        self._typed(node, node)

    def _typed(self, node: Node, declarator: Node) -> None:
        annotation, name = node.child("type"), declarator.child("name")
        if annotation is not None and name is not None:
            self._note(name, ANNOTATIONS.get(annotation.text.split("<")[0], Kind.UNKNOWN))

    def _update_expression(self, node: Node) -> None:
        for each in node.named:
            self._note(each, Kind.NUMBER)

    def _subscript_expression(self, node: Node) -> None:
        index = node.child("index")
        if index is not None:
            self._note(index, Kind.NUMBER)

    def _binary_expression(self, node: Node) -> None:
        operator = node.child("operator")
        if operator is not None and operator.type in ("-", "/", "*", "%", "**"):
            for each in node.named:
                self._note(each, Kind.NUMBER)
        elif operator is not None and operator.type in ("<", "<=", ">", ">=", "+"):
            self._share_number(node.named)

    _string_literal = _string
    _array_access = _subscript_expression
    _assignment_expression = _assignment
    _augmented_assignment_expression = _augmented_assignment

    def _note(self, node: Node, kind: int) -> None:
        if node.type == "identifier":
            self.scope.note(node.text, kind)


DONOR_TYPES = frozenset(
    {"call", "subscript", "attribute", "binary_operator", "comparison_operator", "boolean_operator"}
)
DECLARES = frozenset({"variable_declarator", "formal_parameter", "enhanced_for_statement"})
OUTSIDE = frozenset({"keyword_argument", "dotted_name", "global_statement", "nonlocal_statement", "parameters"})


def kind_of(node: Node, scope: Scope) -> int:
    """What an expression seems to be."""
    match node.type:
        case "identifier":
            return scope.kinds.get(node.text, Kind.UNKNOWN)
        case "integer" | "float" | "unary_operator" | "number" | "decimal_integer_literal":
            return Kind.NUMBER
        case "string" | "concatenated_string" | "string_literal":
            return Kind.STRING
        case "list" | "list_comprehension" | "tuple" | "generator_expression" | "array":
            return Kind.SEQUENCE
        case "dictionary" | "dictionary_comprehension":
            return Kind.MAPPING
        case "set" | "set_comprehension":
            return Kind.SET
        case "true" | "false" | "comparison_operator" | "not_operator" | "boolean_operator":
            return Kind.BOOLEAN
        case "parenthesized_expression" | "conditional_expression":
            return kind_of(node.named[0], scope) if node.named else Kind.UNKNOWN
        case "call":
            return _kind_of_call(node)
        case "member_expression" | "field_access" | "call_expression" | "method_invocation":
            return _kind_of_member(node)
        case "binary_expression":
            return _kind_of_arithmetic(node, scope)
        case "binary_operator":
            return _kind_of_arithmetic(node, scope)
        case "subscript":
            return _kind_of_subscript(node, scope)
    return Kind.UNKNOWN


def _kind_of_call(node: Node) -> int:
    function = node.child("function")
    if function is None:
        return Kind.UNKNOWN
    last = function.text.rsplit(".", 1)[-1]
    for names, kind in (
        (NUMBER_CALLS, Kind.NUMBER),
        (SEQUENCE_CALLS, Kind.SEQUENCE),
        (STRING_CALLS, Kind.STRING),
        (BOOLEAN_CALLS, Kind.BOOLEAN),
    ):
        if last in names:
            return kind
    return {"dict": Kind.MAPPING, "defaultdict": Kind.MAPPING, "Counter": Kind.MAPPING, "set": Kind.SET}.get(
        last, Kind.UNKNOWN
    )


def _kind_of_member(node: Node) -> int:
    """What a member, or the call of one, gives in JavaScript and Java."""
    member = node.child("function") or node
    name = member.child("property") or member.child("field") or member.child("name")
    if name is None:
        return Kind.UNKNOWN
    if name.text in NUMBER_MEMBERS:
        return Kind.NUMBER
    return Kind.STRING if name.text in STRING_MEMBERS else Kind.UNKNOWN


def _kind_of_arithmetic(node: Node, scope: Scope) -> int:
    operator = node.child("operator")
    sides = [kind_of(each, scope) for each in node.named]
    if any(side & (Kind.STRING | Kind.SEQUENCE) and not side & Kind.NUMBER for side in sides):
        return next(side for side in sides if side & (Kind.STRING | Kind.SEQUENCE))
    if operator is not None and operator.type in ("-", "/", "//", "**"):
        return Kind.NUMBER
    return Kind.NUMBER if any(side & Kind.NUMBER for side in sides) else Kind.UNKNOWN


def _kind_of_subscript(node: Node, scope: Scope) -> int:
    value, index = node.child("value"), node.child("subscript")
    if value is None or index is None:
        return Kind.UNKNOWN
    whole = kind_of(value, scope)
    if index.type == "slice":
        return whole or Kind.SEQUENCE
    return Kind.STRING if whole == Kind.STRING else Kind.UNKNOWN


def _parts(node: Node) -> list[Node]:
    return node.named if node.type in ("pattern_list", "expression_list", "tuple_pattern", "tuple") else [node]


def _add(values: list[str], value: str) -> None:
    if value not in values:
        values.append(value)
