"""PPO whose reward is composed of components: one critic per component, weights applied when the policy is updated.

With `reward=None` it is SB3's PPO, unchanged. With a weighting it reads the components of every step from `info`, keeps
GAE advantages for each, lets the weighting learn from finished episodes, and only then composes
`A = w_o A_outer + (1 - w_o) sum_i alpha_i A_i` (DTERM, eq. 6). So no stored reward is ever stale.
"""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import PPO as PlainPPO  # noqa: N811
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.type_aliases import GymEnv
from stable_baselines3.common.utils import explained_variance, obs_as_tensor
from stable_baselines3.common.vec_env import VecEnv

from agents.component_buffer import ComponentRolloutBuffer, ComponentSamples, FlatComponentRolloutBuffer
from agents.component_policies import ComponentValues, component_policy
from agents.influence import component_gradients, influence
from agents.mixed_precision import bfloat16_features
from agents.weighting_history import (
    EpisodeReturns,
    Signals,
    WeightingHistory,
    environments_hold,
    has_outer,
    read_signals,
)
from reward_machines.weighting import Weighting

__all__ = ["PPO"]

VALUES_AT_ONCE = 1024
"""States whose values are predicted together after a rollout."""


class _Losses(NamedTuple):
    """Figures of one minibatch."""

    epoch: int
    total: float
    policy: float
    heads: np.ndarray
    """Squared error of every value head, (K + 1,) float32."""
    entropy: float
    clipped: float
    divergence: float


class PPO(PlainPPO):
    """SB3's PPO, and with a weighting, PPO with per-component critics.

    Components are bootstrapped at every truncation, as SB3 does. The outer metric is paid once, at the end, even where
    the environment calls that end a truncation; its value is bootstrapped only where nothing was paid.

    Args:
        policy: As for SB3's PPO; `FusionPolicy` too.
        env: With a weighting, environments that give the `info` keys of `wrappers.WeightedReward`. Their scalar reward
            is only logged.
        reward: Weighs the components. The environments may hold the same object, which then observes episodes there;
            else episodes are observed here.
        value_heads: "film" (DTERM, eq. 7), "concat" or "linear".
        embedding_width: Width D of task embeddings; None asks the environments' `embedding`.
        normalize_values: Divide each head's squared error by the running variance of its returns.
        influence_samples: Steps of a rollout used for gradient norms and influences, for weightings that want them.
        amp: Compute features in bfloat16 while training, for GPUs; a CPU computes the same, as a rule more slowly.
            `predict` stays in float32.
        **kwargs: Arguments of SB3's PPO. The coefficient `vf_coef` is that of the mean loss of the heads.

    Attributes:
        reward: The weighting.
        history: What it did, for `agents.weighting_pictures`.

    Raises:
        ValueError: If a rollout buffer is given with a weighting, the embeddings' width cannot be found, or the GPU
            has no bfloat16 for `amp`.
    """

    def __init__(
        self,
        policy: str | type[ActorCriticPolicy],
        env: GymEnv | str | None,
        reward: Weighting | None = None,
        *,
        value_heads: str = "film",
        embedding_width: int | None = None,
        normalize_values: bool = True,
        influence_samples: int = 512,
        amp: bool = False,
        _init_setup_model: bool = True,
        **kwargs: Any,
    ) -> None:
        if reward is not None and not isinstance(reward, Weighting):
            raise ValueError(
                f"reward is a reward_machines.weighting.Weighting or None, not {type(reward).__name__}. "
                "The learning rate is learning_rate=."
            )
        if reward is not None and (kwargs.get("rollout_buffer_class") or kwargs.get("rollout_buffer_kwargs")):
            raise ValueError("With a weighting the rollout buffer is ours; leave rollout_buffer_class and _kwargs out.")
        super().__init__(policy, env, _init_setup_model=False, **kwargs)  # type: ignore[arg-type]
        self.reward = reward
        self.value_heads = value_heads
        self.embedding_width = embedding_width
        self.normalize_values = normalize_values
        self.influence_samples = influence_samples
        self.amp = amp
        if _init_setup_model:
            self._setup_model()

    def _setup_model(self) -> None:
        if self.reward is not None:
            count = len(self.reward.components)
            self.policy_class = component_policy(self.policy_class)  # type: ignore[arg-type]
            if self.embedding_width is None:
                self.embedding_width = self._find_embedding_width()
            self.policy_kwargs = self.policy_kwargs | {
                "heads": count + 1, "embedding_width": self.embedding_width, "value_heads": self.value_heads
            }  # fmt: skip
            dictionary = isinstance(self.observation_space, spaces.Dict)
            self.rollout_buffer_class = ComponentRolloutBuffer if dictionary else FlatComponentRolloutBuffer
            self.rollout_buffer_kwargs = {"components": count}
            self.episodes = EpisodeReturns(self.n_envs, count)
            if not hasattr(self, "history"):  # a loaded model has one
                self.history = WeightingHistory(self.reward.components)
                self._shortfall = np.ones(count)
        super()._setup_model()

    def _find_embedding_width(self) -> int:
        if self.value_heads == "linear":
            return 0
        try:
            assert self.env is not None
            embedding = self.env.get_attr("embedding", 0)[0]
            return 1 if embedding is None else int(embedding.width)  # without one, WeightedReward tells one zero
        except (AttributeError, AssertionError) as error:
            raise ValueError(
                f"value_heads={self.value_heads!r} need the width of task embeddings, and the environment has no "
                "`embedding.width`. Wrap it in wrappers.WeightedReward last, or give embedding_width=..."
            ) from error

    # collecting -----------------------------------------------------------------------------------

    def collect_rollouts(
        self, env: VecEnv, callback: BaseCallback, rollout_buffer: RolloutBuffer, n_rollout_steps: int
    ) -> bool:
        """Fill the rollout buffer, with a weighting also by component.

        Args:
            env: The environments.
            callback: Called as SB3 does.
            rollout_buffer: To be filled.
            n_rollout_steps: Steps per environment.

        Returns:
            False if the callback stopped the training.
        """
        with self._precision():
            if self.reward is None:
                return super().collect_rollouts(env, callback, rollout_buffer, n_rollout_steps)
            return self._collect_components(env, callback, rollout_buffer, n_rollout_steps)

    def _precision(self) -> contextlib.AbstractContextManager[None]:
        return bfloat16_features(self.policy, self.device) if self.amp else contextlib.nullcontext()

    def _collect_components(
        self, env: VecEnv, callback: BaseCallback, rollout_buffer: RolloutBuffer, n_rollout_steps: int
    ) -> bool:
        assert self.reward is not None
        assert self._last_obs is not None
        assert isinstance(rollout_buffer, ComponentRolloutBuffer | FlatComponentRolloutBuffer)
        self.policy.set_training_mode(False)
        rollout_buffer.reset()
        self.episodes.restart(self._last_episode_starts)  # type: ignore[arg-type]
        observed_there = environments_hold(env, self.reward)
        if self.use_sde:
            self.policy.reset_noise(env.num_envs)
        callback.on_rollout_start()
        seen: list[torch.Tensor] = []
        nothing = torch.zeros(env.num_envs)
        for n_steps in range(n_rollout_steps):
            if self.use_sde and self.sde_sample_freq > 0 and n_steps % self.sde_sample_freq == 0:
                self.policy.reset_noise(env.num_envs)
            with torch.no_grad():
                obs_tensor = obs_as_tensor(self._last_obs, self.device)  # type: ignore[arg-type]
                actions, features, log_probs = self.policy(obs_tensor)
            actions = actions.cpu().numpy()
            new_obs, rewards, dones, infos = env.step(self._within_bounds(actions))
            self.num_timesteps += env.num_envs
            callback.update_locals(locals())
            if not callback.on_step():
                return False
            self._update_info_buffer(infos, dones)
            signals = read_signals(infos, len(self.reward.components))
            for episode in self.episodes.step(signals, dones, infos):
                if not observed_there:
                    self.reward.observe(*episode)
            seen.append(features)
            components = self._bootstrapped(signals, dones, infos)
            rollout_buffer.add_components(components, signals.embeddings, signals.families)
            if isinstance(self.action_space, spaces.Discrete):
                actions = actions.reshape(-1, 1)
            rollout_buffer.add(
                self._last_obs,  # type: ignore[arg-type]
                actions,
                rewards,
                self._last_episode_starts,  # type: ignore[arg-type]
                nothing,  # replaced when the components are weighed
                log_probs,
            )
            self._last_obs = new_obs  # type: ignore[assignment]
            self._last_episode_starts = dones
        with torch.no_grad():
            features = self._heads.value_features(obs_as_tensor(new_obs, self.device))  # type: ignore[arg-type]
        # where an episode ended the value is that of another task, and not used
        last_values = self._values(features, signals.embeddings)
        values = self._rollout_values(seen, rollout_buffer)
        rollout_buffer.compute_component_advantages(values, last_values, dones)
        # with the present weights, for callbacks and influences; composed anew after the weighting's update
        rollout_buffer.weigh(rollout_buffer.table.weights(self.reward), self.reward.outer_share)
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    @property
    def _heads(self) -> ComponentValues:
        assert isinstance(self.policy, ComponentValues)
        return self.policy

    def _values(self, features: torch.Tensor, embeddings: np.ndarray) -> np.ndarray:
        """Predicted returns (E, K + 1)."""
        with torch.no_grad():
            tensor = torch.as_tensor(embeddings, device=self.device)
            return self._heads.component_values(features, tensor).cpu().numpy()

    def _rollout_values(self, seen: list[torch.Tensor], buffer: Any) -> np.ndarray:
        """Predicted returns of all steps (n_steps, E, K + 1), some at a time: a step alone costs as much as fifty."""
        embeddings, together = buffer.table.embeddings(), max(VALUES_AT_ONCE // buffer.n_envs, 1)
        parts = []
        for start in range(0, len(seen), together):
            stop = start + together
            rows = embeddings[buffer.tasks[start:stop]]
            values = self._values(torch.cat(seen[start:stop]), rows.reshape(-1, rows.shape[-1]))
            parts.append(values.reshape(*rows.shape[:2], -1))
        return np.concatenate(parts)

    def _within_bounds(self, actions: np.ndarray) -> np.ndarray:
        """The actions as the environment takes them; the buffer keeps those that were sampled."""
        if not isinstance(self.action_space, spaces.Box):
            return actions
        if self.policy.squash_output:
            return self.policy.unscale_action(actions)
        return np.clip(actions, self.action_space.low, self.action_space.high)

    def _bootstrapped(self, signals: Signals, dones: np.ndarray, infos: list[dict[str, Any]]) -> np.ndarray:
        """Component rewards, with the value of what a truncation cut off, (E, K + 1)."""
        rewards = signals.rewards
        for number in np.flatnonzero(dones):
            info = infos[number]
            if info.get("terminal_observation") is None or not info.get("TimeLimit.truncated", False):
                continue
            with torch.no_grad():
                features = self._heads.value_features(self.policy.obs_to_tensor(info["terminal_observation"])[0])
            cut_off = self._values(features, signals.embeddings[number : number + 1])[0]
            if has_outer(info):
                cut_off[-1] = 0.0  # it was paid at this end
            rewards[number] += self.gamma * cut_off
        return rewards

    # updating -------------------------------------------------------------------------------------

    def train(self) -> None:
        """Let the weighting learn, compose the advantages, and update the policy."""
        with self._precision():
            if self.reward is None:
                super().train()
            else:
                self._train_components(self.reward)

    def _train_components(self, reward: Weighting) -> None:
        buffer = self.rollout_buffer
        assert isinstance(buffer, ComponentRolloutBuffer | FlatComponentRolloutBuffer)
        self._update_learning_rate(self.policy.optimizer)
        self._learn_weights(reward, buffer)
        buffer.weigh(buffer.table.weights(reward), reward.outer_share)
        returns = torch.as_tensor(buffer.component_returns, device=self.device).flatten(0, 1)
        self._heads.observe_returns(returns)
        self.policy.set_training_mode(True)
        self._log_training(buffer, self._epochs(buffer))

    def _learn_weights(self, reward: Weighting, buffer: Any) -> None:
        """Give the weighting what it wants of this rollout, update it, and log what it does."""
        episodes = self.episodes.take()
        if episodes:
            self._shortfall = np.maximum(1.0 - np.mean([episode.returns for episode in episodes], axis=0), 0.0)
        if hasattr(reward, "observe_gradients"):
            observations, actions, chosen = self._subsample(buffer)
            advantages = _rows(buffer.component_advantages, chosen)[:, :-1]
            norms = component_gradients(
                self.policy, observations, actions, self._tensor(advantages), self._heads.last_shared_layer()
            )
            reward.observe_gradients(norms.cpu().numpy(), self._shortfall)
        if getattr(reward, "objective", None) == "meta_gradient":
            self._give_influence(reward, buffer)
        figures = reward.update()
        record = self.history.add(self.num_timesteps, reward, episodes, figures)
        if record is not None:
            self.history.log(record, self.logger)

    def _give_influence(self, reward: Any, buffer: Any) -> None:
        observations, actions, chosen = self._subsample(buffer)
        components = _rows(buffer.component_advantages, chosen)
        inner, outer = self._tensor(_rows(buffer.advantages, chosen)), self._tensor(components[:, -1])
        moved = influence(self.policy, observations, actions, inner, outer)
        tasks = _rows(buffer.tasks, chosen)
        embeddings, families = buffer.table.embeddings()[tasks], buffer.table.families(tasks)
        reward.observe_influence(embeddings, families, components[:, :-1], moved.cpu().numpy())

    def _subsample(self, buffer: Any) -> tuple[Any, torch.Tensor, np.ndarray]:
        """Observations and actions of some steps, and their places in the flattened rollout, evenly spread."""
        total = buffer.buffer_size * buffer.n_envs
        chosen = np.linspace(0, total - 1, min(self.influence_samples, total)).astype(np.int64)
        if isinstance(buffer.observations, dict):
            seen: Any = {key: _rows(each, chosen) for key, each in buffer.observations.items()}
        else:
            seen = _rows(buffer.observations, chosen)
        actions = self._tensor(_rows(buffer.actions, chosen).astype(np.float32))
        if isinstance(self.action_space, spaces.Discrete):
            actions = actions.long().flatten()
        return obs_as_tensor(seen, self.device), actions, chosen

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(array, device=self.device)

    def _epochs(self, buffer: Any) -> list[_Losses]:
        """Pass over the rollout, as SB3's PPO does."""
        done: list[_Losses] = []
        scale = self._heads.value_scale() if self.normalize_values else torch.ones((), device=self.device)
        for epoch in range(self.n_epochs):
            for batch in buffer.get(self.batch_size):
                loss, losses = self._losses(batch, scale, epoch)
                done.append(losses)
                if self.target_kl is not None and losses.divergence > 1.5 * self.target_kl:
                    self._n_updates += 1
                    return done
                self.policy.optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
                self.policy.optimizer.step()
            self._n_updates += 1
        return done

    def _losses(self, batch: ComponentSamples, scale: torch.Tensor, epoch: int) -> tuple[torch.Tensor, _Losses]:
        actions = batch.actions.long().flatten() if isinstance(self.action_space, spaces.Discrete) else batch.actions
        features, log_prob, entropy = self.policy.evaluate_actions(batch.observations, actions)
        advantages = batch.advantages
        if self.normalize_advantage and len(advantages) > 1:
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        clip_range = self._clip(self.clip_range)
        log_ratio = log_prob - batch.old_log_prob
        ratio = torch.exp(log_ratio)
        bounded = torch.clamp(ratio, 1 - clip_range, 1 + clip_range)
        policy_loss = -torch.min(advantages * ratio, advantages * bounded).mean()
        values = self._heads.component_values(features, batch.embeddings)
        if self.clip_range_vf is not None:
            bound = self._clip(self.clip_range_vf)
            values = batch.component_values + torch.clamp(values - batch.component_values, -bound, bound)
        heads = torch.square(batch.component_returns - values).mean(0)
        entropy_loss = log_prob.mean() if entropy is None else -entropy.mean()
        total = policy_loss + self.ent_coef * entropy_loss + self.vf_coef * (heads / scale).mean()
        with torch.no_grad():
            divergence = ((ratio - 1) - log_ratio).mean().item()
            clipped = (torch.abs(ratio - 1) > clip_range).float().mean().item()
        squares = heads.detach().cpu().numpy()
        figures = _Losses(epoch, total.item(), policy_loss.item(), squares, entropy_loss.item(), clipped, divergence)
        return total, figures

    def _clip(self, schedule: Any) -> float:
        return float(schedule(self._current_progress_remaining))

    def _log_training(self, buffer: Any, done: list[_Losses]) -> None:
        """SB3's figures under SB3's names, and the error of each value head."""
        assert self.reward is not None
        record = self.logger.record
        heads = np.mean([losses.heads for losses in done], axis=0)
        record("train/entropy_loss", np.mean([losses.entropy for losses in done]))
        record("train/policy_gradient_loss", np.mean([losses.policy for losses in done]))
        record("train/value_loss", heads.mean())
        last = [losses.divergence for losses in done if losses.epoch == done[-1].epoch]
        record("train/approx_kl", np.mean(last))
        record("train/clip_fraction", np.mean([losses.clipped for losses in done]))
        record("train/loss", done[-1].total)
        record("train/explained_variance", explained_variance(buffer.values.flatten(), buffer.returns.flatten()))
        for name, error in zip((*self.reward.components, "outer"), heads, strict=True):
            record(f"train/value_loss/{name}", error)
        if hasattr(self.policy, "log_std"):
            record("train/std", torch.exp(self.policy.log_std).mean().item())
        record("train/n_updates", self._n_updates, exclude="tensorboard")
        record("train/clip_range", self._clip(self.clip_range))
        if self.clip_range_vf is not None:
            record("train/clip_range_vf", self._clip(self.clip_range_vf))


def _rows(array: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Rows of an array (n_steps, n_envs, ...) by their place, step by step."""
    return array.reshape(-1, *array.shape[2:])[chosen]
