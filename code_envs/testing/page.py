"""Is an environment's page, the docstring of its class, complete and true?"""

from __future__ import annotations

import inspect
import re
from typing import Any

import gymnasium

__all__ = ["HEADINGS", "check_page", "measurements_documented", "sections"]

HEADINGS = (
    "Description",
    "Action Space",
    "Observation Space",
    "Starting State",
    "Rewards",
    "Episode End",
    "Information",
    "Arguments",
    "Registered Configurations",
    "Source and Licence",
    "Version History",
)
"""Headings of every page, in Gymnasium's order."""
GYMNASIUMS_OWN = {"self", "render_mode"}
"""Arguments that Gymnasium documents."""

_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_NAME = re.compile(r"`([^`\s]+?)`")


def sections(page: str) -> dict[str, str]:
    """The text below each heading, and that before the first as ""; in the order of the page."""
    parts = _HEADING.split(page)
    return {"": parts[0], **dict(zip((name.strip() for name in parts[1::2]), parts[2::2], strict=True))}


def _named(text: str) -> set[str]:
    """The names in backticks."""
    return set(_NAME.findall(text))


def check_page(env: gymnasium.Env[Any, Any]) -> None:
    """Check the page of an environment's class.

    Its first line is a sentence; its headings are `HEADINGS`, in that order; "Arguments" names each argument of the
    constructor, "Observation Space" each key of the observation; "Registered Configurations" has the id, and
    "Version History" its version.

    Args:
        env: The environment, wrapped or not.

    Raises:
        AssertionError: If something is missing; the message names it.
    """
    kind = type(env.unwrapped)
    page = inspect.getdoc(kind) if kind.__doc__ else None
    if not page:
        raise AssertionError(f"Expected a docstring of {kind.__name__}; it is the environment's page.")
    first = page.partition("\n")[0]
    if not first.endswith("."):
        raise AssertionError(f"Expected the first line of the page of {kind.__name__} to be a sentence, got {first!r}.")
    found = sections(page)
    headings = tuple(name for name in found if name)
    if headings != HEADINGS:
        missing = [name for name in HEADINGS if name not in found]
        surplus = [name for name in headings if name not in HEADINGS]
        order = "" if missing or surplus else f"; the order is {list(headings)}"
        raise AssertionError(
            f"Expected the headings {list(HEADINGS)} on the page of {kind.__name__}; missing {missing}, "
            f"surplus {surplus}{order}."
        )
    _require(kind, found, "Arguments", inspect.signature(kind.__init__).parameters.keys() - GYMNASIUMS_OWN)
    if isinstance(env.observation_space, gymnasium.spaces.Dict):
        _require(kind, found, "Observation Space", set(env.unwrapped.observation_space))  # type: ignore[call-overload]
    _check_versions(env, found)


def _require(kind: type, found: dict[str, str], heading: str, names: set[str]) -> None:
    missing = sorted(names - _named(found[heading]))
    if missing:
        raise AssertionError(f"Expected '{heading}' on the page of {kind.__name__} to name {missing}, in backticks.")


def _check_versions(env: gymnasium.Env[Any, Any], found: dict[str, str]) -> None:
    spec = env.spec
    if spec is None:
        return
    if spec.id not in _named(found["Registered Configurations"]):
        raise AssertionError(f"Expected 'Registered Configurations' to name `{spec.id}`.")
    if f"* v{spec.version}:" not in found["Version History"]:
        raise AssertionError(f"Expected 'Version History' to have a line '* v{spec.version}: ...'.")


def measurements_documented(env: gymnasium.Env[Any, Any]) -> set[str]:
    """The names in backticks below "Information": what a page may call a measurement."""
    return _named(sections(inspect.getdoc(type(env.unwrapped)) or "").get("Information", ""))
