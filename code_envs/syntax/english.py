"""Derivations in words: what an expression of the grammar is called in English."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from code_envs.syntax.derivation import Production
from code_envs.syntax.grammar import EXPRESSIONS, Family

__all__ = ["Tree", "describable", "describe", "tree_of"]

# template, then its names, of which one is chosen; {0} is the first hole, {v} the variable
_TABLE = """
{num:5} + {num:6} | {0} plus {1} | the sum of {0} and {1}
{num:5} - {num:6} | {0} minus {1}
{num:6} * {num:7} | {0} times {1} | the product of {0} and {1}
{num:6} // {num:7} | {0} divided by {1}, rounded down
{num:6} / {num:7} | {0} divided by {1}
{num:6} % {num:7} | the rest of the division of {0} by {1}
{num:9} ** {num:8} | {0} to the power {1}
-{num:7} | minus {0}
abs({num}) | {0} without its sign | the distance of {0} from 0
min({num}, {num}) | the smaller of {0} and {1} | {0}, but at most {1}
max({num}, {num}) | the larger of {0} and {1} | {0}, but at least {1}
len({list[T]}) | the number of elements in {0} | how many elements are in {0}
len({str}) | the number of characters in {0} | how many characters are in {0}
sum({list[num]}) | the sum of all numbers in {0} | the sum of {0}
{str:9}.count({str}) | how often {1} occurs in {0}
{list[T]:9}.count({T}) | how often {1} occurs in {0}
len(set({iter[U]})) | how many different elements are in {0}
sum({+v:U}{num}{-v} for {v} in {iter[U]:1}) | the sum of {0} for each {v} of {1}
sum({+v:U}{num}{-v} for {v} in {iter[U]:1}{+v:U} if {bool:1}{-v}) | the sum of {0} for each {v} of {1} where {2}
max({+v:U}{num}{-v} for {v} in {iter[U]:1}) | the largest {0} for {v} of {1}
min({+v:U}{num}{-v} for {v} in {iter[U]:1}) | the smallest {0} for {v} of {1}
{num:5} == {num:5} | {0} is equal to {1}
{num:5} != {num:5} | {0} is not equal to {1}
{num:5} < {num:5} | {0} is smaller than {1}
{num:5} <= {num:5} | {0} is at most {1}
{num:5} > {num:5} | {0} is larger than {1}
{num:5} >= {num:5} | {0} is at least {1}
{str:5} == {str:5} | {0} is the same as {1}
{str:5} != {str:5} | {0} is not the same as {1}
{str:5} in {str:5} | {0} is in {1}
{str:5} not in {str:5} | {0} is not in {1}
{list[T]:5} == {list[T]:5} | {0} is the same as {1}
{T:5} in {list[T]:5} | {0} is in {1}
{T:5} not in {list[T]:5} | {0} is not in {1}
not {bool:3} | it is not true that {0}
{bool:2} and {bool:3} | {0} and {1}
{bool:1} or {bool:2} | {0} or {1}
all({+v:U}{bool}{-v} for {v} in {iter[U]:1}) | {0} for all {v} of {1} | for each {v} of {1}, {0}
any({+v:U}{bool}{-v} for {v} in {iter[U]:1}) | {0} for any {v} of {1}
{str:9}.isdigit() | {0} is a digit | {0} has only digits
{str:9}.isalpha() | {0} is a letter | {0} has only letters
{str:9}.isupper() | {0} is in upper case
{str:9}.islower() | {0} is in lower case
{str:9}.startswith({str}) | {0} begins with {1}
{str:9}.endswith({str}) | {0} ends with {1}
{str:5} + {str:6} | {0} followed by {1}
{str:6} * {num:7} | {0} repeated {1} times
{str:9}.upper() | {0} in upper case
{str:9}.lower() | {0} in lower case
{str:9}.replace({str}, {str}) | {0} with {2} in place of each {1}
{str:9}.join({list[str]}) | {1}, joined by {0}
{str:9}.join({+v:U}{str}{-v} for {v} in {iter[U]:1}) | {1} for each {v} of {2}, joined by {0}
{str:9}.join({+v:U}{str}{-v} for {v} in {iter[U]:1}{+v:U} if {bool:1}{-v}) | {1} for {v} of {2} if {3}, joined by {0}
{str:9}[{num}] | character {1} of {0}
{str:9}[::-1] | {0} backwards
{str:9}[{num}:] | {0} without its first {1} characters
{str:9}[:{num}] | the first {1} characters of {0}
[{T}] | the list of {0}
{list[T]:5} + {list[T]:6} | {0} followed by {1}
sorted({list[T]}) | {0} in ascending order
sorted(set({list[T]})) | the different elements of {0} in ascending order
{list[T]:9}[::-1] | {0} backwards
{list[T]:9}[{num}:] | {0} without its first {1} elements
{list[T]:9}[:{num}] | the first {1} elements of {0}
[{+v:U}{T}{-v} for {v} in {iter[U]:1}] | the list with {0} for each {v} of {1}
[{+v:U}{T}{-v} for {v} in {iter[U]:1}{+v:U} if {bool:1}{-v}] | the list with {0} for each {v} of {1} where {2}
list(range({num})) | the list of the numbers from 0 to {0} minus 1
{str:9}.split() | the words of {0}
range({num}) | the numbers from 0 to {0} minus 1
range({num}, {num}) | the numbers from {0} to {1} minus 1
{list[T]:9}[{num}] | element {1} of {0}
max({list[T]}) | the largest of {0} | the largest element of {0}
min({list[T]}) | the smallest of {0} | the smallest element of {0}
{T:1} if {bool:1} else {T} | {0} if {1}, otherwise {2}
"""
_EVEN = "{num:6} % {num:7} == {num:5}"
_NAMES = {
    template.strip(): [name.strip() for name in names]
    for template, *names in (line.split(" | ") for line in _TABLE.strip().splitlines())
}
_PLACES = {"0": "the first {}", "-1": "the last {}", "1": "the second {}"}


class Tree(NamedTuple):
    """A production with those that fill its holes."""

    production: Production
    below: tuple[Tree, ...]

    @property
    def key(self) -> str:
        """Key of the production."""
        return self.production.key


def tree_of(productions: Sequence[Production]) -> Tree:
    """The tree of a derivation, leftmost hole first."""
    waiting = iter(productions)

    def next_tree() -> Tree:
        production = next(waiting)
        return Tree(production, tuple(next_tree() for _ in production.holes))

    return next_tree()


def describable(production: Production) -> bool:
    """Whether there is a name for a production."""
    if production.template is None:
        return production.family in (Family.VARIABLE, Family.CONSTANT, Family.RETURN)
    return production.template.text in _NAMES or production.template.text == _EVEN


def describe(tree: Tree, choose: Callable[[int], int]) -> str:
    """An expression in words.

    Args:
        tree: Its derivation, of productions that are `describable`.
        choose: A number below the given one: which of several names to take.
    """
    production = tree.production
    if production.template is None:
        return production.key.partition(" ")[2]
    parts = [describe(each, choose) for each in tree.below]
    variable = production.names[0] if production.names else ""
    text = production.template.text
    if text == _EVEN:
        return _divisible(*parts)
    if text in ("{str:9}[{num}]", "{list[T]:9}[{num}]") and parts[1] in _PLACES:
        what = "character" if text.startswith("{str") else "element"
        return f"{_PLACES[parts[1]].format(what)} of {parts[0]}"
    if text == "{num:6} * {num:7}" and parts[0] == parts[1]:
        return f"the square of {parts[0]}"
    names = _NAMES[text]
    return names[choose(len(names))].format(*parts, v=variable)


def _divisible(number: str, divisor: str, rest: str) -> str:
    if divisor == "2" and rest in ("0", "1"):
        return f"{number} is {'even' if rest == '0' else 'odd'}"
    if rest == "0":
        return f"{number} is divisible by {divisor}"
    return f"the rest of the division of {number} by {divisor} is {rest}"


_UNKNOWN = set(_NAMES) - {template.text for template in EXPRESSIONS}
if _UNKNOWN:
    raise LookupError(f"The grammar has no templates {sorted(_UNKNOWN)}.")
