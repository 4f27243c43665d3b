"""A callback that lets the weights of reward components learn, under any SB3 algorithm."""

from __future__ import annotations

import warnings
from pathlib import Path

from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from agents.component_buffer import LiveRewards
from agents.weighting_history import EpisodeReturns, WeightingHistory, environments_hold, read_signals
from reward_machines.weighting import Weighting

__all__ = ["WeightingCallback"]

OFF_POLICY_STEPS = 1000


class WeightingCallback(BaseCallback):
    """Updates a weighting between rollouts, logs what it does, and keeps the history.

    The environments are wrapped in `wrappers.WeightedReward` with the same weighting, which observes episodes there.
    If they hold another one, because they run in other processes or were made from a spec, episodes are observed here;
    then only a replay buffer of `agents.component_buffer` pays by the learned weights, and a warning says so.

    Logged: `weights/`, `returns/` and `shares/` by family and component, `outer/` by family, `weighting/entropy`, and
    the figures of the update, among them `weighting/meta_loss`.

    Args:
        weighting: To be updated.
        every: Least number of timesteps between updates. None: each rollout of an on-policy algorithm, 1000 steps of an
            off-policy one, whose rollouts last a few steps.
        folder: Where the history and the pictures go at the end; None for nowhere.
        verbose: As for SB3's callbacks.

    Attributes:
        history: The records so far.
    """

    def __init__(
        self,
        weighting: Weighting,
        *,
        every: int | None = None,
        folder: str | Path | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(verbose)
        self.weighting = weighting
        self.every = every
        self.folder = None if folder is None else Path(folder)
        self.history = WeightingHistory(weighting.components)

    def _on_training_start(self) -> None:
        if getattr(self.model, "reward", None) is not None:
            raise ValueError("agents.PPO with a weighting updates it itself; train without WeightingCallback.")
        on_policy = isinstance(self.model, OnPolicyAlgorithm)
        self._least = (0 if on_policy else OFF_POLICY_STEPS) if self.every is None else self.every
        self._updated_at = self.num_timesteps
        self._episodes = EpisodeReturns(self.training_env.num_envs, len(self.weighting.components))
        self._observed_there = environments_hold(self.training_env, self.weighting)
        buffer = getattr(self.model, "replay_buffer", None)
        live = isinstance(getattr(buffer, "rewards", None), LiveRewards)
        if not self._observed_there and not live:
            warnings.warn(
                "The environments do not hold this weighting object, so their rewards keep the weights that they were "
                "made with. Give WeightedReward the same object, in this process, or use ComponentReplayBuffer.",
                stacklevel=2,
            )
        if live and buffer.rewards.weighting is not self.weighting:  # type: ignore[union-attr]
            raise ValueError("The replay buffer holds another weighting; give both the same object.")

    def _on_step(self) -> bool:
        infos = self.locals["infos"]
        signals = read_signals(infos, len(self.weighting.components))
        for episode in self._episodes.step(signals, self.locals["dones"], infos):
            if not self._observed_there:
                self.weighting.observe(*episode)
        return True

    def _on_rollout_end(self) -> None:
        if self.num_timesteps - self._updated_at < self._least:
            return
        self._updated_at = self.num_timesteps
        figures = self.weighting.update()
        record = self.history.add(self.num_timesteps, self.weighting, self._episodes.take(), figures)
        if record is not None:
            self.history.log(record, self.logger)

    def _on_training_end(self) -> None:
        if self.folder is None:
            return
        from agents.weighting_pictures import save_pictures

        self.folder.mkdir(parents=True, exist_ok=True)
        self.history.save(self.folder / "weighting.json")
        save_pictures(self.history, self.folder)
