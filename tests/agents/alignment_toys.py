"""A small task with the observations of the suite: does the code carry the tokens that the text asks for?"""

from __future__ import annotations

import gymnasium
import numpy as np

from agents.pairs import Pairs

VOCABULARY, TOKENS, WORDS, ACTIONS = 60, 12, 8, 6
SIZES = {"width": 16, "layers": 1, "heads": 2, "projection": 8, "encoder_width": 16, "encoder_layers": 1}


class FillIn(gymnasium.Env):
    """Write the token that the text names; three steps an episode."""

    def __init__(self) -> None:
        def ids(*shape):
            return gymnasium.spaces.Box(0, VOCABULARY - 1, shape, np.int32)

        def unit(*shape):
            return gymnasium.spaces.Box(0, 1, shape, np.float32)

        self.observation_space = gymnasium.spaces.Dict(
            {
                "code": ids(TOKENS),
                "text": ids(WORDS),
                "feedback": unit(4),
                "candidates": ids(ACTIONS, 12),
                "candidate_scores": unit(ACTIONS, 3),
                "action_mask": gymnasium.spaces.Box(0, 1, (ACTIONS,), np.int8),
            }
        )
        self.action_space = gymnasium.spaces.Discrete(ACTIONS)

    def action_masks(self):
        return np.ones(ACTIONS, bool)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.wanted = int(self.np_random.integers(1, ACTIONS))
        self.code = [1]
        return self._observation(), {"task_id": f"task {self.wanted}", "measurements": {"tests": 0.0}}

    def step(self, action):
        self.code.append(10 + int(action))
        solved = int(action) == self.wanted
        over = solved or len(self.code) > 3
        info = {"task_id": f"task {self.wanted}", "measurements": {"tests": float(solved)}}
        if over:
            info["is_success"] = float(solved)
        return self._observation(), float(solved), over, False, info

    def _observation(self):
        rows = np.zeros((ACTIONS, 12), np.int32)
        rows[:, 4] = 10 + np.arange(ACTIONS)
        return {
            "code": np.pad(self.code, (0, TOKENS - len(self.code))).astype(np.int32),
            "text": np.pad([20 + self.wanted, 40], (0, WORDS - 2)).astype(np.int32),
            "feedback": np.zeros(4, np.float32),
            "candidates": rows,
            "candidate_scores": np.zeros((ACTIONS, 3), np.float32),
            "action_mask": np.ones(ACTIONS, np.int8),
        }


def solved_pairs() -> Pairs:
    """The code that solves each task, with its text."""
    code, text = np.zeros((ACTIONS - 1, TOKENS), np.int32), np.zeros((ACTIONS - 1, WORDS), np.int32)
    for wanted in range(1, ACTIONS):
        code[wanted - 1, :2] = 1, 10 + wanted
        text[wanted - 1, :2] = 20 + wanted, 40
    return Pairs(code, text, [f"task {wanted}" for wanted in range(1, ACTIONS)])
