"""What the fusion extractor costs inside PPO: time of an update, and the network's share of a rollout."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import torch
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.utils import obs_as_tensor

import code_envs  # noqa: F401  registers the ids
from agents.cross_modal_extractor import CONFIGURATIONS, CrossModalFusionExtractor
from agents.ppo import PPO
from agents.vec_env import VectorEnvAdapter

__all__ = ["Cost", "rollout_and_update"]

Cost = dict[str, float]


def rollout_and_update(
    environments: int, steps: int, rounds: int, device: str, kernel: str, *, amp: bool = False,
    configuration: str = "default", **kwargs: Any,
) -> Cost:  # fmt: skip
    """Train PPO with the flat extractor for some rollouts; medians over them, the first left out.

    Args:
        environments: Number of episodes side by side.
        steps: Of each, per rollout.
        rounds: Rollouts.
        device: Where the network is.
        kernel: See `CrossModalFusionExtractor`.
        amp: See `agents.ppo.PPO`.
        configuration: Key of `CONFIGURATIONS`.
        **kwargs: Arguments of the environment.

    Returns:
        `step_ms` of a step of all environments, `network_ms` of the policy's forward pass for it, the network's
        `share` of both, and `update_ms` of one epoch over the rollout in minibatches of 64. Of the extractor's pass:
        `encoders` and `fusion`, their shares of its time, and `padding`, that of the tokens of code.
    """
    vector = gymnasium.make_vec("CodeRepair-v0", environments, autoreset_mode=AutoresetMode.SAME_STEP, **kwargs)
    env = VectorEnvAdapter(vector)
    try:
        model = PPO(
            "MultiInputPolicy", env, n_steps=steps, batch_size=min(64, environments * steps),
            n_epochs=1, seed=0, device=device, amp=amp,
            policy_kwargs={
                "features_extractor_class": CrossModalFusionExtractor,
                "features_extractor_kwargs": CONFIGURATIONS[configuration] | {"kernel": kernel},
            },
        )  # fmt: skip
        step, network, update = _Clock(device), _Clock(device), _Clock(device)
        env.step = step.around(env.step)  # type: ignore[method-assign]
        model.train = update.around(model.train)  # type: ignore[method-assign]
        # the policy itself is called in rollouts alone; updates call `evaluate_actions`
        model.policy.forward = network.around(model.policy.forward)  # type: ignore[method-assign]
        model.learn(environments * steps * (rounds + 1))
        parts = _parts(model, device)
    finally:
        env.close()
    step_ms, network_ms = step.median(steps), network.median(steps)
    return {
        "step_ms": step_ms,
        "network_ms": network_ms,
        "share": network_ms / (network_ms + step_ms),
        "update_ms": update.median(1),
        **parts,
    }


def _parts(model: PPO, device: str) -> Cost:
    """Shares of the extractor's time, by the last observations."""
    extractor: Any = model.policy.features_extractor
    observations: Any = obs_as_tensor(model._last_obs, model.device)  # type: ignore[arg-type]
    clocks = {name: _Clock(device) for name in ("code", "text", "rows", "all")}
    modules = (extractor.code, extractor.text, extractor.rows, extractor)
    for module, clock in zip(modules, clocks.values(), strict=True):
        module.forward = clock.around(module.forward)
    with torch.no_grad():
        for _ in range(5):
            extractor({name: each.float() for name, each in observations.items()})
    for module in modules:
        del module.forward
    code, text, rows, whole = (clock.median(1) for clock in clocks.values())
    real = observations["code"] != 0
    padding = 1 - real.sum().item() / (len(real) * real.sum(1).max().item())
    return {"encoders": (code + text) / whole, "fusion": (whole - code - text - rows) / whole, "padding": padding}


class _Clock:
    """Times the calls of a function, the device's work included."""

    def __init__(self, device: str) -> None:
        self.cuda = device.startswith("cuda")
        self.times: list[float] = []

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            began = self._now()
            result = function(*args, **kwargs)
            self.times.append(self._now() - began)
            return result

        return timed

    def _now(self) -> float:
        if self.cuda:
            torch.cuda.synchronize()
        return time.perf_counter()

    def median(self, skipped: int) -> float:
        """In ms, without the first calls."""
        return 1000 * statistics.median(self.times[skipped:])
