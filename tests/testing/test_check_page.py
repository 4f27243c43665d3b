"""`check_page` passes a complete page and names what is missing on each incomplete one."""

from __future__ import annotations

import inspect

import gymnasium
import pytest

from code_envs.envs.repair import CodeRepairEnv
from code_envs.testing import check_env
from code_envs.testing.page import HEADINGS, check_page, measurements_documented, sections

PAGE = inspect.getdoc(CodeRepairEnv)

SPOILT = {
    "no page": ("", "Expected a docstring of Spoilt"),
    "no sentence": (PAGE.replace("until its tests pass.", "until its tests pass", 1), "to be a sentence"),
    "heading gone": (PAGE.replace("## Starting State", "Starting State"), "missing ['Starting State'], surplus []"),
    "heading too many": (PAGE.replace("## Rewards", "## Notes\n## Rewards"), "missing [], surplus ['Notes']"),
    "other order": (
        PAGE.replace("## Rewards", "## X").replace("## Episode End", "## Rewards").replace("## X", "## Episode End"),
        "the order is ['Description'",
    ),
    "argument gone": (
        PAGE.replace("| `expert` |", "| expert |"),
        "'Arguments' on the page of Spoilt to name ['expert']",
    ),
    "key gone": (PAGE.replace("| `action_mask` |", "| action_mask |"), "to name ['action_mask']"),
}


def spoilt(page, tiny, executor):
    """An environment with another page."""

    class Spoilt(CodeRepairEnv):
        pass

    Spoilt.__doc__ = page
    return Spoilt(tasks=tiny, executor=executor, max_candidates=64)


@pytest.mark.parametrize("name", SPOILT)
def test_each_gap_is_named(name, tiny, executor):
    """A page with a gap is found, and the message says which."""
    page, message = SPOILT[name]
    with pytest.raises(AssertionError) as error:
        check_page(spoilt(page, tiny, executor))
    assert message in str(error.value)


def test_a_complete_page_passes(env):
    """CodeRepair's page is complete; the sections come in order."""
    check_page(env)
    assert tuple(sections(PAGE))[1:] == HEADINGS
    assert measurements_documented(env) >= {"tests", "errors", "edits", "executions", "size"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [("`CodeRepair-v0`: the", "CodeRepair: the", "name `CodeRepair-v0`"), ("* v0:", "* v1:", "'* v0: ...'")],
)
def test_id_and_version_are_on_the_page(old, new, message, executor, monkeypatch):
    """The page of a registered id names the id, and the version in its history."""
    made = gymnasium.make("CodeRepair-v0", executor=executor, max_candidates=64)
    check_page(made)
    monkeypatch.setattr(CodeRepairEnv, "__doc__", PAGE.replace(old, new))
    with pytest.raises(AssertionError, match=message.replace("*", r"\*")):
        check_page(made)


def test_an_undocumented_measurement_is_found(tiny, executor):
    """A measurement that the page does not name fails `check_env`."""
    page = PAGE.replace("`size`", "size")
    with pytest.raises(AssertionError, match=r"measurements \['size'\] to be named"):
        check_env(spoilt(page, tiny, executor))
