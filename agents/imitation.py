"""Imitation: a policy learns from an expert on the states that it visits itself (DAgger).

Works with any environment whose `info["expert_action"]` names the expert's action, -1 where it knows
none. The policy acts; the expert only labels.

Source: Ross, Gordon and Bagnell (2011).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.vec_env import VecEnv
from torch.nn import functional

__all__ = ["DemonstrationBuffer", "Imitation", "ImitationConfig"]

UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class ImitationConfig:
    """Settings of `Imitation`.

    Args:
        buffer_size: Demonstrations kept; the oldest go first.
        batch_size: Demonstrations per gradient step.
        learning_rate: Peak rate of Adam; it rises over the first tenth of the run and falls to zero.
        collect_steps: Steps of the vector environment between updates.
        updates: Gradient steps per update.
        expert_share: Share of steps where the expert acts instead of the policy, at the end; it falls linearly from
            1, the beta of DAgger. An expert that acts alone shows the most tasks: one each step or two.
        common_actions: Actions that the expert takes so often that only one in `thin` is kept.
        thin: See `common_actions`.
        negatives: Other valid actions that a gradient step compares the expert's with, drawn anew each time;
            None takes all. Scoring all 510 candidates took three times as long and learnt no more per step.
        always_compared: Actions that every gradient step compares: with meanings of their own, they come up in
            every state, and an action that is hardly ever compared keeps its initial score.
        max_grad_norm: Gradient clipping.
        weight_decay: Of AdamW.
    """

    buffer_size: int = 16384
    batch_size: int = 64
    learning_rate: float = 1e-3
    collect_steps: int = 16
    updates: int = 32
    expert_share: float = 0.5
    common_actions: tuple[int, ...] = ()
    thin: int = 8
    negatives: int | None = 128
    always_compared: tuple[int, ...] = (0, 1)
    max_grad_norm: float = 1.0
    weight_decay: float = 0.05


class DemonstrationBuffer:
    """Observations with the expert's action, held in half precision.

    Args:
        space: The observation space, a `Dict` of `Box`.
        size: Demonstrations kept.

    Raises:
        ValueError: If an integer key does not fit into 16 bits.
    """

    def __init__(self, space: gymnasium.spaces.Dict, size: int) -> None:
        self.size = size
        self.count = 0
        self.arrays: dict[str, NDArray[Any]] = {}
        for key, box in space.spaces.items():
            assert isinstance(box, gymnasium.spaces.Box)
            assert box.shape is not None
            self.arrays[key] = np.zeros((size, *box.shape), _compact(key, box))
        self.actions = np.zeros(size, np.int64)
        self.lengths = np.zeros(size, np.int64)
        sequences = {key: array.shape[1] for key, array in self.arrays.items() if _is_sequence(space[key])}
        self.sequence = max(sequences, key=lambda key: sequences[key], default="")

    def __len__(self) -> int:
        return min(self.count, self.size)

    def add(self, observations: dict[str, NDArray[Any]], number: int, action: int) -> None:
        """Store observation `number` of a batch with the expert's action."""
        place = self.count % self.size
        for key, array in self.arrays.items():
            array[place] = observations[key][number]
        self.actions[place] = action
        self.lengths[place] = np.count_nonzero(observations[self.sequence][number]) if self.sequence else 0
        self.count += 1

    def batches(
        self, count: int, size: int, rng: np.random.Generator
    ) -> Iterator[tuple[dict[str, torch.Tensor], torch.Tensor]]:
        """Draw `count` batches with replacement, each of demonstrations of similar length.

        Attention over padding cost most of a gradient step when one long program came into every batch.

        Args:
            count: Number of batches.
            size: Demonstrations in each.
            rng: Draws them.

        Yields:
            Observations, and actions (size,) int64.
        """
        drawn = rng.integers(len(self), size=count * size)
        drawn = drawn[np.argsort(self.lengths[drawn], kind="stable")]
        for number in rng.permutation(count):
            chosen = drawn[number * size : (number + 1) * size]
            batch = {key: torch.from_numpy(array[chosen].astype(np.float32)) for key, array in self.arrays.items()}
            yield batch, torch.from_numpy(self.actions[chosen])


def _is_sequence(box: gymnasium.Space[Any]) -> bool:
    """Whether a key holds token ids, padded with 0."""
    return isinstance(box, gymnasium.spaces.Box) and len(box.shape) == 1 and box.dtype == np.int32


def _compact(key: str, box: gymnasium.spaces.Box) -> type[np.generic]:
    if not np.issubdtype(box.dtype, np.integer):
        return np.float16
    if box.high.max() >= 2**15:
        raise ValueError(f"Key {key!r} reaches {box.high.max()}; demonstrations hold 16-bit integers.")
    return np.int16


class Imitation:
    """Trains a policy of an SB3 algorithm on an expert's labels.

    Args:
        policy: The policy; trained in place.
        env: A vector environment that reports `expert_action`.
        config: Settings.
        seed: Seeds which actions are tried and which demonstrations are drawn.
    """

    RECENT = 200

    def __init__(
        self, policy: ActorCriticPolicy, env: VecEnv, config: ImitationConfig | None = None, seed: int = 0
    ) -> None:
        self.policy = policy
        self.env = env
        self.config = config or ImitationConfig()
        self.rng = np.random.default_rng(seed)
        assert isinstance(env.observation_space, gymnasium.spaces.Dict)
        self.buffer = DemonstrationBuffer(env.observation_space, self.config.buffer_size)
        self.solved: list[float] = []
        self.led = np.zeros(env.num_envs, np.bool_)
        self.optimizer = torch.optim.AdamW(
            policy.parameters(), lr=self.config.learning_rate, weight_decay=self.config.weight_decay
        )

    def learn(self, progress: Callable[[dict[str, float]], float]) -> None:
        """Alternate between collecting and learning until `progress` says that all is done.

        Args:
            progress: Called after each round with `round`, `loss`, `accuracy` (of the labels), `demonstrations` and
                `success` (share with `info["is_success"]` of the last 200 episodes that the policy played alone);
                returns the share of the training that is done, which sets the learning rate; 1 ends it.

        Raises:
            ValueError: If the environment reports no `expert_action`.
        """
        config = self.config
        observations = self.env.reset()
        labels = [_label(info) for info in self.env.reset_infos]
        done, number = 0.0, 0
        while done < 1.0:
            number += 1
            self._schedule(done)
            for _ in range(config.collect_steps):
                observations, labels = self._collect(observations, labels, 1 - done * (1 - config.expert_share))
            self.policy.set_training_mode(True)
            batches = self.buffer.batches(config.updates, config.batch_size, self.rng)
            losses, hits = zip(*(self._update(*batch) for batch in batches), strict=True)
            self.policy.set_training_mode(False)
            done = progress(
                {
                    "round": float(number),
                    "loss": float(np.mean(losses)),
                    "accuracy": float(np.mean(hits)),
                    "demonstrations": float(self.buffer.count),
                    "success": float(np.mean(self.solved)) if self.solved else 0.0,
                }
            )

    def _schedule(self, done: float) -> None:
        factor = min(10 * done + 0.1, 1.0, 1.0 - done + 0.02)
        for group in self.optimizer.param_groups:
            group["lr"] = factor * self.config.learning_rate

    def _collect(self, observations: Any, labels: list[int], expert_share: float) -> tuple[Any, list[int]]:
        config = self.config
        for number, label in enumerate(labels):
            keep = label not in config.common_actions or self.rng.random() * config.thin < 1
            if label != UNKNOWN and keep:
                self.buffer.add(observations, number, label)
        actions = np.array(labels)
        led = (self.rng.random(len(labels)) < expert_share) & (actions != UNKNOWN)
        if not led.all():
            alone = {key: array[~led] for key, array in observations.items()}
            actions[~led] = self.policy.predict(alone, deterministic=False)[0]
        observations, _, dones, infos = self.env.step(actions)
        self.led |= led
        for number, info in enumerate(infos):
            if dones[number] and not self.led[number] and "is_success" in info:
                self.solved.append(float(info["is_success"]))
        self.led &= ~np.asarray(dones, np.bool_)
        del self.solved[: -self.RECENT]
        infos = [self.env.reset_infos[number] if done else infos[number] for number, done in enumerate(dones)]
        return observations, [_label(info) for info in infos]

    def _update(self, batch: dict[str, torch.Tensor], actions: torch.Tensor) -> tuple[float, float]:
        if self.config.negatives is not None:
            self._thin_out(batch["action_mask"], actions, self.config.negatives)
        logits = self.policy.get_distribution(batch).distribution.logits  # type: ignore[union-attr]
        loss = functional.cross_entropy(logits, actions)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.config.max_grad_norm)
        self.optimizer.step()
        return loss.item(), (logits.argmax(1) == actions).float().mean().item()

    def _thin_out(self, mask: torch.Tensor, actions: torch.Tensor, negatives: int) -> None:
        """Keep the expert's action and about `negatives` other valid ones of each row of a mask, in place."""
        share = negatives / mask.sum(1, keepdim=True).clamp(min=negatives)
        drawn = torch.from_numpy(self.rng.random(mask.shape, np.float32)) < share
        drawn[:, list(self.config.always_compared)] = True
        drawn[torch.arange(len(mask)), actions] = True
        mask *= drawn


def _label(info: dict[str, Any]) -> int:
    if "expert_action" not in info:
        raise ValueError("info has no 'expert_action'; make the environment with expert=True.")
    return int(info["expert_action"])
