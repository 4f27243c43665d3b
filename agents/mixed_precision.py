"""Features in bfloat16, heads and losses in float32: mixed precision for SB3's policies.

Only the features extractors, where nearly all the work is, run under autocast. Logits stay exact to float32, and
rollouts and updates see the same features, so that PPO's ratios begin at 1.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

__all__ = ["bfloat16_features"]

EXTRACTORS = ("features_extractor", "pi_features_extractor", "vf_features_extractor")


@contextlib.contextmanager
def bfloat16_features(policy: nn.Module, device: torch.device) -> Iterator[None]:
    """Run a policy's features extractors under bfloat16 autocast; their features come out as float32.

    Args:
        policy: SB3's policy.
        device: Where it is.

    Raises:
        ValueError: If the GPU has no bfloat16.
    """
    if device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise ValueError(f"amp=True needs bfloat16, which {torch.cuda.get_device_name(device)} has not; use amp=False.")
    found = {id(each): each for each in (getattr(policy, name, None) for name in EXTRACTORS) if each is not None}
    for each in found.values():
        each.forward = _cast(each.forward, device.type)
    try:
        yield
    finally:
        for each in found.values():
            del each.forward  # the instance's; the class's is left


def _cast(forward: Callable[..., Any], device: str) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast(device, torch.bfloat16):
            features = forward(*args, **kwargs)
        if isinstance(features, dict):
            return {name: _float(each) for name, each in features.items()}
        return _float(features)

    return run


def _float(features: torch.Tensor) -> torch.Tensor:
    return features.float() if features.is_floating_point() else features
