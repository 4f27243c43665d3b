"""DCRL as a callback: contrastive steps before each rollout, and a temperature and margin that adapt.

pairs = Pairs(code, text, tasks)
model = PPO("MultiInputPolicy", env, policy_kwargs={"features_extractor_class": CrossModalFusionExtractor})
model.learn(100_000, callback=ContrastiveCallback(pairs, ContrastiveSchedule("dcrl")))
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch

from agents.auxiliary import AuxiliaryCallback, Experience, encoder_parameters
from agents.contrastive import contrastive_figures, contrastive_loss
from agents.cross_modal_extractor import CrossModalFusionExtractor
from agents.hypergradient import Hypergradient, cosine, hypergradient, preconditioner
from agents.pairs import Batch, Pairs
from agents.performance import PerformanceTracker
from agents.schedule import ContrastiveSchedule
from agents.similarity import FrozenSimilarity

__all__ = ["ContrastiveCallback"]


DAMPING = 0.1
"""Of the preconditioner. Without it the central difference had nothing to do with the exact derivative (correlation
below 0.5); from 0.01 to 1 it is within 1 %."""


class ContrastiveCallback(AuxiliaryCallback):
    """Aligns code and text under any on-policy algorithm whose policy has a `CrossModalFusionExtractor`.

    Before each rollout: `n_steps` contrastive steps at the schedule's temperature and margin; every `k` of them the
    schedule adapts; then temperature, margin and progress go into the extractors' buffers, where they stay through the
    rollout and PPO's update. With `n_steps=0` only the gate and the attention follow the progress.

    Environments in `wrappers.AlignmentBonus` get a frozen copy of the encoder as their potential, anew before each
    rollout.

    Logged under `dcrl/`: `loss`, `temperature`, `margin`, `return` and `success` (R and eta), `gate_mean` and
    `gate_spread`, `alignment`, `separation`, `accuracy` and `uniformity` of a batch, `share_of_time`; and every `k`
    steps `interference` (cosine between policy and contrastive gradient on the encoder), `hyper_temperature`,
    `hyper_margin` and `hyper_share_of_time`.

    Args:
        pairs: The positives.
        schedule: Says what temperature and margin are; a mode's name, or nothing for a constant 0.1 and 0.3.
        tracker: Follows the progress; do not give it to `learn` as well.
        k: Contrastive steps between adaptations.
        hyper_learning_rate: Of Adam, for the schedule's own parameters.
        method: Of `agents.hypergradient`.
        experience: Steps of the last rollout that the policy's gradient is taken of.
        diagnose: Also measure the interference in modes that need no hypergradient.
        margin_form: As for `contrastive_loss`.
        negative: As for `contrastive_loss`. At temperatures near 1, where `dcrl`, `closed` and `curriculum` begin, the
            hardest one makes all embeddings fall together (separation 0.0003 after 56 steps of search; random 0.19).
        symmetric: As for `contrastive_loss`.
        margin_weight: As for `contrastive_loss`.
        add_solved: Add the last code of each episode with `info["is_success"]` to the pairs, under `info["task_id"]`.
        **kwargs: Arguments of `AuxiliaryCallback`.

    Attributes:
        schedule: The schedule.
        tracker: The tracker.

    Source: DCRL, sections 4.1, 4.2 and 4.5.
    """

    def __init__(
        self,
        pairs: Pairs,
        schedule: ContrastiveSchedule | str = "static",
        *,
        tracker: PerformanceTracker | None = None,
        k: int = 100,
        hyper_learning_rate: float = 1e-2,
        method: str = "central",
        experience: int = 256,
        diagnose: bool = True,
        margin_form: str = "softplus",
        negative: str = "random",
        symmetric: bool = True,
        margin_weight: float = 1.0,
        add_solved: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**({"name": "dcrl"} | kwargs))
        if k < 1 or experience < 2:
            raise ValueError(f"Expected k >= 1 and experience >= 2, got {k!r} and {experience!r}.")
        self.pairs = pairs
        self.schedule = ContrastiveSchedule(schedule) if isinstance(schedule, str) else schedule
        self.tracker = tracker or PerformanceTracker()
        self.k, self.method, self.experience, self.diagnose = k, method, experience, diagnose
        self.add_solved = add_solved
        self._options: dict[str, Any] = {
            "margin_form": margin_form,
            "negative": negative,
            "symmetric": symmetric,
            "margin_weight": margin_weight,
        }
        learned = self.schedule.trained_by("hypergradient")
        self.hyper_optimizer = torch.optim.Adam(learned, lr=hyper_learning_rate) if learned else None
        self._adapted_at = 0
        self._last: Experience | None = None
        self._batch: Batch | None = None
        self._figures: dict[str, float] = {}
        self._hyper_seconds = 0.0

    # contrastive steps ----------------------------------------------------------------------------

    def _own_parameters(self) -> list[torch.nn.Parameter]:
        return self.schedule.trained_by("loss")

    def _before_step(self) -> None:
        if self.steps - self._adapted_at >= self.k and self._last is not None:
            began = time.perf_counter()
            self._adapt(self._last)
            self._adapted_at = self.steps
            self._hyper_seconds += time.perf_counter() - began
        self._batch = self._draw()

    def _after_step(self) -> None:
        self.schedule.keep_within()

    def _draw(self) -> Batch:
        batch = self.pairs.sample(self.batch_size, self.rng)
        return Batch(*(each.to(self.model.device) for each in batch))

    def _embed(self, extractor: CrossModalFusionExtractor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        return extractor.embed({extractor.code_key: batch.code, extractor.text_key: batch.text})

    def _loss(self, extractor: CrossModalFusionExtractor) -> torch.Tensor:
        assert self._batch is not None
        code, text = self._embed(extractor, self._batch)
        temperature, margin = self._scheduled()
        return self._contrast(code, text, temperature, margin, self._batch.groups)

    def _contrast(
        self,
        code: torch.Tensor,
        text: torch.Tensor,
        temperature: torch.Tensor,
        margin: torch.Tensor,
        groups: torch.Tensor,
    ) -> torch.Tensor:
        # the same random negatives in all evaluations of a step, or a difference of two would be noise
        generator = torch.Generator().manual_seed(self.steps)
        return contrastive_loss(code, text, temperature, margin, groups, generator=generator, **self._options).total

    def _scheduled(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.schedule(self._progress, 1.0 - self.model._current_progress_remaining)

    @property
    def _progress(self) -> torch.Tensor:
        return torch.from_numpy(self.tracker.progress)

    # adapting -------------------------------------------------------------------------------------

    def _adapt(self, last: Experience) -> None:
        """Measure how the contrastive loss and the policy's get on, and let the schedule learn from it."""
        if self.hyper_optimizer is None and not self.diagnose:
            return
        extractor = self._acting()
        parameters = encoder_parameters([extractor])
        policy = torch.autograd.grad(last.policy_loss(self.model.policy), parameters, allow_unused=True)
        batch = self._draw()
        self._interfere(extractor, batch, parameters, policy)
        if self.hyper_optimizer is None:
            return
        assert self.optimizer is not None
        factors = preconditioner(self.optimizer, parameters, DAMPING)
        direction = [
            torch.zeros_like(factor) if along is None else factor * along
            for along, factor in zip(policy, factors, strict=True)
        ]
        temperature, margin = self.schedule.proposal(self._progress)
        found = hypergradient(
            lambda: self._embed(extractor, batch),
            lambda code, text, at_temperature, at_margin: self._contrast(
                code, text, at_temperature, at_margin, batch.groups
            ),
            parameters, direction, temperature, margin, rate=self.learning_rate, method=self.method,
        )  # fmt: skip
        self._learn(found, temperature, margin)

    def _learn(self, found: Hypergradient, temperature: torch.Tensor, margin: torch.Tensor) -> None:
        """Move the coefficients and the network along the hypergradient, then take what the network says."""
        assert self.hyper_optimizer is not None
        self.hyper_optimizer.zero_grad()
        surrogate = temperature * found.temperature + margin * found.margin
        if surrogate.requires_grad:  # not where both are fixed
            surrogate.backward()
            self.hyper_optimizer.step()
        self.schedule.advance(self._progress)
        self._figures |= {"hyper_temperature": found.temperature, "hyper_margin": found.margin}

    def _interfere(
        self,
        extractor: CrossModalFusionExtractor,
        batch: Batch,
        parameters: list[torch.nn.Parameter],
        policy: tuple[torch.Tensor | None, ...],
    ) -> None:
        code, text = self._embed(extractor, batch)
        temperature, margin = (each.detach() for each in self._scheduled())
        loss = self._contrast(code, text, temperature, margin, batch.groups)
        contrastive = torch.autograd.grad(loss, parameters, allow_unused=True)
        both = zip(policy, contrastive, strict=True)
        shared = [(one, two) for one, two in both if one is not None and two is not None]
        self._figures["interference"] = cosine([one for one, _ in shared], [two for _, two in shared])

    def _acting(self) -> CrossModalFusionExtractor:
        """The extractor that the actions come from."""
        policy: Any = self.model.policy
        found = policy.features_extractor if policy.share_features_extractor else policy.pi_features_extractor
        assert isinstance(found, CrossModalFusionExtractor)
        return found

    # before a rollout -----------------------------------------------------------------------------

    def _conclude(self, loss: float | None) -> dict[str, float]:
        with torch.no_grad():
            temperature, margin = self._scheduled()
        progress = self.tracker.progress
        for extractor in self.extractors:
            extractor.set_alignment(temperature.item(), margin.item(), progress)
        figures = super()._conclude(loss) | self._take_figures()
        figures |= {"temperature": temperature.item(), "margin": margin.item()}
        figures |= {"return": float(progress[0]), "success": float(progress[1])}
        acting = self._acting()
        with torch.no_grad():
            batch = self._batch or self._draw()
            figures |= contrastive_figures(*self._embed(acting, batch), batch.groups)._asdict()
        if acting.last_gate is not None:
            figures["gate_mean"] = acting.last_gate.mean().item()
            figures["gate_spread"] = acting.last_gate.std(unbiased=False).item()
        if self.training_env.has_attr("set_similarity"):
            self.training_env.env_method("set_similarity", FrozenSimilarity(acting))
        return figures

    def _take_figures(self) -> dict[str, float]:
        figures, self._figures = self._figures, {}
        spent = time.perf_counter() - self._began
        return figures | {"hyper_share_of_time": self._hyper_seconds / max(spent, 1e-9)}

    # SB3's hooks ----------------------------------------------------------------------------------

    def _init_callback(self) -> None:
        self.tracker.init_callback(self.model)

    def _on_training_start(self) -> None:
        super()._on_training_start()
        self._hyper_seconds = 0.0
        self.tracker.on_training_start(self.locals, self.globals)

    def _on_step(self) -> bool:
        self.tracker.update_locals(self.locals)
        self.tracker.on_step()
        if self.add_solved:
            self._keep_solved()
        return True

    def _keep_solved(self) -> None:
        code, text = self.extractors[0].code_key, self.extractors[0].text_key
        for info, done in zip(self.locals["infos"], self.locals["dones"], strict=True):
            if done and info.get("is_success"):
                last = info["terminal_observation"]
                self.pairs.add(last[code], last[text], info["task_id"])

    def _on_rollout_end(self) -> None:
        self._last = Experience.of(self.model, self.experience)  # type: ignore[arg-type]

    # saving ---------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Save what the model's own file does not hold: the schedule, the averages and both optimizers."""
        state = {
            "schedule": self.schedule.state_dict(),
            "performance": self.tracker.performance.state(),
            "optimizer": None if self.optimizer is None else self.optimizer.state_dict(),
            "hyper_optimizer": None if self.hyper_optimizer is None else self.hyper_optimizer.state_dict(),
            "steps": [self.steps, self._adapted_at],
        }
        torch.save(state, path)

    def load(self, path: str | Path) -> None:
        """Go on from a saved state; before `learn`.

        Raises:
            RuntimeError: If it is the state of another kind of schedule.
        """
        state = torch.load(path, weights_only=True)
        self.schedule.load_state_dict(state["schedule"])
        self.tracker.performance.load_state(state["performance"])
        self._optimizer_state = state["optimizer"]
        self.optimizer = None
        if self.hyper_optimizer is not None and state["hyper_optimizer"] is not None:
            self.hyper_optimizer.load_state_dict(state["hyper_optimizer"])
        self.steps, self._adapted_at = state["steps"]
