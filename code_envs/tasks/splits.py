"""Who sees what: tests into reward and held-out, tasks into train, validation and test.

Both are deterministic and depend on nothing but the tests and the reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from code_envs.errors import TaskError

__all__ = ["HELD_OUT", "REWARD", "SUITE", "hold_out", "splits"]

SUITE, REWARD, HELD_OUT = "suite", "reward", "held_out"
PERIOD = 4


def hold_out(
    keys: Sequence[str], roles: Sequence[str], start_passes: Sequence[bool] | None = None
) -> tuple[list[int], list[int]]:
    """Divide tests into those that earn reward and those that only evaluation sees.

    The rule: among the distinct tests of the suite, number i is held out when i % 4 == 1, and the others
    earn reward. Tests of role "reward" (examples that the description shows anyway) join the reward tests,
    tests of role "held_out" the held-out ones; no test is in both. If nothing would be left on one side
    (a suite of one test), both sides are all tests of the suite. If there is a faulty program that fails
    held-out tests only, the smallest r for which i % 4 == (1 + r) % 4 makes it fail a reward test is used;
    if there is none, its failing tests move to the reward tests (and stay held out too, if they are all).

    Args:
        keys: Per test, a text that is equal for two tests that test the same.
        roles: Per test, "suite", "reward" or "held_out".
        start_passes: Per test, whether the faulty program passes it; None without a faulty program.

    Returns:
        Numbers of the reward tests and of the held-out tests, each in order.
    """
    shown = _distinct(keys, roles, REWARD, set())
    suite = _distinct(keys, roles, SUITE, {keys[index] for index in shown})
    hidden = _distinct(keys, roles, HELD_OUT, {keys[index] for index in [*shown, *suite]})
    distinct = [*shown, *suite, *hidden]
    fails = set() if start_passes is None else {index for index in distinct if not start_passes[index]}
    rotations = [_rotated(suite, shown, hidden, rotation) for rotation in range(PERIOD)]
    usable = [(reward, held_out) for reward, held_out in rotations if reward and held_out]
    if not usable:
        return sorted(distinct), sorted(distinct)
    for reward, held_out in usable:
        if not fails or fails.intersection(reward):
            return reward, held_out
    return _with_failing(*usable[0], fails)


def _distinct(keys: Sequence[str], roles: Sequence[str], role: str, known: set[str]) -> list[int]:
    seen, chosen = set(known), []
    for index, key in enumerate(keys):
        if roles[index] == role and key not in seen:
            seen.add(key)
            chosen.append(index)
    return chosen


def _rotated(suite: list[int], shown: list[int], hidden: list[int], rotation: int) -> tuple[list[int], list[int]]:
    residue = (1 + rotation) % PERIOD
    reward = [index for number, index in enumerate(suite) if number % PERIOD != residue]
    held_out = [index for number, index in enumerate(suite) if number % PERIOD == residue]
    return sorted([*shown, *reward]), sorted([*held_out, *hidden])


def _with_failing(reward: list[int], held_out: list[int], fails: set[int]) -> tuple[list[int], list[int]]:
    rest = [index for index in held_out if index not in fails]
    return sorted({*reward, *fails}), rest or held_out


def splits(behaviours: Mapping[str, str], tests: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Divide tasks into train (80 %), validation (10 %) and test (10 %) by behaviour.

    The digest of the reference up to names and layout decides, so the same problem is in the same split in
    every source that has it. Tasks of equal tests follow the one with the smallest digest.

    Args:
        behaviours: Digest of the reference, hexadecimal, by task id.
        tests: Digest of the tests by task id.
    """
    leader: dict[str, str] = {}
    for task_id, group in tests.items():
        leader[group] = min(leader.get(group, behaviours[task_id]), behaviours[task_id])
    names = ("train",) * 8 + ("validation", "test")
    members: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    for task_id, group in tests.items():
        members[names[int(leader[group][:8], 16) % len(names)]].append(task_id)
    if sum(map(len, members.values())) != len(behaviours):
        raise TaskError(f"{len(behaviours)} tasks have behaviours, but {len(tests)} have tests.")
    return {name: tuple(ids) for name, ids in members.items()}
