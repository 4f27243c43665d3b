"""CURL and TACO as comparisons, under the interface of the contrastive callback."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from alignment_toys import SIZES, VOCABULARY, FillIn
from gymnasium.wrappers import FilterObservation
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.vec_env import DummyVecEnv

from agents.augmentation import rename_identifiers
from agents.cross_modal_extractor import CrossModalFusionExtractor
from agents.curl import CurlCallback, curl_loss
from agents.taco import TacoCallback, taco_loss, whole_sequences
from wrappers.latent_action import LatentAction

KWARGS = {"features_extractor_class": CrossModalFusionExtractor, "features_extractor_kwargs": SIZES}
SLOTS = (10, 16)


def model(env=FillIn, algorithm=PPO):
    extra = {} if algorithm is A2C else {"batch_size": 32, "n_epochs": 1}
    vector = DummyVecEnv([env] * 4)
    return algorithm("MultiInputPolicy", vector, n_steps=16, seed=0, device="cpu", policy_kwargs=KWARGS, **extra)


def test_renaming_is_a_permutation_of_names():
    """Names change places consistently in code and text; everything else stays; rows differ."""
    ids = torch.randint(0, VOCABULARY, (20, 30), generator=torch.Generator().manual_seed(0))
    text = torch.randint(0, VOCABULARY, (20, 2, 8), generator=torch.Generator().manual_seed(1))
    code, other = rename_identifiers(ids, SLOTS, torch.Generator().manual_seed(2), text)
    named = (ids >= 10) & (ids < 16)
    assert torch.equal(code[~named], ids[~named])
    assert ((code[named] >= 10) & (code[named] < 16)).all()
    orders = set()
    for row in range(20):
        before = torch.cat([ids[row], text[row].flatten()]).tolist()
        after = torch.cat([code[row], other[row].flatten()]).tolist()
        renaming = dict(zip(before, after, strict=True))
        assert [renaming[each] for each in before] == after
        assert len(set(renaming.values())) == len(renaming)
        orders.add(tuple(renaming.get(slot) for slot in range(*SLOTS)))
    assert len(orders) > 10
    with pytest.raises(ValueError, match="slots must be"):
        rename_identifiers(ids, (5, 5), torch.Generator())


def test_losses_are_cross_entropy_of_bilinear_scores():
    """Both losses pick the own partner among the batch; CURL's keys get no gradient, TACO's states do."""
    generator = torch.Generator().manual_seed(0)
    one, two, weight = (torch.randn(4, 4, generator=generator, requires_grad=True) for _ in range(3))
    scores = [[(one[i] @ weight @ two[j]).item() for j in range(4)] for i in range(4)]
    expected = np.mean([np.log(np.exp(row).sum()) - row[i] for i, row in enumerate(np.array(scores))])
    for loss in (curl_loss, taco_loss):
        assert loss(one, two, weight).item() == pytest.approx(expected, rel=1e-5)
    curl_loss(one, two, weight).backward()
    assert two.grad is None
    taco_loss(one, two, weight).backward()
    assert two.grad.any()


def test_sequences_lie_within_an_episode():
    """No episode begins within the steps that a sequence spans."""
    starts = np.zeros((8, 2))
    starts[0] = starts[3, 0] = 1
    steps, envs = whole_sequences(starts, 3)
    assert set(zip(steps.tolist(), envs.tolist(), strict=True)) == {
        (0, 1), (1, 1), (2, 1), (3, 1), (4, 1), (3, 0), (4, 0)
    }  # fmt: skip
    assert len(whole_sequences(starts, 8)[0]) == 0


@pytest.mark.parametrize("algorithm", [PPO, A2C])
@pytest.mark.parametrize("kind", ["curl", "taco"])
def test_callbacks_train_the_encoders(algorithm, kind):
    """After the first rollout they take steps, the loss falls, and CURL leaves the text encoder alone."""
    made = model(algorithm=algorithm)
    kwargs = {"n_steps": 8, "learning_rate": 3e-3}
    used = CurlCallback(SLOTS, **kwargs) if kind == "curl" else TacoCallback(horizon=1, **kwargs)
    seen = []
    conclude = used._conclude
    used._conclude = lambda loss: seen.append(loss) or conclude(loss)
    made.learn(6 * 64, callback=used)
    assert seen[0] is None
    assert used.steps == 40
    assert np.mean(seen[-2:]) < seen[1]
    assert all(torch.isfinite(each).all() for each in made.policy.parameters())


def test_curl_has_a_slow_copy():
    """The momentum encoder follows the encoder without being it."""
    made, used = model(), CurlCallback(SLOTS, n_steps=5, learning_rate=1e-2)
    before = made.policy.features_extractor.code_projection.weight.detach().clone()
    made.learn(3 * 64, callback=used)
    fast = made.policy.features_extractor.code_projection.weight
    slow = next(iter(used._slow.values())).code_projection.weight
    assert 0 < (slow - before).norm() < (fast - before).norm()


@pytest.mark.parametrize(
    "env", [lambda: LatentAction(FillIn(), 3), lambda: FilterObservation(FillIn(), ["code", "text", "feedback"])]
)
def test_taco_takes_other_actions(env):
    """Continuous actions, and numbers of actions without candidates."""
    used = TacoCallback(horizon=2, n_steps=2)
    model(env).learn(3 * 64, callback=used)
    assert used.steps == 4
    with pytest.raises(ValueError, match="horizon must be"):
        TacoCallback(horizon=0)
