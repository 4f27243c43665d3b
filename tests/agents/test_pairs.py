"""Pairs of code and text, and the agent's progress."""

from __future__ import annotations

import numpy as np
import pytest

from agents.pairs import Pairs
from agents.performance import Performance, PerformanceTracker


def rows(*numbers):
    return np.array([[number, 0] for number in numbers], np.int32)


def test_pairs_of_a_task_or_of_a_text_share_a_number():
    """Same task or same text: no negatives of each other."""
    pairs = Pairs(rows(1, 2, 3, 4), rows(5, 6, 7, 7), ["a", "a", "b", "c"])
    batch = pairs.sample(10, np.random.default_rng(0))
    order = batch.code[:, 0].argsort()
    one, two, three, four = batch.groups[order].tolist()
    assert one == two != three == four
    free = Pairs(rows(1, 2, 3), rows(5, 6, 5)).sample(3, np.random.default_rng(0))
    one, two, three = free.groups[free.code[:, 0].argsort()].tolist()
    assert one == three != two


def test_sampling():
    """Without replacement, rows stay together, the same seed gives the same batch."""
    pairs = Pairs(rows(*range(50)), rows(*range(100, 150)))
    batch = pairs.sample(20, np.random.default_rng(3))
    assert batch.code.shape == (20, 2)
    assert len(set(batch.code[:, 0].tolist())) == 20
    assert (batch.text[:, 0] - batch.code[:, 0] == 100).all()
    again = pairs.sample(20, np.random.default_rng(3))
    assert (again.code == batch.code).all()


def test_added_pairs():
    """Each is kept once, sampled like the others, and the oldest go first."""
    pairs = Pairs(rows(1, 2), rows(5, 6), ["a", "b"], capacity=2)
    for number in (3, 3, 4):
        pairs.add(*rows(number, 6), "b")
    assert len(pairs) == 4
    batch = pairs.sample(4, np.random.default_rng(0))
    assert sorted(batch.code[:, 0].tolist()) == [1, 2, 3, 4]
    groups = dict(zip(batch.code[:, 0].tolist(), batch.groups.tolist(), strict=True))
    assert groups[2] == groups[3] == groups[4] != groups[1]
    pairs.add(*rows(9, 6), "b")
    assert len(pairs) == 4
    assert 3 not in pairs.sample(4, np.random.default_rng(0)).code


def test_bad_pairs_are_refused():
    """Too few, or of different numbers."""
    with pytest.raises(ValueError, match="N >= 2"):
        Pairs(rows(1), rows(1))
    with pytest.raises(ValueError, match="a task for each of the 2"):
        Pairs(rows(1, 2), rows(1, 2), ["a"])


def test_performance_is_a_corrected_moving_average():
    """Anchored returns and successes in [-1, 1], as a weighted mean of all episodes by hand."""
    performance = Performance(anchors=(0.0, 2.0), window=4)
    assert performance.progress.tolist() == [-1, -1]
    returns, successes = [1.0, 3.0, -1.0], [1.0, 0.0, 1.0]
    for episode in zip(returns, successes, strict=True):
        performance.add(*episode)
    weights = np.array([0.75**2, 0.75, 1.0])
    expected = [weights @ np.array(each) / weights.sum() for each in (returns, successes)]
    assert performance.progress.tolist() == pytest.approx([expected[0] - 1, 2 * expected[1] - 1])
    performance.add(100.0, None)
    assert performance.progress[0] == 1
    assert performance.progress[1] == pytest.approx(2 * expected[1] - 1)
    again = Performance(anchors=(0.0, 2.0), window=4)
    again.load_state(performance.state())
    assert again.progress.tolist() == performance.progress.tolist()


def test_without_anchors_the_range_so_far_is_taken():
    """-1 at the worst average so far, 1 at the best."""
    performance = Performance(window=1)
    seen = []
    for value in (3.0, 5.0, 1.0, 3.0):
        performance.add(value, 0.0)
        seen.append(float(performance.progress[0]))
    assert seen == [-1, 1, -1, 0]


def test_bad_performance():
    """Anchors in order, and a window."""
    with pytest.raises(ValueError, match="anchors must be"):
        Performance(anchors=(1.0, 1.0))
    with pytest.raises(ValueError, match="window must be"):
        Performance(window=0)


def test_tracker_counts_task_rewards_and_skips_broken_episodes():
    """Rewards come from `task_reward` where it is; what the sandbox broke off does not count."""

    class Environments:
        num_envs = 2

        def has_attr(self, name):
            return name == "reference_returns"

        def get_attr(self, name, index):
            return [(-1.0, 3.0)]

    class Model:
        logger = None
        num_timesteps = 0

        def get_env(self):
            return Environments()

    tracker = PerformanceTracker(window=1)
    tracker.init_callback(Model())
    tracker.on_training_start({}, {})
    assert tracker.performance.anchors == (-1.0, 3.0)

    def step(rewards, infos, dones):
        tracker.update_locals({"rewards": rewards, "infos": infos, "dones": dones})
        tracker.on_step()

    step([5.0, 1.0], [{"task_reward": 0.5}, {}], [False, False])
    step([5.0, 1.0], [{"task_reward": 0.5, "is_success": 1.0}, {}], [True, False])
    assert tracker.progress.tolist() == [0, 1]  # 1 lies in the middle of the anchors
    step([0.0, 1.0], [{}, {"is_success": 0.0, "executor_error": "lost"}], [False, True])
    assert tracker.performance.episodes == 1
    step([0.0, 2.0], [{}, {"is_success": 0.0}], [False, True])
    assert tracker.progress.tolist() == [0.5, -1]
