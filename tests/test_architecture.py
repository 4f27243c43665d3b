"""The architecture's rules: who may import whom, what an import pulls in, what a module must have."""

import ast
import graphlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LEAVES: set[str] = set()
EVERYTHING = {"code_envs", "reward_machines", "wrappers", "agents", "examples", "benchmarks", "tests"}
ALLOWED = {
    "code_envs": LEAVES,
    "reward_machines": LEAVES,
    "wrappers": {"code_envs", "reward_machines"},
    "agents": {"reward_machines"},
    "examples": EVERYTHING,
    "benchmarks": EVERYTHING,
}
PRODUCT = ("code_envs", "reward_machines", "wrappers", "agents")
DATA = Path("code_envs/tasks/builtin/programs")
ENTRY_POINT = re.compile(rf"({'|'.join(EVERYTHING)})(\.\w+)*:[\w./-]+")
HEAVY = {"torch", "docker", "ray", "stable_baselines3", "transformers", "triton", "matplotlib", "PIL"}
VAGUE = re.compile(r"_?(utils?|helpers?|common|managers?|misc)")
# put together here, so that this file holds none
MACHINE_PATH = re.compile(r"(?<![\w.~/-])/(?:" + "|".join(["work", "root", "home"]) + r")/\w")
PLANTED_PATHS: dict[str, str] = {}
"""Files that may, each with the reason; a hostile program's paths are filled in, so it needs none."""


def sources(root: Path, packages: tuple[str, ...]) -> Iterator[tuple[Path, ast.Module]]:
    """Path below the root and syntax tree of every module of the packages, task data left out."""
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            if not path.is_relative_to(root / DATA):
                yield path.relative_to(root), ast.parse(path.read_text(encoding="utf-8"))


def imports(node: ast.AST, path: Path) -> list[str]:
    """Full names of the modules that a node imports, also by name or as an entry point in a string."""
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    if isinstance(node, ast.ImportFrom):
        if node.level:
            base = path.parent.parts[: len(path.parent.parts) - node.level + 1]
            return [".".join([*base, node.module or ""]).strip(".")]
        return [node.module or ""]
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and ENTRY_POINT.fullmatch(node.value):
        return [node.value.partition(":")[0]]
    if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in {"import_module", "__import__"}:
        return [each.value for each in node.args[:1] if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return []


def violations(root: Path) -> list[str]:
    """Imports that the allow-list does not allow, as "path:line imports module"."""
    found = []
    for path, tree in sources(root, tuple(ALLOWED)):
        package = path.parts[0]
        forbidden = EVERYTHING - ALLOWED[package] - {package}
        for node in ast.walk(tree):
            for name in imports(node, path):
                if name.partition(".")[0] in forbidden:
                    found.append(f"{path}:{node.lineno} imports {name}")  # type: ignore[attr-defined]
    return found


def test_packages_import_only_what_they_may():
    """Every edge between packages is one that the architecture allows."""
    assert violations(ROOT) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("agents/ppo.py", "import torch\nfrom code_envs.tasks import task\n"),
        ("agents/ppo.py", "def make():\n    import wrappers.reward\n"),
        ("agents/ppo.py", 'ENV = "code_envs:CodeRepair-v0"\n'),
        ("agents/deep/ppo.py", 'ENV = dict(entry_point="code_envs.envs.repair:CodeRepairEnv")\n'),
        ("agents/ppo.py", 'import importlib\nimportlib.import_module("code_envs.events")\n'),
        ("agents/ppo.py", 'from importlib import import_module\nimport_module("code_envs")\n'),
        ("code_envs/base.py", "import reward_machines as rm\n"),
        ("code_envs/base.py", "from tests import conftest\n"),
        ("reward_machines/machine.py", "from code_envs.events import EVENTS\n"),
        ("wrappers/reward.py", "from agents import ppo\n"),
    ],
)
def test_a_planted_import_is_found(tmp_path, path, source):
    """The check above can fail: each kind of forbidden edge is seen."""
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(source)
    found = violations(tmp_path)
    assert len(found) == 1
    assert found[0].startswith(path)


def test_allowed_imports_are_not_found(tmp_path):
    """Imports inside a package, of allowed packages, and words in prose are no violation."""
    file = tmp_path / "wrappers" / "reward.py"
    file.parent.mkdir()
    file.write_text(
        '"""Not for agents: read agents.ppo."""\nimport code_envs\nfrom . import other\nimport wrappers.x\n'
    )
    assert violations(tmp_path) == []


def test_no_import_cycles():
    """The modules' imports at import time have an order."""
    modules = {
        ".".join(path.with_suffix("").parts).removesuffix(".__init__"): tree for path, tree in sources(ROOT, PRODUCT)
    }
    graph: dict[str, set[str]] = {}
    for name, tree in modules.items():
        edges = set()
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.module in modules:
                inner = {f"{node.module}.{each.name}" for each in node.names}
                edges |= (inner & modules.keys()) or {node.module}
            elif isinstance(node, ast.Import):
                edges |= {each.name for each in node.names} & modules.keys()
        graph[name] = edges - {name}
    graphlib.TopologicalSorter(graph).prepare()


def test_import_is_light():
    """`import code_envs` pulls in none of the optional packages, in a fresh interpreter."""
    program = "import sys, code_envs; print(*{name.partition('.')[0] for name in sys.modules})"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    answer = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert HEAVY & set(answer.stdout.split()) == set()


def test_no_vague_module_names():
    """A module is named after what it holds."""
    vague = [
        str(path)
        for path, _ in sources(ROOT, tuple(ALLOWED))
        if any(map(VAGUE.fullmatch, (*path.parent.parts, path.stem)))
    ]
    assert vague == []


def public_modules() -> list[tuple[Path, ast.Module]]:
    """The product's modules whose names do not begin with one underscore."""
    return [each for each in sources(ROOT, PRODUCT) if each[0].name.startswith("__") or each[0].name[0] != "_"]


def test_public_modules_have_docstrings():
    """Every public module says what it holds."""
    assert [str(path) for path, tree in public_modules() if not ast.get_docstring(tree)] == []


def exported(tree: ast.Module) -> set[str] | None:
    """The names in a module's `__all__`; None if it defines none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return None


def bound(tree: ast.Module) -> tuple[set[str], set[str]]:
    """Classes and functions that a module defines, and every name it binds."""
    defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    names = set(defined)
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {each.asname or each.name for each in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            names |= {
                each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
            }
    return defined, names


def test_all_is_what_is_public():
    """`__all__` names what exists: every public class and function, and no private name; constants are its choice."""
    wrong = {}
    for path, tree in public_modules():
        names = exported(tree)
        if names is None:
            continue
        defined, existing = bound(tree)
        missing = {name for name in defined if not name.startswith("_")} - names
        surplus = (names - existing) | {name for name in names if name.startswith("_") and name != "__version__"}
        if missing or surplus:
            wrong[str(path)] = {"not in __all__": sorted(missing), "not public or not there": sorted(surplus)}
    assert wrong == {}


def tracked() -> list[Path]:
    """Files that git tracks or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if answer.returncode != 0:
        pytest.skip(f"the list of files comes from git, which said: {answer.stderr.strip()}")
    return [ROOT / name for name in answer.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_machine_paths():
    """No tracked file names a folder of the machine that it was written on."""
    found = []
    for path in tracked():
        name = str(path.relative_to(ROOT))
        text = path.read_bytes().decode("utf-8", "replace")
        if name not in PLANTED_PATHS:
            found += [f"{name}:{text.count(chr(10), 0, match.start()) + 1}" for match in MACHINE_PATH.finditer(text)]
    assert found == []
