"""PPO with component rewards against SB3's PPO and against sums done by hand."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import stable_baselines3
import torch
from component_toys import COMPONENTS, STEPS, WIDTH, Choose, Watched, environments
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import ActorCriticCnnPolicy
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import DummyVecEnv
from test_policies import PickTheMark

from agents.component_policies import component_policy
from agents.policies import FusionPolicy
from agents.ppo import PPO
from agents.vec_env import VectorEnvAdapter
from reward_machines.dterm import DTERM
from reward_machines.gradnorm import GradNorm
from reward_machines.weighting import Fixed, OuterOnly, Uniform
from wrappers.measured import Measured
from wrappers.weighted_reward import WeightedReward

SMALL = {"n_steps": 32, "batch_size": 32, "n_epochs": 2, "seed": 0, "device": "cpu"}


def trained(env, reward, policy="MlpPolicy", steps=192, **kwargs):
    return PPO(policy, env, reward, **(SMALL | kwargs)).learn(steps)


def parameters(model):
    return [each.detach().numpy().copy() for each in model.policy.parameters()]


@pytest.mark.parametrize(("spaces", "policy"), [("box", "MlpPolicy"), ("dict", "MultiInputPolicy")])
def test_without_a_weighting_it_is_sb3s_ppo(spaces, policy):
    """Same seed, the same parameters to the last bit."""
    ours = trained(environments(spaces=spaces), None, policy)
    theirs = stable_baselines3.PPO(policy, environments(spaces=spaces), **SMALL).learn(192)
    for one, other in zip(parameters(ours), parameters(theirs), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("ending", ["terminated", "truncated"])
def test_one_component_and_no_outer_share_is_sb3s_ppo(ending):
    """K = 1, w_o = 0: the same actor and critic, once the second head is silent.

    The head of the outer metric shares features and the clipping of gradients, so it starts at 0 and here no outer
    reward is paid; the mean of two heads' losses halves each, so `vf_coef` is doubled; nothing is normalised.
    """
    plain = {"learning_rate": 1e-3}
    theirs = stable_baselines3.PPO("MlpPolicy", environments(components=1, ending=ending), **SMALL, **plain)
    env = environments(components=1, ending=ending, outer=0.0)
    table = Fixed(["tests"], {"tests": 1.0}, outer_share=0.0)
    ours = PPO(
        "MlpPolicy", env, table, value_heads="linear", normalize_values=False, vf_coef=1.0, **SMALL, **plain
    )  # fmt: skip
    state = theirs.policy.state_dict()
    readout = ours.policy.heads.readout
    with torch.no_grad():
        readout.weight.zero_()
        readout.bias.zero_()
        readout.weight[0], readout.bias[0] = state.pop("value_net.weight")[0], state.pop("value_net.bias")[0]
    ours.policy.load_state_dict(state, strict=False)
    for model in (theirs, ours):
        set_random_seed(1)
        model.learn(256)
    state = theirs.policy.state_dict()
    mine = ours.policy.state_dict()
    assert not np.allclose(state["value_net.weight"], np.zeros_like(state["value_net.weight"]))
    np.testing.assert_allclose(mine["heads.readout.weight"][0], state.pop("value_net.weight")[0], atol=1e-6)
    np.testing.assert_allclose(mine["heads.readout.bias"][0], state.pop("value_net.bias")[0], atol=1e-6)
    for name, value in state.items():
        np.testing.assert_allclose(mine[name], value, atol=1e-6, err_msg=name)


class Stash(BaseCallback):
    """Keeps a copy of the last rollout before its arrays are flattened."""

    def _on_step(self):
        return True

    def _on_rollout_end(self):
        buffer = self.model.rollout_buffer
        names = ("rewards", "values", "advantages")
        self.component = {name: getattr(buffer, f"component_{name}").copy() for name in names}
        self.starts, self.advantages = buffer.episode_starts.copy(), buffer.advantages.copy()
        self.infos, self.dones = self.locals["infos"], self.locals["dones"]


def one_rollout(ending, reward=None, **kwargs):
    model = PPO("MlpPolicy", environments(ending=ending), reward or Watched(), **(SMALL | kwargs))
    stash = Stash()
    model.learn(64, stash)
    return model, stash


@pytest.mark.parametrize(("ending", "component", "outer"), [
    ("terminated", False, False), ("truncated", True, False), ("broken", True, True), ("limit", True, True),
])  # fmt: skip
def test_a_truncation_is_bootstrapped_by_component(ending, component, outer):
    """Every fourth reward gains gamma V(terminal observation), but the outer one only where it was not paid."""
    model, stash = one_rollout(ending, n_steps=STEPS, batch_size=8, learning_rate=0.0, gamma=0.9)
    for number, info in enumerate(stash.infos):
        with torch.no_grad():
            features = model.policy.value_features(torch.as_tensor(info["terminal_observation"])[None])
            embedding = torch.as_tensor(info["task_embedding"])[None]
            values = model.policy.component_values(features, embedding)[0].numpy()
        assert np.abs(values).min() > 1e-3  # else the test would see nothing
        expected = [*info["vector_reward"], info["outer_reward"]] + 0.9 * values * [component, component, outer]
        np.testing.assert_allclose(stash.component["rewards"][-1, number], expected, atol=1e-6)


def test_families_and_tasks_reach_the_weighting():
    """Episodes are observed with their undiscounted sums, once each."""
    reward = Watched()
    model = trained(environments(), reward)
    assert len(reward.episodes) == 192 // STEPS
    assert reward.updates == 3
    assert {(family, task) for family, task, _, _ in reward.episodes} == {("Choose", "0"), ("Choose", "1")}
    for _, _, returns, outer in reward.episodes:
        assert returns[0] == pytest.approx(outer)
    assert [record.timesteps for record in model.history.records] == [64, 128, 192]


def test_an_episode_is_not_observed_twice():
    """Where the environments hold the weighting, they observe; episodes of a failed sandbox nobody observes."""
    reward = Watched()
    trained(environments(weighting=reward), reward)
    assert len(reward.episodes) == 192 // STEPS
    broken = Watched()
    trained(environments(ending="broken"), broken)
    assert broken.episodes == []


def test_the_policy_learns_from_the_weights_after_the_update():
    """The rollout was collected under the first weights; its advantages are composed under the next."""

    class Turning(Watched):
        def update(self):
            self.table = {"tests": 0.0, "style": 1.0}
            return super().update()

    model = trained(environments(), Turning(table={"tests": 1.0, "style": 0.0}, outer_share=0.0), steps=64)
    buffer = model.rollout_buffer
    np.testing.assert_allclose(buffer.advantages.ravel(), buffer.component_advantages[:, 1], atol=1e-7)
    assert not np.allclose(buffer.component_advantages[:, 0], buffer.component_advantages[:, 1])


def test_it_learns_what_is_weighted():
    """All weight on `tests`: right choices; all on `style`: choice 0."""
    shares = {}
    for name in COMPONENTS:
        other = {each: float(each == name) for each in COMPONENTS}
        settings = {"n_epochs": 8, "learning_rate": 1e-2, "batch_size": 64}
        model = trained(environments(count=8), Fixed(COMPONENTS, other, 0.0), steps=2048, **settings)
        last = model.history.records[-1]
        shares[name] = last.returns["Choose"]
    assert shares["tests"][0] > 0.75
    assert shares["style"][1] > 0.9


@pytest.mark.parametrize("heads", ["film", "concat", "linear"])
@pytest.mark.parametrize(("spaces", "policy"), [("box", "MlpPolicy"), ("dict", "MultiInputPolicy")])
def test_every_head_learns(heads, spaces, policy):
    """All value heads train with both kinds of observation, and their error falls."""
    model = PPO(policy, environments(spaces=spaces), Uniform(COMPONENTS), value_heads=heads, **SMALL)
    before = parameters(model)
    model.learn(192)
    assert all(np.isfinite(each).all() for each in parameters(model))
    moved = [not np.array_equal(one, other) for one, other in zip(before, parameters(model), strict=True)]
    named = [name for (name, _), each in zip(model.policy.named_parameters(), moved, strict=True) if each]
    assert any(name.startswith("heads.") for name in named)


@pytest.mark.parametrize("normalize", [True, False])
def test_heads_errors_are_brought_to_one_scale(normalize):
    """Each head's squared error is divided by the variance of its returns plus 0.01, then averaged."""
    settings = {"batch_size": 64, "n_epochs": 1, "learning_rate": 0.0, "normalize_values": normalize}
    model = trained(environments(), Uniform(COMPONENTS), steps=64, **settings)
    logged = model.logger.name_to_value
    errors = np.array([logged[f"train/value_loss/{name}"] for name in (*COMPONENTS, "outer")])
    returns = model.rollout_buffer.component_returns
    scale = returns.var(0) + 0.01 if normalize else np.ones(3)
    if normalize:
        np.testing.assert_allclose(model.policy.value_scale().numpy(), scale, rtol=1e-4)
    # the normalised advantages have mean 0, so that the policy's loss is 0 where the ratio is 1
    assert logged["train/loss"] == pytest.approx(0.5 * (errors / scale).mean(), abs=1e-5)


@pytest.mark.parametrize("reward", [
    DTERM(COMPONENTS, WIDTH, warm_up=8),
    DTERM(COMPONENTS, WIDTH, objective="meta_gradient"),
    DTERM(COMPONENTS, WIDTH, objective="meta_gradient", outer_share=0.0),
    GradNorm(COMPONENTS),
    OuterOnly(COMPONENTS),
], ids=["dterm", "meta", "meta0", "gradnorm", "outer"])  # fmt: skip
def test_every_weighting_trains(reward):
    """Weightings that learn are updated each rollout, and their weights move."""
    embedding = np.eye(WIDTH, dtype=np.float32)[:1]
    before = reward.weights(embedding, ["Choose"])
    model = trained(environments(), reward)
    learns = not isinstance(reward, OuterOnly)
    assert ("meta_loss" in model.history.records[-1].figures) == learns
    assert np.abs(reward.weights(embedding, ["Choose"]) - before).max() > 1e-5 or not learns


def test_the_same_seed_gives_the_same_policy_and_weights():
    """Two trainings with DTERM end the same."""
    runs = [trained(environments(), DTERM(COMPONENTS, WIDTH, warm_up=8)) for _ in range(2)]
    for one, other in zip(*map(parameters, runs), strict=True):
        np.testing.assert_array_equal(one, other)
    assert runs[0].history == runs[1].history


def test_save_and_load_keep_heads_and_weighting(tmp_path):
    """A loaded model predicts the same returns, weighs the same, and goes on the same."""
    reward = DTERM(COMPONENTS, WIDTH, warm_up=8)
    model = trained(environments(), reward)
    model.save(tmp_path / "model.zip")
    loaded = PPO.load(tmp_path / "model.zip", env=environments(seed=5), device="cpu")
    embedding = np.eye(WIDTH, dtype=np.float32)
    np.testing.assert_array_equal(loaded.reward.weights(embedding, ["x"] * 3), reward.weights(embedding, ["x"] * 3))
    for name, value in model.policy.state_dict().items():
        np.testing.assert_array_equal(loaded.policy.state_dict()[name], value, err_msg=name)
    assert "heads.readout.weight" in loaded.policy.state_dict()
    assert loaded.history == model.history
    model.set_env(environments(seed=5))
    for each in (model, loaded):
        each._last_obs = None
        each.set_random_seed(3)
        each.learn(128, reset_num_timesteps=False)
    assert loaded.history == model.history
    for one, other in zip(parameters(model), parameters(loaded), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_policy_is_saved_alone(tmp_path):
    """The policy's own file keeps the heads."""
    model = trained(environments(), Uniform(COMPONENTS))
    model.policy.save(tmp_path / "policy.pth")
    loaded = type(model.policy).load(tmp_path / "policy.pth", device="cpu")
    features, embedding = torch.ones(2, 64), torch.ones(2, WIDTH)
    assert torch.equal(loaded.component_values(features, embedding), model.policy.component_values(features, embedding))


def test_a_native_vector_environment_gives_the_same():
    """Through `VectorEnvAdapter`, whose infos are laid out otherwise, the same policy and history."""
    made = [lambda: Choose(ending="truncated")] * 2
    native = SyncVectorEnv(made, autoreset_mode=AutoresetMode.SAME_STEP)
    ours = trained(VectorEnvAdapter(native), DTERM(COMPONENTS, WIDTH, warm_up=8))
    theirs = trained(environments(ending="truncated"), DTERM(COMPONENTS, WIDTH, warm_up=8))
    assert ours.history == theirs.history
    for one, other in zip(parameters(ours), parameters(theirs), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_it_works_in_code_repair(executor):
    """The real wrapper, components and policy: what it pays and what is learned from are one."""
    names = ["compile", "tests", "style"]
    reward = DTERM(names, 1, warm_up=2)
    settings = {"executor": executor, "max_executions": 2, "max_candidates": 64, "code_tokens": 64}
    seen = []

    def make():
        inner = Measured(gymnasium.make("CodeRepair-v0", **settings))
        return gymnasium.wrappers.TransformReward(WeightedReward(inner, reward, names), lambda paid: paid)

    class Watch(BaseCallback):
        def _on_step(self):
            seen.extend(zip(self.locals["rewards"], self.locals["infos"], strict=True))
            return True

    widths = {"features_extractor_kwargs": {"width": 16, "hidden": 32, "code_layers": 1}}
    model = PPO(
        FusionPolicy, DummyVecEnv([make]), reward, policy_kwargs=widths, **(SMALL | {"n_steps": 12, "batch_size": 12})
    )
    model.learn(24, Watch())
    for paid, info in seen:
        inner = info["weights"] @ info["vector_reward"]
        assert paid == pytest.approx(0.3 * info["outer_reward"] + 0.7 * inner, abs=1e-6)
    assert model.history.families == ["CodeRepair"]
    assert model.history.records[-1].figures["episodes"] == sum("held_out" in info for _, info in seen) > 1


def test_images_and_unknown_policies():
    """`CnnPolicy` has its component form; for another policy the error says what to write."""
    space = gymnasium.spaces.Box(0, 255, (3, 36, 36), np.uint8)
    made = component_policy(ActorCriticCnnPolicy)
    policy = made(space, gymnasium.spaces.Discrete(2), lambda _: 1e-3, heads=3, embedding_width=WIDTH)
    _, features, _ = policy(torch.zeros(4, 3, 36, 36, dtype=torch.uint8))
    assert policy.component_values(features, torch.zeros(4, WIDTH)).shape == (4, 3)
    assert component_policy(made) is made

    class Mine(ActorCriticCnnPolicy):
        pass

    with pytest.raises(ValueError, match=r"class ComponentMine\(ComponentValues, Mine\)"):
        component_policy(Mine)


class MarkedComponents(gymnasium.Wrapper):
    """PickTheMark with component rewards."""

    embedding = type("Embedding", (), {"width": WIDTH})()

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        info |= {"vector_reward": np.array([reward, 0.5], np.float32), "outer_reward": reward, "family": "Pick"}
        info |= {"task_embedding": np.zeros(WIDTH, np.float32), "task_id": "0", "held_out": 1.0, "is_success": True}
        return observation, reward, terminated, truncated, info


@pytest.mark.parametrize("reward", [GradNorm(COMPONENTS), DTERM(COMPONENTS, WIDTH, objective="meta_gradient")])
def test_fusion_policy_never_takes_an_invalid_action(reward):
    """The pointer policy trains by component; the environment asserts that actions are valid."""
    widths = {"features_extractor_kwargs": {"width": 16, "hidden": 32, "code_layers": 1}}
    env = DummyVecEnv([lambda: MarkedComponents(PickTheMark())] * 2)
    model = trained(env, reward, FusionPolicy, steps=64, policy_kwargs=widths)
    assert model.policy.last_shared_layer() is model.policy.mlp_extractor.score[-1].weight
    assert model.policy_class.__name__ == "ComponentFusionPolicy"


def test_continuous_actions():
    """Actions of a Box are clipped for the environment and stored as sampled."""

    class Continuous(Choose):
        def __init__(self):
            super().__init__()
            self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)

        def step(self, action):
            assert self.action_space.contains(action)
            return super().step(0)

    model = trained(DummyVecEnv([Continuous]), Uniform(COMPONENTS), use_sde=True, sde_sample_freq=4, clip_range_vf=0.2)
    assert np.isfinite(model.policy.log_std.detach().numpy()).all()


def test_bad_arguments_say_what_to_do():
    """Each mistake has an error with the next step."""
    with pytest.raises(ValueError, match="learning_rate="):
        PPO("MlpPolicy", environments(), 3e-4)
    with pytest.raises(ValueError, match="rollout buffer is ours"):
        PPO("MlpPolicy", environments(), Uniform(COMPONENTS), rollout_buffer_kwargs={"x": 1})
    with pytest.raises(ValueError, match="value_heads is one of"):
        PPO("MlpPolicy", environments(), Uniform(COMPONENTS), value_heads="deep")
    with pytest.raises(ValueError, match="has 2 components, but info"):
        trained(environments(components=1), Uniform(COMPONENTS))
    plain = DummyVecEnv([lambda: gymnasium.make("CartPole-v1")])
    with pytest.raises(ValueError, match="give embedding_width"):
        PPO("MlpPolicy", plain, Uniform(COMPONENTS))
    with pytest.raises(ValueError, match=r"Wrap the environment in wrappers\.WeightedReward"):
        PPO("MlpPolicy", plain, Uniform(COMPONENTS), value_heads="linear", **SMALL).learn(8)
    model = PPO("MlpPolicy", environments(), Uniform(COMPONENTS), **SMALL)
    with pytest.raises(TypeError, match="component_values"):
        model.policy.predict_values(torch.zeros(1, 3))
