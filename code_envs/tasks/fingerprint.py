"""A part of the recording program for the sandbox: what identifies a reference, and its tested function.

Sent together with `judging.py` and `recording.py`, because the texts of a data set are parsed in a sandbox.
"""

import ast
import hashlib


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
