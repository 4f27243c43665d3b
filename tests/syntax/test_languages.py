"""JavaScript and Java: the ten core operators from a table of node types."""

import builtins
import random

import pytest
from test_candidates import assert_walk_remembers

from code_envs.errors import ConfigurationError, MissingDependencyError
from code_envs.syntax.languages import GRAMMARS, grammar, parser
from code_envs.syntax.program import Program
from code_envs.syntax.rewrite import Operator
from code_envs.syntax.tokens import lex

CORE = {
    Operator.OPERATOR,
    Operator.IDENTIFIER,
    Operator.CONSTANT,
    Operator.OFF_BY_ONE,
    Operator.DROP,
    Operator.SWAP,
    Operator.CALLEE,
    Operator.NEGATE,
    Operator.DELETE,
    Operator.MOVE,
}

JAVASCRIPT = """const total = (values, limit) => {
  let sum = 0, i = 0;
  for (let k = 0; k < values.length; k++) {
    if (values[k] < limit && sum >= 0) {
      sum += Math.max(values[k], 1);
    } else {
      sum = sum - values[k];
    }
  }
  for (const v of values)
    if (v) continue;
  do { i = i + 1 } while (i < limit);
  const big = values.filter((v) => { return v > limit; }).map(v => v * 2);
  if (!sum) return 'none';
  return big.length > 0 ? big[0] : sum;
}
"""
JAVA = """import java.util.List;

class Solution {
    public int total(List<Integer> values, int limit) {
        int sum = 0;
        for (int k = 0; k < values.size(); k++) {
            if (values.get(k) < limit && sum >= 0) {
                sum += Math.max(values.get(k), 1);
            } else {
                sum = sum - values.get(k);
            }
        }
        for (int v : values) sum += v;
        int i = 0;
        do { i = i + 1; } while (i < limit);
        boolean found = true;
        if (sum == 1) {
            return limit;
        } else if (!found) {
            sum--;
        }
        String name = "none";
        return name.indexOf("x") > 0 ? i : sum;
    }
}
"""
SOURCES = {"javascript": JAVASCRIPT, "java": JAVA}

EXAMPLES = [
    # language, operator, what is replaced, by what
    ("javascript", Operator.OPERATOR, "k < values", "k <= values"),
    ("javascript", Operator.OPERATOR, "&&", "||"),
    ("javascript", Operator.OPERATOR, "k++", "k--"),
    ("javascript", Operator.OPERATOR, "sum +=", "sum -="),
    ("javascript", Operator.IDENTIFIER, "< limit && sum", "< limit && limit"),
    ("javascript", Operator.IDENTIFIER, ": sum;", ": limit;"),
    ("javascript", Operator.CONSTANT, "v * 2", "v * 3"),
    ("javascript", Operator.CONSTANT, "'none'", "''"),
    ("javascript", Operator.OFF_BY_ONE, "k < values.length", "k < (values.length - 1)"),
    ("javascript", Operator.OFF_BY_ONE, "values[k] < limit", "values[k + 1] < limit"),
    ("javascript", Operator.OFF_BY_ONE, "(i < limit)", "((i + 1) < limit)"),
    ("javascript", Operator.DROP, "sum = sum - values[k]", "sum = sum"),
    ("javascript", Operator.DROP, "if (!sum)", "if (sum)"),
    ("javascript", Operator.SWAP, "big[0] : sum", "sum : big[0]"),
    ("javascript", Operator.SWAP, "Math.max(values[k], 1)", "Math.max(1, values[k])"),
    (
        "javascript",
        Operator.SWAP,
        "{\n      sum += Math.max(values[k], 1);\n    } else {\n      sum = sum - values[k];\n    }",
        "{\n      sum = sum - values[k];\n    } else {\n      sum += Math.max(values[k], 1);\n    }",
    ),
    ("javascript", Operator.CALLEE, "Math.max", "Math.min"),
    ("javascript", Operator.CALLEE, "filter", "map"),
    ("javascript", Operator.NEGATE, "if (v)", "if (!v)"),
    ("javascript", Operator.DELETE, "      sum = sum - values[k];\n", "      ;\n"),
    ("javascript", Operator.DELETE, "  if (!sum) return 'none';\n", "  \n"),
    (
        "javascript",
        Operator.MOVE,
        "if (!sum) return 'none';\n  return big.length > 0 ? big[0] : sum;",
        "return big.length > 0 ? big[0] : sum;\n  if (!sum) return 'none';",
    ),
    ("java", Operator.OPERATOR, "k < values", "k <= values"),
    ("java", Operator.OPERATOR, "k++", "k--"),
    ("java", Operator.IDENTIFIER, "return limit", "return sum"),
    ("java", Operator.CONSTANT, "sum == 1", "sum == 2"),
    ("java", Operator.CONSTANT, "true", "false"),
    ("java", Operator.CONSTANT, '"none"', '""'),
    ("java", Operator.OFF_BY_ONE, "k < values.size()", "k < (values.size() - 1)"),
    ("java", Operator.OFF_BY_ONE, "(i < limit)", "((i + 1) < limit)"),
    ("java", Operator.DROP, "i + 1", "i"),
    ("java", Operator.SWAP, "? i : sum", "? sum : i"),
    ("java", Operator.CALLEE, "Math.max", "Math.min"),
    ("java", Operator.CALLEE, "indexOf", "lastIndexOf"),
    ("java", Operator.NEGATE, "return limit", "return -limit"),
    ("java", Operator.DELETE, "                sum = sum - values.get(k);\n", "                ;\n"),
]


@pytest.mark.parametrize(
    ("language", "operator", "old", "new"),
    EXAMPLES,
    ids=[f"{each[0]}-{each[1].name}-{n}" for n, each in enumerate(EXAMPLES)],
)
def test_operator_has_the_edit(language, operator, old, new, candidates):
    """The program with `old` replaced by `new` is a candidate of the operator."""
    source = SOURCES[language]
    assert source.count(old) == 1, "the example must be unambiguous"
    found = candidates(source, language)
    makers = {maker.name for maker, after in found if after.decode() == source.replace(old, new)}
    assert operator.name in makers


@pytest.mark.parametrize("language", SOURCES)
def test_the_core_and_nothing_else_is_made(language, candidates):
    """All ten operators of the core occur, and none that needs Python's templates."""
    assert {operator for operator, _ in candidates(SOURCES[language], language)} == CORE


@pytest.mark.parametrize("language", SOURCES)
def test_candidates_parse_and_differ(language, candidates):
    """At least 99 % parse; each gives a new program."""
    source = SOURCES[language].encode()
    assert Program(source, language).parses
    found = [after for _, after in candidates(source, language)]
    parsing = [after for after in found if Program(after, language).parses]
    assert len(found) > 150
    assert len(parsing) >= 0.99 * len(found)
    assert len(set(found) | {source}) == len(found) + 1


@pytest.mark.parametrize("language", SOURCES)
def test_remembered_enumeration_equals_a_new_one(language):
    """Braces, `else if` and `do ... while` are remembered right."""
    for seed in range(3):
        assert_walk_remembers(SOURCES[language].encode(), random.Random(seed), language)


def test_the_condition_behind_a_block_is_remembered_with_its_text(candidates):
    """Two `do` loops that differ in their conditions only have edits of their own."""
    source = "function f(a, b) {\n  do { a--; } while (a > 1);\n  do { a--; } while (b > 2);\n  return a;\n}\n"
    found = [after for _, after in candidates(source, "javascript")]
    assert source.replace("a > 1", "a >= 1").encode() in found
    assert source.replace("b > 2", "b >= 2").encode() in found
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("head", ["function f(a) {", "const f = (a) => {", "const f = function (a) {"])
def test_every_kind_of_function_has_statements(head, candidates):
    """The body of a function given to a name counts as the body of a function."""
    source = f"{head}\n  a = 1;\n  return a;\n}}\n"
    found = {after: operator for operator, after in candidates(source, "javascript")}
    assert found[f"{head}\n  \n  return a;\n}}\n".encode()] is Operator.DELETE
    assert found[f"{head}\n  return a;\n  a = 1;\n}}\n".encode()] is Operator.MOVE


def words_of(source):
    return [token for _, token in lex(source.decode()) if token not in "()"]


@pytest.mark.data
def test_one_candidate_repairs_many_javascript_bugs(pack, candidates):
    """At least 70 of the 164 bugs have the canonical program, but for parentheses, among their candidates."""
    programs = pack("js")
    fixed = total = parsing = 0
    for number, (faulty, canonical) in enumerate(programs.values()):
        found = [after for _, after in candidates(faulty, "javascript")]
        wanted = words_of(canonical)
        fixed += any(words_of(after) == wanted for after in found)
        if number % 4 == 0 and Program(faulty, "javascript").parses:
            total += len(found)
            parsing += sum(Program(after, "javascript").parses for after in found)
    print(f"canonical program among the candidates: {fixed} of {len(programs)}; {parsing} of {total} parse")
    assert fixed >= 70
    assert parsing >= 0.99 * total


# errors ----------------------------------------------------------------------------------------


def test_an_unknown_language_is_named_with_those_known():
    """The message lists what there is."""
    with pytest.raises(ConfigurationError, match=r"'cobol' is not known; expected one of \['java', 'javascript', 'py"):
        grammar("cobol")
    with pytest.raises(ConfigurationError, match="cobol"):
        Program(b"", "cobol")


@pytest.mark.parametrize("language", ["javascript", "java"])
def test_a_missing_grammar_names_the_extra(language, monkeypatch):
    """Without the package the error says what to install."""
    real = builtins.__import__
    monkeypatch.setattr(
        "code_envs.syntax.languages.importlib.import_module",
        lambda name: real("a_package_that_is_not_there"),
    )
    parser.cache_clear()
    try:
        with pytest.raises(MissingDependencyError, match=r"code-envs\[languages\]") as caught:
            parser(language)
    finally:
        parser.cache_clear()
    assert f"tree-sitter-{language}" in str(caught.value)


def test_every_table_uses_node_types_of_its_grammar():
    """A misspelt node type would be an operator that never fires."""
    for table in GRAMMARS.values():
        known = parser(table.name).language
        names = {known.node_kind_for_id(number) for number in range(known.node_kind_count)}
        used = table.blocks | table.compound | table.functions | table.loops | table.identifiers | table.numbers
        used |= table.strings | table.nothing | table.binary | table.unary | table.calls | table.arguments
        used |= table.members | table.subscripts | table.ternary | table.sequences | set(table.booleans)
        assert used <= names, (table.name, sorted(used - names))
        operators = {each for group in table.operators for each in group}
        assert operators <= names, (table.name, sorted(operators - names))
