"""DCRL as a callback: what it trains, when, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from alignment_toys import SIZES, FillIn, solved_pairs
from sb3_contrib import MaskablePPO
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import DummyVecEnv

from agents.auxiliary import Experience
from agents.contrastive_callback import ContrastiveCallback
from agents.cross_modal_extractor import CrossModalFusionExtractor, CrossModalPointerExtractor
from agents.policies import FusionPolicy
from agents.ppo import PPO as OurPPO  # noqa: N811
from agents.schedule import MODES, ContrastiveSchedule
from agents.similarity import FrozenSimilarity
from wrappers.alignment_bonus import AlignmentBonus

KWARGS = {"features_extractor_class": CrossModalFusionExtractor, "features_extractor_kwargs": SIZES}


class Memory(Logger):
    """Keeps every figure."""

    def __init__(self):
        super().__init__(None, [])
        self.seen = {}

    def record(self, key, value, exclude=None):
        super().record(key, value, exclude)
        self.seen.setdefault(key, []).append(value)


def model(algorithm=PPO, seed=0, env=FillIn, policy="MultiInputPolicy", policy_kwargs=KWARGS, **kwargs):
    extra = {} if algorithm is A2C else {"batch_size": 32, "n_epochs": 2}
    vector = DummyVecEnv([env] * 4)
    made = algorithm(
        policy, vector, n_steps=16, seed=seed, device="cpu", policy_kwargs=policy_kwargs, **extra, **kwargs
    )
    made.set_logger(Memory())
    return made


def callback(mode="dcrl", **kwargs):
    return ContrastiveCallback(solved_pairs(), mode, **({"n_steps": 4, "k": 6, "learning_rate": 1e-2} | kwargs))


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_trains_and_logs(mode):
    """All figures are there and finite; buffers hold what was logged last."""
    made, used = model(), callback(mode)
    made.learn(4 * 64, callback=used)
    seen = made.logger.seen
    names = (
        "loss temperature margin return success alignment separation accuracy uniformity gate_mean gate_spread "
        "interference share_of_time hyper_share_of_time"
    )
    hyper = "hyper_temperature hyper_margin" if mode == "dcrl" else ""
    for name in f"{names} {hyper}".split():
        assert np.isfinite(seen[f"dcrl/{name}"]).all(), name
    assert ("dcrl/hyper_temperature" in seen) == (mode == "dcrl")
    assert used.steps == 16
    extractor = made.policy.features_extractor
    assert extractor.temperature.item() == pytest.approx(seen["dcrl/temperature"][-1])
    assert extractor.progress.tolist() == pytest.approx([seen["dcrl/return"][-1], seen["dcrl/success"][-1]])
    assert -1 < seen["dcrl/success"][-1] < 1
    assert -1 <= seen["dcrl/interference"][-1] <= 1


@pytest.mark.parametrize("algorithm", [A2C, MaskablePPO, OurPPO])
def test_other_on_policy_algorithms(algorithm):
    """The same callback under A2C, MaskablePPO and our PPO."""
    made, used = model(algorithm), callback()
    made.learn(3 * 64, callback=used)
    assert used.steps == 12
    assert "dcrl/hyper_temperature" in made.logger.seen


def test_pointer_policy():
    """FusionPolicy with DCRL's extractor, two extractors if they are not shared."""
    kwargs = {
        "features_extractor_class": CrossModalPointerExtractor,
        "features_extractor_kwargs": SIZES | {"hidden": 16},
    }
    made = model(policy=FusionPolicy, policy_kwargs=kwargs)
    made.learn(3 * 64, callback=callback())
    made, used = model(policy_kwargs=KWARGS | {"share_features_extractor": False}), callback()
    made.learn(3 * 64, callback=used)
    assert len(used.extractors) == 2
    assert {each.temperature.item() for each in used.extractors} == {made.logger.seen["dcrl/temperature"][-1]}


def test_ratios_begin_at_one():
    """The contrastive steps come before the rollout, and its buffers stay: probabilities are those of the update."""

    class Check(BaseCallback):
        worst = 0.0

        def _on_rollout_end(self):
            last = Experience.of(self.model, 64)
            logs = self.model.policy.get_distribution(last.observations).log_prob(last.actions)
            self.worst = max(self.worst, (logs - last.log_probs).abs().max().item())

        def _on_step(self):
            return True

    made, check = model(), Check()
    made.learn(4 * 64, callback=[callback("closed"), check])
    assert check.worst < 1e-5


def test_contrastive_steps_touch_only_the_encoder():
    """Before a rollout the policy's heads, the fusion and the gate stay, the encoders and projections move."""
    made, used = model(), callback("static")
    before = {key: value.clone() for key, value in made.policy.state_dict().items()}

    class Stop(BaseCallback):
        def _on_rollout_start(self):
            self.changed = {
                key for key, value in self.model.policy.state_dict().items() if not torch.equal(value, before[key])
            }

        def _on_step(self):
            return False

    stop = Stop()
    made.learn(64, callback=[used, stop])
    learned = ("code.", "code_in", "code_projection", "text.", "text_in", "text_projection")
    assert stop.changed
    assert all(key.split("features_extractor.")[1].startswith(learned) for key in stop.changed)
    assert all(each.grad is None for each in made.policy.parameters())


@pytest.mark.slow
def test_pairs_become_aligned():
    """After training, the texts are nearest to their solutions."""
    made, used = model(), callback("static", n_steps=25)
    made.learn(6 * 64, callback=used)
    assert made.logger.seen["dcrl/accuracy"][-1] == 1
    assert made.logger.seen["dcrl/separation"][-1] > 0.5


def test_dcrl_learns_its_coefficients_and_the_network():
    """The hypergradient moves alpha to delta and psi; fixed margins and other modes move nothing."""
    schedule = ContrastiveSchedule("dcrl")
    before = {key: value.clone() for key, value in schedule.state_dict().items()}
    model().learn(4 * 64, callback=callback(schedule))
    moved = {key for key, value in schedule.state_dict().items() if not torch.equal(value, before[key])}
    assert moved == {"coefficients", "psi.2.weight", "psi.2.bias", "psi.0.weight", "psi.0.bias", "residual", "state"}
    half = ContrastiveSchedule("dcrl", fixed=("margin",))
    model().learn(4 * 64, callback=callback(half))
    assert half.coefficients[2:].tolist() == pytest.approx([-2.2, -2.2])
    assert half.coefficients[0].item() != pytest.approx(2.2)


def test_both_methods_of_the_hypergradient_agree():
    """In a real policy, the central difference is what differentiating twice gives."""
    found = {}
    for method in ("central", "exact"):
        made = model()
        made.learn(3 * 64, callback=callback(method=method))
        seen = made.logger.seen
        found[method] = [*seen["dcrl/hyper_temperature"][:1], *seen["dcrl/hyper_margin"][:1]]
    assert found["central"] == pytest.approx(found["exact"], rel=0.05)
    assert all(found["exact"])


def test_clip_learns_its_temperature():
    """The contrastive loss itself moves the temperature."""
    schedule = ContrastiveSchedule("clip", temperature=0.5)
    model().learn(3 * 64, callback=callback(schedule))
    assert schedule.log_temperature.exp().item() < 0.49


def test_the_same_seed_gives_the_same_policy():
    """Two trainings are equal bit by bit, another seed of the callback is not."""
    found = []
    for seed in (0, 0, 1):
        made = model()
        made.learn(3 * 64, callback=callback(seed=seed, batch_size=3, negative="random"))
        found.append(torch.cat([each.flatten() for each in made.policy.parameters()]))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_saves_and_goes_on(tmp_path):
    """The callback's file holds the schedule, the averages and the optimizers' states."""
    made, used = model(), callback()
    made.learn(4 * 64, callback=used)
    used.save(tmp_path / "dcrl.pt")
    made.save(tmp_path / "model.zip")
    again = callback()
    again.load(tmp_path / "dcrl.pt")
    assert again.tracker.progress.tolist() == used.tracker.progress.tolist()
    assert torch.equal(again.schedule.coefficients, used.schedule.coefficients)
    assert again.steps == used.steps
    loaded = PPO.load(tmp_path / "model.zip", DummyVecEnv([FillIn] * 4), device="cpu")
    loaded.learn(64, callback=again, reset_num_timesteps=False)
    assert again.steps == used.steps + 4
    assert len(again.optimizer.state) == len(used.optimizer.state)
    assert min(float(each["step"]) for each in again.optimizer.state.values()) > 16


def test_without_steps_only_the_gate_follows():
    """n_steps=0: no contrastive loss, but temperature and progress still reach the extractor."""
    made, used = model(), callback("closed", n_steps=0)
    made.learn(3 * 64, callback=used)
    assert "dcrl/loss" not in made.logger.seen
    assert made.policy.features_extractor.progress[1] > -1


def test_solved_programs_become_pairs():
    """With add_solved, verified programs are added, each once, and no others."""
    used = callback("static", add_solved=True)
    given = len(used.pairs)
    model().learn(4 * 64, callback=used)
    assert len(used.pairs) > given
    for code, text, _ in used.pairs._added.values():
        assert 10 + (text[0] - 20) in code
    assert len(callback("static").pairs) == given


def test_a_bonus_is_paid_by_a_frozen_copy():
    """AlignmentBonus gets a copy of the encoder before each rollout; the tracker counts the task's reward alone."""
    made, used = model(env=lambda: AlignmentBonus(FillIn())), callback("static")
    made.learn(3 * 64, callback=used)
    found = made.env.get_attr("similarity")
    assert all(isinstance(each, FrozenSimilarity) for each in found)
    observation = FillIn().reset(seed=0)[0]
    assert -1 <= found[0](observation) <= 1
    assert used.tracker.performance._range[1] <= 1
    assert not any(each.requires_grad for each in found[0]._extractor.parameters())


def test_what_does_not_fit_is_explained():
    """Off-policy algorithms and other policies are named."""
    off = DQN("MultiInputPolicy", FillIn(), policy_kwargs=KWARGS, buffer_size=10, device="cpu")
    with pytest.raises(ValueError, match="on-policy algorithm such as PPO or A2C, not under DQN"):
        off.learn(1, callback=callback())
    plain = PPO("MultiInputPolicy", FillIn(), n_steps=8, batch_size=8, device="cpu")
    with pytest.raises(ValueError, match="has no CrossModalFusionExtractor"):
        plain.learn(8, callback=callback())
    with pytest.raises(ValueError, match="Expected k >= 1"):
        callback(k=0)
    with pytest.raises(ValueError, match="Expected n_steps >= 0"):
        callback(batch_size=1)
