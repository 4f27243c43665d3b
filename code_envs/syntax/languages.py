"""The languages: a tree-sitter grammar each, and the table of node types that the core operators need."""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass, field

from tree_sitter import Language, Parser

from code_envs.errors import ConfigurationError, MissingDependencyError

__all__ = ["GRAMMARS", "Grammar", "grammar", "parser"]


@dataclass(frozen=True, slots=True)
class Grammar:
    """Node types of one language, by what they mean to an edit operator.

    Args:
        name: The language's name in this project.
        module: Python package of the tree-sitter grammar.
        extra: The extra of this project that installs it, or "" for a core dependency.
        blocks: Types whose named children are statements.
        compound: Statement types that contain blocks.
        functions: Types that open a function scope.
        loops: Statement types whose body is a loop body.
        identifiers: Types of names that may be replaced by another name.
        numbers, strings, booleans, nothing: Types of literals.
        binary: Types with `left`, an operator and `right`.
        unary: Types with an operator and an operand.
        calls: Types of calls.
        arguments: Types of argument lists.
        members: Types of attribute access.
        subscripts: Types of indexing.
        ternary: Types of conditional expressions.
        sequences: Types of list-like literals.
        opaque: Types an operator never looks into.
        conditions: Fields that hold a condition.
        operators: Classes of operators; any two of one class may replace each other.
        negation: Text put before a parenthesised condition to negate it.
        empty: Statement that replaces the only statement of a block.
        siblings: Groups of functions and methods that are mistaken for each other.
    """

    name: str
    module: str
    extra: str
    blocks: frozenset[str]
    compound: frozenset[str]
    functions: frozenset[str]
    loops: frozenset[str]
    identifiers: frozenset[str]
    numbers: frozenset[str]
    strings: frozenset[str]
    booleans: dict[str, str]
    nothing: frozenset[str]
    binary: frozenset[str]
    unary: frozenset[str]
    calls: frozenset[str]
    arguments: frozenset[str]
    members: frozenset[str]
    subscripts: frozenset[str]
    ternary: frozenset[str]
    sequences: frozenset[str]
    opaque: frozenset[str]
    conditions: frozenset[str]
    operators: tuple[tuple[str, ...], ...]
    negation: str
    empty: str
    siblings: tuple[tuple[str, ...], ...] = field(default=())


ARITHMETIC = ("+", "-", "*", "/", "%")
ORDER = ("<", "<=", ">", ">=")

PYTHON = Grammar(
    name="python",
    module="tree_sitter_python",
    extra="",
    blocks=frozenset({"block", "module"}),
    compound=frozenset(
        {
            "function_definition",
            "class_definition",
            "decorated_definition",
            "if_statement",
            "for_statement",
            "while_statement",
            "try_statement",
            "with_statement",
            "match_statement",
        }
    ),
    functions=frozenset({"function_definition"}),
    loops=frozenset({"for_statement", "while_statement"}),
    identifiers=frozenset({"identifier"}),
    numbers=frozenset({"integer", "float"}),
    strings=frozenset({"string"}),
    booleans={"true": "True", "false": "False"},
    nothing=frozenset({"none"}),
    binary=frozenset({"binary_operator", "comparison_operator", "boolean_operator"}),
    unary=frozenset({"unary_operator", "not_operator"}),
    calls=frozenset({"call"}),
    arguments=frozenset({"argument_list"}),
    members=frozenset({"attribute"}),
    subscripts=frozenset({"subscript"}),
    ternary=frozenset({"conditional_expression"}),
    sequences=frozenset({"list", "tuple", "set", "expression_list"}),
    opaque=frozenset(
        {
            "string",
            "concatenated_string",
            "comment",
            "import_statement",
            "import_from_statement",
            "future_import_statement",
            "global_statement",
            "nonlocal_statement",
            "type",
            "decorator",
            "case_clause",
            "lambda_parameters",
            "parameters",
            "type_alias_statement",
            "exec_statement",
            "ERROR",
        }
    ),
    conditions=frozenset({"condition"}),
    operators=(
        ("<", "<=", ">", ">=", "==", "!="),
        ("in", "not in"),
        ("is", "is not"),
        ("and", "or"),
        ("+", "-", "*", "/", "//", "%", "**"),
        ("&", "|", "^"),
        ("<<", ">>"),
        ("+=", "-=", "*=", "//=", "/=", "%=", "="),
        ("&=", "|=", "^="),
    ),
    negation="not ",
    empty="pass",
    siblings=(
        ("any", "all"),
        ("min", "max"),
        ("sum", "max", "min", "len"),
        ("sorted", "reversed", "list", "set"),
        ("set", "list", "tuple"),
        ("int", "float", "round", "str"),
        ("abs", "int"),
        ("ord", "chr"),
        ("range", "enumerate"),
        ("upper", "lower", "swapcase", "capitalize"),
        ("isupper", "islower", "isalpha", "isdigit", "isalnum"),
        ("startswith", "endswith"),
        ("strip", "lstrip", "rstrip"),
        ("split", "rsplit", "splitlines"),
        ("find", "rfind", "index", "count"),
        ("append", "extend", "add"),
        ("add", "remove", "discard"),
        ("append", "insert"),
        ("pop", "popleft"),
        ("append", "appendleft"),
        ("keys", "values", "items"),
        ("floor", "ceil"),
        ("sqrt", "isqrt"),
        ("log", "log2", "log10"),
        ("sin", "cos", "tan"),
        ("union", "intersection", "difference"),
        ("gcd", "lcm"),
        ("heappush", "heappop"),
        ("bisect_left", "bisect_right"),
    ),
)

JAVASCRIPT = Grammar(
    name="javascript",
    module="tree_sitter_javascript",
    extra="languages",
    blocks=frozenset({"statement_block", "program"}),
    compound=frozenset(
        {
            "function_declaration",
            "class_declaration",
            "if_statement",
            "for_statement",
            "for_in_statement",
            "while_statement",
            "do_statement",
            "try_statement",
            "switch_statement",
        }
    ),
    functions=frozenset({"function_declaration", "arrow_function", "function_expression", "method_definition"}),
    loops=frozenset({"for_statement", "for_in_statement", "while_statement", "do_statement"}),
    identifiers=frozenset({"identifier"}),
    numbers=frozenset({"number"}),
    strings=frozenset({"string"}),
    booleans={"true": "true", "false": "false"},
    nothing=frozenset({"null", "undefined"}),
    binary=frozenset({"binary_expression"}),
    unary=frozenset({"unary_expression"}),
    calls=frozenset({"call_expression", "new_expression"}),
    arguments=frozenset({"arguments"}),
    members=frozenset({"member_expression"}),
    subscripts=frozenset({"subscript_expression"}),
    ternary=frozenset({"ternary_expression"}),
    sequences=frozenset({"array", "sequence_expression"}),
    opaque=frozenset(
        {"string", "template_string", "regex", "comment", "import_statement", "formal_parameters", "ERROR"}
    ),
    conditions=frozenset({"condition"}),
    operators=(
        ("<", "<=", ">", ">=", "===", "!==", "==", "!="),
        ("&&", "||"),
        ("+", "-", "*", "/", "%", "**"),
        ("&", "|", "^"),
        ("<<", ">>", ">>>"),
        ("+=", "-=", "*=", "/=", "%=", "="),
        ("++", "--"),
    ),
    negation="!",
    empty=";",
    siblings=(
        ("min", "max"),
        ("floor", "ceil", "round", "trunc"),
        ("push", "unshift"),
        ("pop", "shift"),
        ("some", "every"),
        ("slice", "splice", "substring"),
        ("indexOf", "lastIndexOf"),
        ("toUpperCase", "toLowerCase"),
        ("startsWith", "endsWith", "includes"),
        ("map", "filter", "forEach"),
        ("parseInt", "parseFloat"),
    ),
)

JAVA = Grammar(
    name="java",
    module="tree_sitter_java",
    extra="languages",
    blocks=frozenset({"block", "program", "class_body", "constructor_body"}),
    compound=frozenset(
        {
            "class_declaration",
            "method_declaration",
            "constructor_declaration",
            "if_statement",
            "for_statement",
            "enhanced_for_statement",
            "while_statement",
            "do_statement",
            "try_statement",
            "switch_expression",
        }
    ),
    functions=frozenset({"method_declaration", "constructor_declaration", "lambda_expression"}),
    loops=frozenset({"for_statement", "enhanced_for_statement", "while_statement", "do_statement"}),
    identifiers=frozenset({"identifier"}),
    numbers=frozenset({"decimal_integer_literal", "decimal_floating_point_literal"}),
    strings=frozenset({"string_literal", "character_literal"}),
    booleans={"true": "true", "false": "false"},
    nothing=frozenset({"null_literal"}),
    binary=frozenset({"binary_expression"}),
    unary=frozenset({"unary_expression"}),
    calls=frozenset({"method_invocation"}),
    arguments=frozenset({"argument_list"}),
    members=frozenset({"field_access"}),
    subscripts=frozenset({"array_access"}),
    ternary=frozenset({"ternary_expression"}),
    sequences=frozenset({"array_initializer"}),
    opaque=frozenset(
        {
            "string_literal",
            "character_literal",
            "line_comment",
            "block_comment",
            "import_declaration",
            "package_declaration",
            "formal_parameters",
            "modifiers",
            "annotation",
            "ERROR",
        }
    ),
    conditions=frozenset({"condition"}),
    operators=(
        ("<", "<=", ">", ">=", "==", "!="),
        ("&&", "||"),
        ("+", "-", "*", "/", "%"),
        ("&", "|", "^"),
        ("<<", ">>", ">>>"),
        ("+=", "-=", "*=", "/=", "%=", "="),
        ("++", "--"),
    ),
    negation="!",
    empty=";",
    siblings=(
        ("min", "max"),
        ("floor", "ceil", "round"),
        ("add", "remove", "addFirst", "addLast"),
        ("charAt", "codePointAt"),
        ("indexOf", "lastIndexOf"),
        ("toUpperCase", "toLowerCase"),
        ("startsWith", "endsWith", "contains"),
        ("isUpperCase", "isLowerCase", "isDigit", "isLetter"),
        ("get", "getOrDefault"),
        ("length", "size"),
    ),
)

GRAMMARS = {each.name: each for each in (PYTHON, JAVASCRIPT, JAVA)}


def grammar(language: str) -> Grammar:
    """The table of a language.

    Raises:
        ConfigurationError: If the language is not known.
    """
    if language not in GRAMMARS:
        raise ConfigurationError(f"Language {language!r} is not known; expected one of {sorted(GRAMMARS)}.")
    return GRAMMARS[language]


@functools.cache
def parser(language: str) -> Parser:
    """This process's tree-sitter parser of a language.

    Raises:
        ConfigurationError: If the language is not known.
        MissingDependencyError: If its grammar package is not installed.
    """
    table = grammar(language)
    try:
        module = importlib.import_module(table.module)
    except ImportError as error:
        raise MissingDependencyError(table.module.replace("_", "-"), table.extra or "languages") from error
    return Parser(Language(module.language()))
