"""Build the documentation: `make docs`, or `python docs/build.py`.

The pages in `docs/` and at the top of the repository are taken as they are. Generated are a page per environment (the
docstring of its class), the table of ids, and a gallery of rendered episodes: seed 0, the expert's actions where there
is one, else random ones, so that it is the same every time. Everything is written to `build/docs`, and from there by
MkDocs to `build/site`. A link to a file or heading that does not exist is an error, and so is anything that a page
would fetch from the network.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from code_envs.envs.rendering import write_gif
from code_envs.registration import ENVIRONMENTS
from code_envs.tasks.sources import available

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build"
TOP = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
"""Pages at the top of the repository, and where they are in the site."""
STEPS = 12
"""Of an episode in the gallery, at most."""

_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)|(?:src|href)=\"([^\"]+)\"")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FETCHED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=[\"'](?:https?:)?//[^\"']+", re.IGNORECASE)


class Shown(NamedTuple):
    """What the site shows of an environment."""

    name: str
    sentence: str
    page: str
    actions: str
    frames: list[Any]
    first: str
    last: str


def shown(name: str, steps: int = STEPS, **kwargs: Any) -> Shown:
    """An environment's docstring, and an episode of it."""
    module, _, kind = str(ENVIRONMENTS[name]["entry_point"]).partition(":")
    maker = getattr(importlib.import_module(module), kind)
    if "expert" in inspect.signature(maker).parameters:
        kwargs |= {"expert": True}
    page = inspect.getdoc(maker) or ""
    sentence, _, rest = page.partition("\n")
    modes = maker.metadata["render_modes"]
    texts, actions = _episode(name, "ansi", steps, kwargs)
    frames, _ = _episode(name, "rgb_array", steps, kwargs) if "rgb_array" in modes else ([], "")
    return Shown(name, sentence, rest.strip(), actions, frames, _plain(texts[0]), _plain(texts[-1]))


def _episode(name: str, mode: str, steps: int, kwargs: dict[str, Any]) -> tuple[list[Any], str]:
    """Pictures of an episode, and the action space."""
    env: Any = gymnasium.make(name, render_mode=mode, **kwargs)
    try:
        return list(_moments(env, steps)), f"`{env.action_space}`"
    finally:
        env.close()


def _moments(env: Any, steps: int) -> Iterator[Any]:
    random = np.random.default_rng(0)
    env.action_space.seed(0)
    _, info = env.reset(seed=0)
    yield env.render()
    for _ in range(steps):
        *_, terminated, truncated, info = env.step(_action(env, info, random))
        yield env.render()
        if terminated or truncated:
            return


def _action(env: Any, info: dict[str, Any], random: np.random.Generator) -> Any:
    expert = info.get("expert_action", -1)
    if not isinstance(expert, (int, np.integer)) or expert >= 0:
        return expert
    if not env.has_wrapper_attr("action_masks"):
        return env.action_space.sample()
    return np.int64(random.choice(np.flatnonzero(env.get_wrapper_attr("action_masks")())))


def _plain(text: str) -> str:
    return _COLOUR.sub("", text).rstrip().replace("```", "'''")


# pages --------------------------------------------------------------------------------------------


def write_pages(out: Path) -> None:
    """Write every page below a folder."""
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(ROOT / "docs", out, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for source, target in TOP.items():
        (out / target).write_text(_moved((ROOT / source).read_text(encoding="utf-8")), encoding="utf-8")
    (out / "environments").mkdir(exist_ok=True)
    (out / "gallery").mkdir(exist_ok=True)
    every = [shown(name) for name in ENVIRONMENTS]
    for each in every:
        if each.frames:
            write_gif(out / "gallery" / f"{each.name}.gif", each.frames, fps=1)
        (out / "environments" / f"{each.name}.md").write_text(environment_page(each), encoding="utf-8")
    (out / "environments" / "index.md").write_text(table_page(every), encoding="utf-8")
    (out / "gallery" / "index.md").write_text(gallery_page(every), encoding="utf-8")


def _moved(text: str) -> str:
    """A page from the top of the repository, its links as they are in the site."""
    text = text.replace("](docs/", "](").replace('="docs/', '="')
    for source, target in TOP.items():
        text = text.replace(f"]({source}", f"]({target}")
    return text


def environment_page(each: Shown) -> str:
    """The page of an environment."""
    entry_point = ENVIRONMENTS[each.name]["entry_point"]
    picture = f"![an episode, step by step](../gallery/{each.name}.gif)\n\n" if each.frames else ""
    return (
        f"# {each.name}\n\n{each.sentence}\n\n{picture}"
        f'```python\nimport gymnasium\nimport code_envs\n\nenv = gymnasium.make("{each.name}")\n```\n\n'
        f"Class `{entry_point}`; actions {each.actions}.\n\n{each.page}\n"
    )


def table_page(every: list[Shown]) -> str:
    """The table of ids and of task sources."""
    rows = [f"| [{each.name}]({each.name}.md) | {each.sentence} | {each.actions} |" for each in every]
    sources = [f"| `{name}` | {line.replace('|', '&#124;')} |" for name, line in available().items()]
    return "\n".join(
        ["# Environments", "", "| id | task | actions |", "|---|---|---|", *rows, "", "## Task sources", "",
         "For the argument `tasks`; `python -m code_envs list` shows them too.", "",
         "| source | what it is |", "|---|---|", *sources, ""]
    )  # fmt: skip


def gallery_page(every: list[Shown]) -> str:
    """A picture and two moments in text of each environment."""
    parts = ["# Gallery", "", "Seed 0; the expert's actions where there is one, else random valid ones.", ""]
    for each in every:
        parts += [f"## {each.name}", "", *([f"![{each.sentence}]({each.name}.gif)", ""] if each.frames else [])]
        parts += [
            "At the start:",
            "",
            f"```text\n{each.first}\n```",
            "",
            "At the end:",
            "",
            f"```text\n{each.last}\n```",
            "",
        ]
    return "\n".join(parts)


# links --------------------------------------------------------------------------------------------


def broken_links(pages: list[Path]) -> list[str]:
    """Links in Markdown files to files or headings that do not exist, as "page: link"."""
    found = []
    for page in pages:
        text = _FENCE.sub("", page.read_text(encoding="utf-8"))
        for match in _LINK.finditer(text):
            link = match[1] or match[2]
            if re.match(r"[a-z]+:", link) is None and not _exists(page, link):
                found.append(f"{page}: {link}")
    return found


def _exists(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    if not target.exists():
        return False
    if not anchor or target.suffix != ".md":
        return True
    return anchor in {_slug(each) for each in _HEADING.findall(_FENCE.sub("", target.read_text(encoding="utf-8")))}


def _slug(heading: str) -> str:
    """The anchor of a heading, as MkDocs and Git hosts make it."""
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading.lower())).strip("-")


def fetched(site: Path) -> list[str]:
    """What the pages of a built site would fetch from the network."""
    return [
        f"{page.relative_to(site)}: {match[0]}"
        for page in sorted(site.rglob("*.html"))
        for match in _FETCHED.finditer(page.read_text(encoding="utf-8"))
    ]


def repository_pages() -> list[Path]:
    """The Markdown files that a reader finds in the repository."""
    return [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("examples/*.md"))]


def _refuse(what: str, found: list[str]) -> None:
    if found:
        sys.exit(f"{len(found)} {what}:\n" + "\n".join(found))


def main() -> None:
    """Write the pages, check their links, and build the site."""
    parser = argparse.ArgumentParser(description="Build the documentation.")
    parser.add_argument("--links", action="store_true", help="only check the links of the repository's pages")
    links_only = parser.parse_args().links
    _refuse("broken links", broken_links(repository_pages()))
    if links_only:
        return
    write_pages(OUT / "docs")
    _refuse("broken links", broken_links(sorted((OUT / "docs").rglob("*.md"))))
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--quiet",
        "--config-file",
        str(ROOT / "mkdocs.yml"),
    ]
    if subprocess.run(command).returncode != 0:
        sys.exit("MkDocs found fault with the pages; see above.")
    _refuse("things that pages would fetch from the network", fetched(OUT / "site"))
    print(f"{len(list((OUT / 'site').rglob('*.html')))} pages in {(OUT / 'site').relative_to(ROOT)}")


if __name__ == "__main__":
    main()
