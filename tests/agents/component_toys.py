"""Toy environments that report component rewards as `wrappers.WeightedReward` does."""

from __future__ import annotations

import gymnasium
import numpy as np
from stable_baselines3.common.vec_env import DummyVecEnv

from reward_machines.weighting import Fixed

WIDTH = 3
STEPS = 4
COMPONENTS = ("tests", "style")


class Embedding:
    width = WIDTH


class Choose(gymnasium.Env):
    """Four choices among three; `tests` pays the right one, `style` always pays choice 0, outer is the share right.

    Args:
        spaces: "box" or "dict".
        ending: "terminated", "truncated", "broken" (truncated by a failing sandbox) or "limit" (no outer metric).
        weighting: Held as the wrapper would, and told of episodes; None for an environment that holds none.
        components: 2, or 1 for `tests` alone.
        family: Name of the kind of task.
        outer: What the outer metric is multiplied by.
    """

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(self, spaces="box", ending="terminated", weighting=None, components=2, family="Choose", outer=1.0):
        box = gymnasium.spaces.Box(-1.0, 1.0, (3,), np.float32)
        self.observation_space = gymnasium.spaces.Dict({"seen": box}) if spaces == "dict" else box
        self.action_space = gymnasium.spaces.Discrete(3)
        self.ending, self.components, self.family, self.outer = ending, components, family, outer
        self.embedding = Embedding()
        if weighting is not None:
            self.weighting = weighting

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.task = int(self.np_random.integers(2))
        self.count, self.right, self.sums = 0, 0, np.zeros(self.components, np.float32)
        return self._look(), {}

    def _look(self):
        self.seen = self.np_random.uniform(-1, 1, 3).astype(np.float32)
        return {"seen": self.seen.copy()} if isinstance(self.observation_space, gymnasium.spaces.Dict) else self.seen

    def step(self, action):
        correct = int(action) == int(self.seen.argmax())
        self.count += 1
        self.right += correct
        vector = np.array([correct / STEPS, (int(action) == 0) / STEPS], np.float32)[: self.components]
        self.sums += vector
        over = self.count == STEPS
        embedding = np.eye(WIDTH, dtype=np.float32)[self.task]
        info = {
            "vector_reward": vector.copy(),
            "outer_reward": 0.0,
            "task_embedding": embedding,
            "family": self.family,
            "task_id": str(self.task),
        }
        if over and self.ending in ("terminated", "truncated"):
            outer = self.outer * self.right / STEPS
            info |= {"held_out": outer, "is_success": self.right == STEPS, "outer_reward": outer}
            if hasattr(self, "weighting"):
                self.weighting.observe(embedding, self.family, info["task_id"], self.sums.copy(), outer)
        if over and self.ending == "broken":
            info["executor_error"] = "the sandbox failed"
        terminated = over and self.ending == "terminated"
        return self._look(), float(vector[0]), terminated, over and not terminated, info


def environments(count=2, seed=0, **kwargs):
    envs = DummyVecEnv([lambda: Choose(**kwargs)] * count)
    envs.seed(seed)
    return envs


class Watched(Fixed):
    """A fixed weighting that counts what it is told."""

    def __init__(self, components=COMPONENTS, table=None, outer_share=0.3):
        super().__init__(components, table or dict.fromkeys(components, 1.0), outer_share)
        self.episodes, self.updates = [], 0

    def observe(self, embedding, family, task_id, returns, outer):
        super().observe(embedding, family, task_id, returns, outer)
        self.episodes.append((family, task_id, returns, outer))

    def update(self):
        self.updates += 1
        return {"meta_loss": 1.0 / self.updates}
