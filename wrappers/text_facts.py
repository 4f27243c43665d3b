"""Facts about the text of a program: how it resembles a reference, whether it parses, what a linter finds.

No program is executed or compiled here: texts are compared, parsed by tree-sitter, and read by pycodestyle.
"""

from __future__ import annotations

import functools
import io
import re
from collections import Counter
from typing import Any

from tree_sitter import Language, Parser

from code_envs.errors import MissingDependencyError
from code_envs.syntax import languages
from code_envs.syntax.tokens import lex

__all__ = [
    "PARSED",
    "ast_similarity",
    "bleu",
    "findings",
    "lines",
    "require_linter",
    "require_parser",
    "require_sacrebleu",
    "syntax_errors",
]

PARSED = ("python", "javascript", "java", "c")
"""Languages with a tree-sitter grammar here."""
HEIGHT = 2
LINE_LENGTH = 120
IGNORED = ("E121", "E123", "E126", "E226", "E24", "E704", "W503", "W504", "W292", "W391")
"""pycodestyle's own default, and how a text ends, which environments decide."""
_REMEMBERED = 256
_SILENCER = re.compile(r"# no(?=(?:qa|pep8)\b)", re.IGNORECASE)


@functools.cache
def require_parser(language: str) -> Parser:
    """This process's parser of a language of `PARSED`.

    Raises:
        MissingDependencyError: If its grammar is not installed.
    """
    if language != "c":
        return languages.parser(language)
    try:
        import tree_sitter_c
    except ImportError as error:
        raise MissingDependencyError("tree-sitter-c", "languages") from error
    return Parser(Language(tree_sitter_c.language()))


@functools.cache
def require_sacrebleu() -> Any:
    """The sentence BLEU-4 on tokens parted by spaces, exponential smoothing, effective order; by sacrebleu.

    Raises:
        MissingDependencyError: If sacrebleu is not installed.
    """
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError as error:
        raise MissingDependencyError("sacrebleu", "rewards") from error
    return BLEU(tokenize="none", effective_order=True, force=True)


@functools.cache
def require_linter() -> Any:
    """The module pycodestyle and the options of its checkers, the same whatever configuration the machine has.

    Raises:
        MissingDependencyError: If pycodestyle is not installed.
    """
    try:
        import pycodestyle  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingDependencyError("pycodestyle", "rewards") from error
    guide = pycodestyle.StyleGuide(
        parse_argv=False, config_file=False, quiet=2, max_line_length=LINE_LENGTH, ignore=IGNORED
    )
    return pycodestyle, guide.options


def bleu(text: str, reference: str) -> float:
    """Sentence BLEU-4 of a program's tokens against those of a reference, in [0, 1].

    Tokens are those of `code_envs.syntax.tokens`; the score is sacrebleu's, divided by 100.
    Source: Papineni et al. (2002); Post (2018) for sacrebleu.
    """
    score = require_sacrebleu().sentence_score(_spaced(text), [_spaced(reference)]).score
    # the geometric mean of ones is a rounding error above 100
    return min(float(score) / 100, 1.0)


def _spaced(text: str) -> str:
    return " ".join(token for _, token in lex(text))


def ast_similarity(text: str, reference: str, language: str) -> float:
    """How alike two programs' syntax trees are, in [0, 1]: Dice of their bags of small subtrees.

    The bag holds, for each node and each height from 0 to 2, the types of the node and of what is below it, cut off
    at that height. Names, literals and comments do not count; operators and keywords do.

    Args:
        text: A program; what does not parse is an error node of its tree.
        reference: The other.
        language: One of `PARSED`.
    """
    found, wanted = _bag(text, language), _reference_bag(reference, language)
    total = found.total() + wanted.total()
    return 2 * (found & wanted).total() / total if total else 1.0


def _bag(text: str, language: str) -> Counter[str]:
    nodes = _nodes(text, language)
    labels = [kind for kind, _ in nodes]
    bag = Counter(labels)
    for _ in range(HEIGHT):
        labels = [f"{kind}({' '.join(labels[each] for each in below)})" for kind, below in nodes]
        bag.update(labels)
    return bag


_reference_bag = functools.lru_cache(_REMEMBERED)(_bag)


def _nodes(text: str, language: str) -> list[tuple[str, list[int]]]:
    """Type and numbers of the children of every node; without recursion, for programs may nest as deep as they like."""
    found: list[tuple[str, list[int]]] = []
    stack: list[tuple[Any, int]] = [(_root(text, language), -1)]
    while stack:
        node, parent = stack.pop()
        if "comment" in node.type:
            continue
        if parent >= 0:
            found[parent][1].append(len(found))
        stack.extend((child, len(found)) for child in reversed(node.children))
        found.append((node.type, []))
    return found


def _root(text: str, language: str) -> Any:
    return require_parser(language).parse(text.encode("utf-8", "replace")).root_node


def syntax_errors(text: str, language: str) -> int:
    """Number of places where tree-sitter found no way to read a program, or had to add a token.

    Args:
        text: The program.
        language: One of `PARSED`.
    """
    root = _root(text, language)
    if not root.has_error:
        return 0
    count, stack = 0, [root]
    while stack:
        node = stack.pop()
        count += node.is_error or node.is_missing
        stack.extend(child for child in node.children if child.has_error or child.is_missing)
    return max(count, 1)


def findings(text: str) -> int:
    """Number of findings of pycodestyle in a Python program; text without tokens counts once.

    Lines may have 120 characters, and how the text ends does not count. `# noqa` silences nothing.
    """
    module, options = require_linter()
    report = module.BaseReport(options)
    # the linter's own escape hatch, which an agent would learn to write; its lines keep their length
    audible = _SILENCER.sub("# n0", text)
    checker = module.Checker(lines=io.StringIO(audible).readlines(), options=options, report=report)
    checker.check_all()
    return int(report.total_errors)


def lines(text: str) -> int:
    """Number of lines that are not blank."""
    return sum(1 for line in text.splitlines() if line.strip())
