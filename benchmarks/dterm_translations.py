"""Java statements with the same ones in C#: the translations of the multi-task benchmark.

A statement is a pattern with names in it. Patterns are in one split only, and so are names: a test statement has a
pattern and names that training never showed. Written for this project (MIT).
"""

from __future__ import annotations

from itertools import product

from code_envs.tasks.task import TaskSet, digest
from code_envs.tasks.translations import Translation

__all__ = ["statements"]

PATTERNS = {
    "train": (
        ("boolean {a} = false;", "bool {a} = false;"),
        ('String {a} = "";', 'string {a} = "";'),
        ("final int {a} = {b};", "const int {a} = {b};"),
        ("return {a}.length();", "return {a}.Length;"),
        ("return {a}.size();", "return {a}.Count;"),
        ("{a}.add({b});", "{a}.Add({b});"),
        ("{a}.append({b});", "{a}.Append({b});"),
        ("if ({a}.equals({b}))", "if ({a}.Equals({b}))"),
        ("for (String {a} : {b})", "foreach (string {a} in {b})"),
        ("return {a}.replace({b});", "return {a}.Replace({b});"),
        ("return {a}.hashCode();", "return {a}.GetHashCode();"),
        ("{a}.clear();", "{a}.Clear();"),
    ),
    "validation": (
        ("return {a}.split({b});", "return {a}.Split({b});"),
        ("boolean {a} = {b};", "bool {a} = {b};"),
        ("if ({a}.contains({b}))", "if ({a}.Contains({b}))"),
    ),
    "test": (
        ("{a}.remove({b});", "{a}.Remove({b});"),
        ("return {a}.trim();", "return {a}.Trim();"),
        ("Object {a} = null;", "object {a} = null;"),
        ("boolean {a} = true;", "bool {a} = true;"),
    ),
}
NAMES = {
    "train": (
        ("name", "value"),
        ("items", "item"),
        ("left", "right"),
        ("key", "buffer"),
        ("first", "second"),
        ("source", "target"),
    ),
    "validation": (("path", "part"), ("lines", "line")),
    "test": (("words", "word"), ("result", "text")),
}


def statements() -> TaskSet[Translation]:
    """All pairs, with the splits train, validation and test."""
    found: list[Translation] = []
    splits: dict[str, list[str]] = {}
    for split, patterns in PATTERNS.items():
        members = splits[split] = []
        for number, ((java, csharp), (a, b)) in enumerate(product(patterns, NAMES[split])):
            task = Translation(f"statements-v0/{split}/{number}", java.format(a=a, b=b), csharp.format(a=a, b=b))
            found.append(task)
            members.append(task.task_id)
    contents = [side.encode() for task in found for side in (task.source, task.target)]
    return TaskSet("statements-v0", tuple(found), "MIT", "written for Code Envs", digest(*contents), {}, splits)
