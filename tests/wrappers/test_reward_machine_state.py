"""The machine around an environment: what is seen, paid, ended and recorded."""

from __future__ import annotations

import copy
import inspect
import sys

import gymnasium
import numpy as np
import pytest
import sb3_contrib
import stable_baselines3
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_sb3

from agents.policies import FusionPolicy, MaskableFusionPolicy
from code_envs.errors import ConfigurationError
from code_envs.registration import ENVIRONMENTS
from reward_machines.errors import MachineError
from reward_machines.text_formats import dumps, load
from wrappers.compatibility import ALGORITHMS, suited
from wrappers.latent_action import LatentAction
from wrappers.reward_machine_state import TASK_MACHINES, RewardMachineState

SMALL = {
    "max_candidates": 256, "pool_size": 8, "code_tokens": 64, "function_tokens": 16,
    "max_executions": 3, "max_steps": 6, "max_picks": 6,
}  # fmt: skip
TERMINAL = "states start once twice\ninitial start\nterminal twice\nstart -> once when x\nonce -> twice when x\n"
VECTOR = """\
states start some done
initial start
terminal done
components tests style
start -> some when edited & !all_tests reward tests=0.25 style=0.5
some -> done when edited reward tests=1
"""


def make(environment, executor, **kwargs):
    """A small instance of an id."""
    module, _, name = ENVIRONMENTS[environment]["entry_point"].partition(":")
    __import__(module)
    known = inspect.signature(getattr(sys.modules[module], name)).parameters
    chosen = {key: SMALL[key] for key in SMALL if key in known}
    return gymnasium.make(environment, executor=executor, **chosen | kwargs)


def edit(env):
    """The first valid edit."""
    return int(np.flatnonzero(env.unwrapped.action_masks())[1:][-1])


def episode(env, seed=0):
    """The transitions of an episode of random valid actions."""
    rng = np.random.default_rng(seed)
    found = [env.reset(seed=seed)]
    over = False
    while not over:
        mask = env.unwrapped.action_masks()
        found.append(env.step(int(rng.choice(np.flatnonzero(mask)))))
        over = found[-1][2] or found[-1][3]
    return found


class Scripted(gymnasium.Wrapper):
    """Any environment, whose steps report the given events and endings."""

    def __init__(self, env, script):
        super().__init__(env)
        self.script = list(script)

    def step(self, action):
        observation, reward, _, _, info = self.env.step(action)
        events, terminated, truncated, more = self.script.pop(0)
        return observation, reward, terminated, truncated, {**info, "events": frozenset(events), **more}


@pytest.mark.parametrize("environment", TASK_MACHINES)
def test_each_machine_follows_real_episodes(environment, executor):
    """The machine of an environment moves as its events say, in real episodes, and leaves its initial state."""
    env = RewardMachineState(make(environment, executor), TASK_MACHINES[environment])
    machine = env.machine
    reached = set()
    for seed in range(3):
        (observation, info), *steps = episode(env, seed)
        state = machine.initial
        assert (info["rm_state"], info["rm_reward"]) == (state, 0.0)
        for observation, reward, terminated, truncated, info in steps:
            moved = machine.step(state, info["events"])
            state = moved.state
            assert info["rm_state"] == state
            assert machine.states[int(observation["rm_state"].argmax())] == state
            assert reward == pytest.approx(moved.reward)
            assert terminated == (moved.terminal or info["original_terminated"])
            assert not (terminated and truncated)
            reached.add(state)
        assert env.observation_space.contains(observation)
    assert reached - {machine.initial}


def test_a_repair_climbs_to_done(executor):
    """With the known way back, the machine of repair ends in `done` and pays 1."""
    env = RewardMachineState(make("CodeRepair-v0", executor, expert=True), "repair")
    _, info = env.reset(seed=3)
    over, paid = False, 0.0
    while not over:
        _, reward, terminated, truncated, info = env.step(info["expert_action"])
        paid += reward
        over = terminated or truncated
    assert (info["rm_state"], paid, info["is_success"]) == ("done", 1.0, True)
    assert info["original_reward"] > 1
    assert info["original_vector_reward"].shape == (3,)


@pytest.mark.parametrize("kwargs", [{}, {"shaping": True, "reward": "add"}, {"shaping": "rank", "gamma": 0.9}])
@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version")
def test_checkers_pass(executor, kwargs):
    """Gymnasium's and SB3's; the rewards lie in their box and sum to the reward."""
    env = RewardMachineState(make("CodeRepair-v0", executor), "repair", **kwargs)
    check_env(env, skip_render_check=True)
    check_sb3(env, warn=False)
    for _, reward, _, _, info in episode(env)[1:]:
        assert env.reward_space.contains(info["vector_reward"])
        assert reward == pytest.approx(info["vector_reward"].sum())


def test_the_specification_survives_json(executor, tmp_path):
    """By name, file and text: the spec written as JSON makes the same environment with the same machine."""
    path = tmp_path / "mine.rm"
    path.write_text(VECTOR)
    for machine in ("repair", str(path), VECTOR, dumps(load("repair")), load("repair")):
        env = RewardMachineState(
            gymnasium.make("CodeRepair-v0", max_candidates=64), machine, shaping="rank", gamma=0.9, reward="add"
        )
        twin = gymnasium.make(EnvSpec.from_json(env.spec.to_json()))
        assert isinstance(twin, RewardMachineState)
        assert twin.machine == env.machine
        assert (twin.shaped, twin.reward_terms) == (env.shaped, env.reward_terms)
        assert twin.observation_space == env.observation_space


def test_vectors(executor):
    """Components, the environment's reward and the shaping stand side by side and sum to the reward."""
    env = RewardMachineState(make("CodeRepair-v0", executor), VECTOR, shaping="rank", gamma=0.5, reward="add")
    assert env.reward_terms == ("tests", "style", "environment", "shaping")
    _, info = env.reset(seed=0)
    assert info["vector_reward"].tolist() == [0.0] * 4
    _, reward, _, _, info = env.step(edit(env))
    assert info["vector_reward"] == pytest.approx([0.25, 0.5, info["original_reward"], 0.5 / 2])
    assert reward == pytest.approx(info["vector_reward"].sum())
    assert info["rm_reward"] == pytest.approx(1.0)
    assert env.reward_space.shape == (4,)
    plain = RewardMachineState(make("CodeRepair-v0", executor), VECTOR)
    assert plain.reward_space.high.tolist() == [1.0, 0.5]
    plain.reset(seed=0)
    *_, info = plain.step(edit(plain))
    assert info["vector_reward"].tolist() == [0.25, 0.5]


def test_a_terminal_machine_ends_the_episode(executor):
    """`terminated`, though the environment would go on; a further step needs a reset."""
    env = RewardMachineState(make("CodeRepair-v0", executor), VECTOR)
    env.reset(seed=0)
    *_, terminated, truncated, _ = env.step(edit(env))
    assert not terminated
    assert not truncated
    *_, terminated, truncated, info = env.step(edit(env))
    assert terminated
    assert not truncated
    assert (info["rm_state"], info["original_terminated"], info["original_truncated"]) == ("done", False, False)
    with pytest.raises(ConfigurationError, match=r"call reset\(\)"):
        env.step(0)
    assert env.reset(seed=0)[1]["rm_state"] == "start"


def test_endings_and_shaping(executor):
    """Termination takes the potential away, truncation keeps it, a failed sandbox moves nothing."""
    runs, some = {"parses", "runs"}, {"parses", "runs", "some_tests"}
    cases = [
        ((some, True, False, {}), "some", -0.5),
        ((some, False, True, {}), "some", 0.9 * 0.75 - 0.5),
        ((set(), False, True, {"executor_error": "lost"}), "runs", 0.9 * 0.5 - 0.5),
        ((some, False, True, {"executor_error": "held-out tests"}), "some", 0.9 * 0.75 - 0.5),
        ((some | {"all_tests"}, True, False, {}), "done", 1 - 0.5),
    ]
    inner = make("CodeRepair-v0", executor)
    for last, state, expected in cases:
        env = RewardMachineState(Scripted(inner, [(runs, False, False, {}), last]), "repair", shaping="rank", gamma=0.9)
        env.reset(seed=0)
        assert env.step(edit(env))[1] == pytest.approx(0.9 * 0.5)
        _, reward, terminated, truncated, info = env.step(edit(env))
        assert (info["rm_state"], reward) == (state, pytest.approx(expected))
        assert (terminated, truncated) == (last[1], last[2])


def test_what_does_not_fit_is_explained(executor):
    """Wrong arguments, unknown events, environments without events, two machines."""
    env = make("CodeRepair-v0", executor)
    with pytest.raises(ConfigurationError, match="reward must be one of"):
        RewardMachineState(env, "repair", reward="both")
    with pytest.raises(MachineError, match=r"line 4: The event 'x' .* unknown"):
        RewardMachineState(env, TERMINAL)
    with pytest.raises(MachineError, match="method must be one of"):
        RewardMachineState(env, "repair", shaping="vi")
    with pytest.raises(ConfigurationError, match="has the key 'rm_state' already"):
        RewardMachineState(RewardMachineState(env, "repair"), "repair")
    with pytest.raises(ConfigurationError, match=r"call reset\(\)"):
        RewardMachineState(env, "repair").step(0)
    other = RewardMachineState(gymnasium.make("CartPole-v1"), "repair")
    assert other.reset(seed=0)[0]["obs"].shape == (4,)
    with pytest.raises(ConfigurationError, match="needs info"):
        other.step(0)


# algorithms -----------------------------------------------------------------------------------------

NET = {"net_arch": [16]}
ROLLOUT = {"n_steps": 8, "batch_size": 8, "policy_kwargs": NET}
REPLAY = {"buffer_size": 64, "learning_starts": 4, "batch_size": 4, "train_freq": 2, "policy_kwargs": NET}
SETTINGS = {
    "PPO": ROLLOUT | {"n_epochs": 1},
    "A2C": {"n_steps": 4, "policy_kwargs": NET},
    "TRPO": ROLLOUT,
    "MaskablePPO": ROLLOUT | {"n_epochs": 1},
    "RecurrentPPO": ROLLOUT | {"n_epochs": 1, "policy_kwargs": NET | {"lstm_hidden_size": 16}},
    "DQN": REPLAY,
    "QRDQN": REPLAY,
    "SAC": REPLAY,
    "TD3": REPLAY,
    "DDPG": REPLAY,
    "TQC": REPLAY,
    "CrossQ": REPLAY,
    "ARS": {"n_delta": 1, "policy_kwargs": NET},
}


QUICK = ("PPO", "A2C", "MaskablePPO", "DQN", "SAC", "TD3")


@pytest.mark.parametrize(
    "algorithm", [each if each in QUICK else pytest.param(each, marks=pytest.mark.slow) for each in ALGORITHMS]
)
def test_every_algorithm_trains(algorithm, executor):
    """All 13, around what `suited` gives; those for points get a flat observation and the state."""
    kind = getattr(stable_baselines3, algorithm, None) or getattr(sb3_contrib, algorithm)
    policy, inner = suited(kind, make("CodeRepair-v0", executor))
    env = RewardMachineState(inner, "repair", shaping=True)
    if algorithm in ("ARS", "CrossQ"):
        env = gymnasium.wrappers.FlattenObservation(env)
    elif policy == "MlpPolicy":
        policy = "MultiInputPolicy"
    model = kind(policy, env, seed=0, device="cpu", **copy.deepcopy(SETTINGS[algorithm]))
    model.learn(16)
    assert model.num_timesteps >= 16


@pytest.mark.parametrize(
    ("kind", "policy"), [(stable_baselines3.PPO, FusionPolicy), (sb3_contrib.MaskablePPO, MaskableFusionPolicy)]
)
def test_pointer_policies_train(kind, policy, executor):
    """Our policies leave the key of the state alone."""
    env = RewardMachineState(make("CodeRepair-v0", executor), "repair", shaping=True)
    model = kind(policy, env, seed=0, device="cpu", n_steps=8, batch_size=8, n_epochs=1)
    model.learn(16)
    assert model.num_timesteps == 16


def test_continuous_actions_inside(executor):
    """LatentAction goes inside, and the recorded action stays in `info`."""
    env = RewardMachineState(LatentAction(make("CodeRepair-v0", executor)), "repair")
    env.reset(seed=0)
    *_, info = env.step(np.zeros(8, np.float32))
    assert info["action"] >= 0
