"""WeightingCallback: updates, logs, history and pictures, under plain SB3 algorithms."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from component_toys import COMPONENTS, STEPS, Choose, Watched, environments
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.vec_env import DummyVecEnv

import agents.ppo
from agents.weighting_callback import WeightingCallback
from agents.weighting_history import EpisodeReturns, Record, WeightingHistory, read_signals
from agents.weighting_pictures import meta_loss_figure, save_pictures, shares_figure, weights_figure
from reward_machines.weighting import Uniform

SMALL = {"n_steps": 16, "batch_size": 16, "n_epochs": 1, "seed": 0, "device": "cpu"}


@pytest.fixture
def history():
    """Two families, the second first seen in the second record."""
    weights = [{"Repair": [0.5, 0.5]}, {"Repair": [0.8, 0.2], "Search": [0.1, 0.9]}]
    returns = [{"Repair": [0.5, -0.5]}, {"Repair": [0.5, 0.5], "Search": [0.0, 0.0]}]
    records = [
        Record(100 * (number + 1), weights[number], returns[number], dict.fromkeys(weights[number], 0.5), 0.6, {
            "meta_loss": 1.0 - 0.1 * number
        })
        for number in range(2)
    ]  # fmt: skip
    return WeightingHistory(COMPONENTS, records)


def test_every_rollout_updates_and_episodes_are_observed_there():
    """With PPO each rollout; the environments hold the weighting, so nothing is observed twice."""
    weighting = Watched()
    callback = WeightingCallback(weighting)
    env = environments(weighting=weighting)
    PPO("MlpPolicy", env, **SMALL).learn(96, callback)
    assert weighting.updates == 3
    assert len(weighting.episodes) == 96 // STEPS
    assert [record.timesteps for record in callback.history.records] == [32, 64, 96]
    assert callback.history.records[-1].weights == {"Choose": [0.5, 0.5]}
    assert callback.history.records[-1].entropy == pytest.approx(np.log(2))
    recorded = np.mean([record.returns["Choose"] for record in callback.history.records], axis=0)
    np.testing.assert_allclose(recorded, np.mean([each[2] for each in weighting.episodes], axis=0), atol=1e-6)


def test_updates_keep_their_distance():
    """`every` counts timesteps, for algorithms with short rollouts."""
    weighting = Watched()
    callback = WeightingCallback(weighting, every=40)
    A2C("MlpPolicy", environments(weighting=weighting), n_steps=4, seed=0, device="cpu").learn(160, callback)
    assert [record.timesteps for record in callback.history.records] == [40, 80, 120, 160]


def test_environments_with_another_weighting_are_warned_about():
    """Their rewards would keep their weights; episodes are observed here."""
    weighting = Watched()
    with pytest.warns(UserWarning, match="do not hold this weighting object"):
        PPO("MlpPolicy", environments(weighting=Watched()), **SMALL).learn(32, WeightingCallback(weighting))
    assert len(weighting.episodes) == 32 // STEPS


def test_half_the_environments_holding_it_is_an_error():
    """Else some episodes would be observed twice or never."""
    weighting = Watched()
    env = DummyVecEnv([lambda: Choose(weighting=weighting), lambda: Choose(weighting=Watched())])
    with pytest.raises(ValueError, match="1 of 2 environments"):
        PPO("MlpPolicy", env, **SMALL).learn(32, WeightingCallback(weighting))


def test_our_ppo_needs_no_callback():
    """It would update twice."""
    model = agents.ppo.PPO("MlpPolicy", environments(), Uniform(COMPONENTS), **SMALL)
    with pytest.raises(ValueError, match="without WeightingCallback"):
        model.learn(32, WeightingCallback(Uniform(COMPONENTS)))


def test_tensorboard_and_files(tmp_path):
    """Scalars of weights, shares, entropy and meta loss; history and pictures at the end."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    weighting = Watched()
    env = environments(weighting=weighting)
    callback = WeightingCallback(weighting, folder=tmp_path / "out")
    PPO("MlpPolicy", env, tensorboard_log=str(tmp_path), **SMALL).learn(96, callback)
    events = EventAccumulator(str(tmp_path / "PPO_1"))
    events.Reload()
    tags = set(events.Tags()["scalars"])
    assert {"weights/Choose/tests", "shares/Choose/style", "weighting/entropy", "weighting/meta_loss"} <= tags
    assert WeightingHistory.load(tmp_path / "out" / "weighting.json") == callback.history
    assert (tmp_path / "out" / "shares.png").is_file()


def test_our_ppo_logs_the_same(tmp_path):
    """And the error of each value head."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    model = agents.ppo.PPO("MlpPolicy", environments(), Watched(), tensorboard_log=str(tmp_path), **SMALL)
    model.learn(96)
    events = EventAccumulator(str(tmp_path / "PPO_1"))
    events.Reload()
    tags = set(events.Tags()["scalars"])
    assert {"weights/Choose/tests", "returns/Choose/style", "outer/Choose", "weighting/meta_loss"} <= tags
    assert {"train/value_loss/tests", "train/value_loss/outer", "train/approx_kl"} <= tags


def test_shares_weigh_what_was_earned(history):
    """alpha_i E[R_i] over their sum; losses count nothing; nothing paid is no share."""
    assert history.records[0].shares("Repair") == [1.0, 0.0]
    np.testing.assert_allclose(history.records[1].shares("Repair"), [0.8, 0.2])
    assert np.isnan(history.records[1].shares("Search")).all()
    assert history.families == ["Repair", "Search"]


def test_pictures(history, tmp_path):
    """One panel per family with its own steps, titles, and PNG files of some size."""
    weights, shares, meta = weights_figure(history), shares_figure(history), meta_loss_figure(history)
    assert [axes.get_title() for axes in weights.axes] == ["Repair", "Search"]
    line = weights.axes[0].lines[0]
    assert line.get_label() == "tests"
    assert (line.get_xdata().tolist(), line.get_ydata().tolist()) == ([100, 200], [0.5, 0.8])
    assert len(shares.axes[0].collections) == len(COMPONENTS)
    assert meta.axes[0].lines[0].get_ydata().tolist() == [1.0, 0.9]
    for path in save_pictures(history, tmp_path):
        content = path.read_bytes()
        assert content[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = struct.unpack(">II", content[16:24])
        assert min(width, height) > 200
    assert {path.name for path in tmp_path.iterdir()} == {"weights.png", "shares.png", "meta_loss.png"}


def test_an_empty_history_has_no_pictures(tmp_path):
    """And says why."""
    empty = WeightingHistory(COMPONENTS)
    assert save_pictures(empty, tmp_path) == []
    with pytest.raises(ValueError, match="no episode ended yet"):
        weights_figure(empty)
    with pytest.raises(ValueError, match="does not learn"):
        meta_loss_figure(empty)


def test_sums_begin_anew():
    """An episode that was cut by a reset does not leak into the next."""
    info = {"vector_reward": np.ones(2), "outer_reward": 0.0, "task_embedding": np.zeros(3), "family": "x"}
    info |= {"task_id": "0", "held_out": 1.0, "is_success": False}
    returns = EpisodeReturns(1, 2)
    signals = read_signals([info], 2)
    returns.step(signals, np.array([False]), [info])
    returns.restart(np.array([True]))
    (episode,) = returns.step(signals, np.array([True]), [info])
    assert episode.returns.tolist() == [1.0, 1.0]
    assert returns.step(signals, np.array([True]), [info | {"executor_error": "x"}]) == []
    assert len(returns.take()) == 1
    assert returns.take() == []


def test_missing_keys_are_named():
    """The error says what is missing and what to do."""
    with pytest.raises(ValueError, match=r"'outer_reward'.*WeightedReward"):
        read_signals([{"vector_reward": np.zeros(2)}], 2)
