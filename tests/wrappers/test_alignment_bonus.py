"""The alignment bonus: its three forms, what they make optimal, and its gate."""

from __future__ import annotations

import functools
import json

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from code_envs.errors import ConfigurationError
from wrappers.alignment_bonus import AlignmentBonus

SLOTS, HORIZON = 6, 20
FILL, IDLE, SUBMIT = range(3)


class Slots(gymnasium.Env):
    """Six slots to fill; submitting ends the episode and pays 1 if all are filled. The time is in the state."""

    def __init__(self, measured=True):
        self.observation_space = gymnasium.spaces.Box(0, HORIZON, (2,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(3)
        self.measured = measured
        self.filled = self.time = 0
        self.fails = False

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.filled, self.time = (options or {}).get("state", (0, 0))
        return self._seen(), self._info()

    def step(self, action):
        self.time += 1
        if action == FILL:
            self.filled = min(self.filled + 1, SLOTS)
        elif action == IDLE:
            self.filled = max(self.filled - 1, 0)
        done = action == SUBMIT
        info = self._info() | ({"executor_error": "lost"} if self.fails else {})
        return self._seen(), float(done and self.filled == SLOTS), done, self.time >= HORIZON and not done, info

    def _seen(self):
        return np.array([self.filled, self.time], np.float32)

    def _info(self):
        facts = {"tests": float(self.filled == SLOTS)}
        return {"measurements": facts} if self.measured else {}


def filled(observation):
    return float(observation[0]) / SLOTS


def plan(form, gamma=1.0, **kwargs):
    """The best plan by exact dynamic programming on the rewards that the wrapper really pays."""
    env = AlignmentBonus(Slots(), filled, form=form, gamma=gamma, gate=False, **kwargs)

    @functools.cache
    def best(state):
        choices = []
        for action in (SUBMIT, FILL, IDLE):
            env.reset(options={"state": state})
            observation, reward, terminated, truncated, _ = env.step(action)
            after = (0.0, ()) if terminated or truncated else best(tuple(int(each) for each in observation))
            choices.append((reward + gamma * after[0], (action, *after[1])))
        return max(choices, key=lambda choice: round(choice[0], 9))

    return best((0, 0))[1]


@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_the_literal_form_stalls_and_the_others_submit(gamma):
    """The paper's sum makes the best plan go on to the horizon, the other forms submit as soon as all is filled."""
    submit = (FILL,) * SLOTS + (SUBMIT,)
    literal = plan("literal", gamma)
    assert len(literal) == HORIZON
    assert SUBMIT not in literal[:-1]
    if gamma < 1:
        assert plan("progress", gamma) == submit
        assert plan("potential", gamma) == submit
    else:  # without a discount waiting costs nothing, but it earns nothing either
        assert plan("progress") == submit
        assert plan("potential") == submit


def episode(env, actions):
    env.reset()
    return [env.step(action) for action in actions]


@pytest.mark.parametrize("form", ["progress", "potential"])
@pytest.mark.parametrize("gate", [True, False])
def test_sums_telescope(form, gate):
    """Discounted bonuses sum to gamma^T Phi(end) - Phi(start), and to - Phi(start) where the end has no potential."""
    env = AlignmentBonus(Slots(), lambda seen: 0.1 + filled(seen), form=form, gamma=0.9, gate=gate)
    for actions in ([FILL] * 3 + [SUBMIT], [FILL] * 6 + [IDLE, FILL, SUBMIT], [FILL, IDLE] * 10):
        steps = episode(env, actions)
        total = sum(0.9**number * step[4]["alignment_bonus"] for number, step in enumerate(steps))
        *_, terminated, _, info = steps[-1]
        solved = info["measurements"]["tests"] == 1
        end = 0.1 + 5 / 6 if gate and solved else info["alignment"]
        kept = 0.0 if form == "potential" and terminated else end
        assert total == pytest.approx(0.25 * (0.9 ** len(steps) * kept - 0.1))


def test_rewards_are_equation_7():
    """Weights 3 to 1; both parts stand apart in `info`."""
    env = AlignmentBonus(Slots(), filled, form="literal", gate=False)
    steps = episode(env, [FILL] * 6 + [SUBMIT])
    assert [step[1] for step in steps] == pytest.approx([0.25 * k / 6 for k in range(1, 7)] + [0.75 + 0.25])
    assert [step[4]["task_reward"] for step in steps] == [0] * 6 + [1]
    assert steps[0][4]["alignment"] == pytest.approx(1 / 6)
    assert env.task_weight / env.alignment_weight == 3


def test_the_gate_stops_the_bonus_where_all_tests_pass():
    """`literal` pays nothing there; in the other forms going in and out earns nothing."""
    literal = AlignmentBonus(Slots(), filled, form="literal")
    assert episode(literal, [FILL] * 6)[-1][1] == 0
    env = AlignmentBonus(Slots(), lambda seen: -filled(seen), gamma=1.0)
    steps = episode(env, [FILL] * 5 + [FILL, IDLE] * 5)
    assert sum(step[1] for step in steps[5:]) == pytest.approx(0)
    assert steps[5][1] == 0


def test_events_tell_the_gate_too():
    """Where there are no measurements the event `all_tests` does; without both, the error says what to do."""

    class Events(Slots):
        def _info(self):
            return {"events": {"all_tests"} if self.filled == SLOTS else set()}

    env = AlignmentBonus(Events(), filled, form="literal")
    assert [step[1] > 0 for step in episode(env, [FILL] * 6)] == [True] * 5 + [False]
    bare = AlignmentBonus(Slots(measured=False), filled)
    bare.reset()
    with pytest.raises(ConfigurationError, match="use gate=False"):
        bare.step(FILL)


def test_a_failure_of_the_sandbox_pays_no_bonus():
    """Nothing is known of that step."""
    env = AlignmentBonus(Slots(), filled)
    env.reset()
    env.unwrapped.fails = True
    assert env.step(FILL)[4]["alignment_bonus"] == 0


def test_another_similarity_in_the_middle_of_an_episode():
    """The step after the change is paid by the new similarity on both sides."""
    env = AlignmentBonus(Slots(), filled, gamma=1.0)
    env.reset()
    env.step(FILL)
    env.set_similarity(lambda seen: 10 * filled(seen))
    assert env.step(FILL)[4]["alignment_bonus"] == pytest.approx(0.25 * 10 / 6)
    silent = AlignmentBonus(Slots())
    assert episode(silent, [FILL] * 3)[-1][1] == 0


@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version")
def test_gymnasiums_checker_passes():
    """It is an environment as Gymnasium wants it."""
    check_env(AlignmentBonus(Slots(), filled), skip_render_check=True)


@pytest.mark.slow
def test_it_wraps_the_suites_environments(executor):
    """CodeRepair's observation has what a similarity needs; the arguments are in the spec, as JSON without one."""
    inner = gymnasium.make("CodeRepair-v0", executor=executor, max_candidates=64, max_executions=3)
    kwargs = AlignmentBonus(inner, form="potential").spec.additional_wrappers[-1].kwargs
    assert json.loads(json.dumps(kwargs)) == kwargs
    assert kwargs["form"] == "potential"
    env = AlignmentBonus(inner, lambda seen: float(np.count_nonzero(seen["code"])) / 256)
    observation, info = env.reset(seed=0)
    assert info["alignment"] > 0
    action = int(np.flatnonzero(observation["action_mask"])[-1])
    *_, info = env.step(action)
    assert {"task_reward", "alignment", "alignment_bonus"} <= set(info)


def test_bad_arguments():
    """Each says what was expected."""
    for arguments, message in (
        ({"form": "sum"}, "form must be one of"),
        ({"similarity": 3}, "must be a function"),
        ({"gamma": 0.0}, "gamma must be in"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            AlignmentBonus(Slots(), **arguments)
    with pytest.raises(ConfigurationError, match="must be a finite number"):
        AlignmentBonus(Slots(), lambda _: float("nan")).reset()
