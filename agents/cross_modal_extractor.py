"""DCRL's features extractor: two encoders, cross-modal fusion, and a gate that follows the agent's progress."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import torch
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from agents.candidate_rows import FIXED_COLUMNS, CandidateRows
from agents.cross_modal import CrossModalLayer, RewardGate, attention_temperature, masked_mean
from agents.encoders import TokenEncoder
from agents.fused_layers import fuse_means, fuse_tokens
from agents.kernels.cross_modal import KERNELS

__all__ = ["CONFIGURATIONS", "CrossModalFusionExtractor", "CrossModalPointerExtractor", "extractors_of"]

Observations = dict[str, torch.Tensor]
Encoder = Callable[[gymnasium.spaces.Box], nn.Module]

CANDIDATE_KEYS = ("candidates", "candidate_scores", "action_mask")
FUSIONS = ("cross", "concat", "mean")
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "default": {"width": 256, "layers": 2, "heads": 4},
    "paper": {"width": 768, "layers": 6, "heads": 12, "expansion": 4, "share_qkv": True},
}
"""Sizes of the fusion, for `features_extractor_kwargs`: ours, and the paper's six transformer layers of width 768."""


class CrossModalFusionExtractor(BaseFeaturesExtractor):
    """Flat features of code and text for any SB3 algorithm on the `Dict` observations of this suite.

    Features are the fused vector z (width), every other vector of the observation as it is (`feedback`, `action_mask`,
    `rm_state`, ...), and `row_width` numbers for each candidate, zeros where it is not valid. Other matrices, such as
    the `pool` of CodeSearch, are not read.

    Temperature, margin and progress are buffers: a callback sets them between rollouts, the policy's file keeps them,
    and `predict` uses them as they are. See `agents.contrastive_callback`.

    Args:
        observation_space: `Dict` with token ids, int32 and padded with 0, under the two keys.
        width: Width D of the fusion.
        layers: Layers L of cross-attention.
        heads: Attention heads.
        expansion: See `CrossModalLayer`.
        share_qkv: See `CrossModalLayer`.
        fusion: "cross"; or without attention "concat" (a linear layer on both pooled modalities) or "mean", the
            paper's ablations. They have no gate.
        content_gate: See `RewardGate`.
        kappa: How strongly the temperature acts on attention; see `attention_temperature`.
        reference: Temperature at which attention is ordinary.
        temperature: Temperature to begin with.
        margin: Margin to begin with.
        projection: Width p of the embeddings that are aligned.
        encoder_width: Width of our token encoders.
        encoder_layers: Transformer layers of our token encoders.
        code_encoder: Makes another encoder from the key's space: a module with an attribute `width` and a
            `forward(ids)` like that of `TokenEncoder`, such as `agents.pretrained_encoder.HuggingFaceEncoder`.
        text_encoder: The same for text.
        row_width: Numbers for each candidate; 0 for none.
        code_key: Key of the code.
        text_key: Key of the text.
        kernel: "auto" takes the fused kernel of `agents.kernels` on CUDA, where Triton is installed, and plain PyTorch
            elsewhere; "reference" is plain PyTorch everywhere, which TRPO needs, for it differentiates twice; "triton"
            insists on the kernel.

    Attributes:
        temperature: Buffer () float32.
        margin: Buffer () float32.
        progress: Buffer [R, eta], (2,) float32, in [-1, 1].
        last_gate: Gate of the last forward pass, (D,) or (B, D) float32, for figures; None before and without gate.

    Raises:
        ValueError: If a key is missing from the space, or an argument cannot be used.

    Source: DCRL, eq. 8-15.
    """

    progress: torch.Tensor
    temperature: torch.Tensor
    margin: torch.Tensor

    def __init__(
        self,
        observation_space: gymnasium.spaces.Dict,
        width: int = 256,
        layers: int = 2,
        heads: int = 4,
        *,
        expansion: int = 0,
        share_qkv: bool = False,
        fusion: str = "cross",
        content_gate: bool = False,
        kappa: float = 0.5,
        reference: float = 0.1,
        temperature: float = 0.1,
        margin: float = 0.3,
        projection: int = 64,
        encoder_width: int = 64,
        encoder_layers: int = 2,
        code_encoder: Encoder | None = None,
        text_encoder: Encoder | None = None,
        row_width: int = 4,
        code_key: str = "code",
        text_key: str = "text",
        kernel: str = "auto",
    ) -> None:
        spaces = _dictionary(observation_space, (code_key, text_key))
        if fusion not in FUSIONS:
            raise ValueError(f"fusion must be one of {FUSIONS}, got {fusion!r}.")
        if kernel not in KERNELS:
            raise ValueError(f"kernel must be one of {KERNELS}, got {kernel!r}.")
        if min(reference, temperature) <= 0:
            raise ValueError(f"reference and temperature must be positive, got {reference!r} and {temperature!r}.")
        self.vectors = _vectors(spaces, (code_key, text_key))
        actions = spaces["action_mask"].shape[0] if row_width and set(CANDIDATE_KEYS) <= set(spaces) else 0
        size = width + sum(spaces[key].shape[0] for key in self.vectors) + row_width * actions
        super().__init__(observation_space, features_dim=size)
        self.code_key, self.text_key, self.fusion, self.kernel = code_key, text_key, fusion, kernel
        self.width, self.kappa, self.reference, self.row_width = width, kappa, reference, row_width

        def ours(space: gymnasium.spaces.Box) -> nn.Module:
            return TokenEncoder(_ids(space), space.shape[0], encoder_width, encoder_layers)

        self.code = (code_encoder or ours)(spaces[code_key])
        self.text = (text_encoder or ours)(spaces[text_key])
        self.code_in = nn.Linear(_width(self.code, encoder_width), width)
        self.text_in = nn.Linear(_width(self.text, encoder_width), width)
        self.code_projection = nn.Linear(width, projection)
        self.text_projection = nn.Linear(width, projection)
        count = layers if fusion == "cross" else 0
        self.layers = nn.ModuleList(CrossModalLayer(width, heads, share_qkv, expansion) for _ in range(count))
        self.gate = RewardGate(width, content_gate) if fusion == "cross" else None
        self.joined = nn.Linear(2 * width, width) if fusion == "concat" else None
        self.rows: CandidateRows | None = None
        if actions:
            self.rows = _candidate_rows(spaces, row_width)
        self.register_buffer("temperature", torch.tensor(float(temperature)))
        self.register_buffer("margin", torch.tensor(float(margin)))
        self.register_buffer("progress", torch.full((2,), -1.0))
        self.last_gate: torch.Tensor | None = None

    def forward(self, observations: Observations) -> Any:
        """Flat features, (B, features_dim) float32.

        Args:
            observations: Tensors of the observation space, batched.
        """
        streams, real = self._streams(observations)
        means = fuse_means(self._layers, streams, real, self._temperature(), self.kernel)
        fused = self._blend(*means)
        parts = [fused, *(observations[key].float().flatten(1) for key in self.vectors)]
        if self.rows is not None:
            valid = observations["action_mask"] > 0
            known = fused.new_zeros(*valid.shape, self.row_width)
            rows, scores = observations["candidates"][valid].long(), observations["candidate_scores"][valid]
            known[valid] = self.rows(rows, scores).to(known.dtype)  # mixed precision may make them differ
            parts.append(known.flatten(1))
        return torch.cat(parts, -1)

    def embed(self, observations: Observations) -> tuple[torch.Tensor, torch.Tensor]:
        """Embeddings of code and text, each of its own modality alone, so that no negative can leak.

        Args:
            observations: At least the two keys, (B, T) and (B, M).

        Returns:
            (B, p) and (B, p) float32, not scaled to length 1.
        """
        text, text_real = self._encoded(self.text, self.text_in, observations[self.text_key])
        return self.embed_code(observations[self.code_key]), self.text_projection(masked_mean(text, text_real))

    def embed_code(self, ids: torch.Tensor) -> torch.Tensor:
        """Embeddings of code alone: ids (B, T) give (B, p) float32."""
        return self.code_projection(masked_mean(*self._encoded(self.code, self.code_in, ids)))

    def fuse(self, observations: Observations) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Encode and fuse.

        Args:
            observations: At least the two keys.

        Returns:
            Code before the fusion (B, T', D) and after it (B, T', D), and z (B, D).
        """
        (code, text), real = self._streams(observations)
        fused, told = fuse_tokens(self._layers, (code, text), real, self._temperature(), self.kernel)
        return code, fused, self._blend(masked_mean(fused, real[0]), masked_mean(told, real[1]))

    def _streams(
        self, observations: Observations
    ) -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
        """Code and text before the fusion, and their masks."""
        code, code_real = self._encoded(self.code, self.code_in, observations[self.code_key])
        text, text_real = self._encoded(self.text, self.text_in, observations[self.text_key])
        return (code, text), (code_real, text_real)

    @property
    def _layers(self) -> list[CrossModalLayer]:
        return list(self.layers)  # type: ignore[arg-type]

    def _temperature(self) -> torch.Tensor:
        return attention_temperature(self.temperature, self.reference, self.kappa)

    def _blend(self, code: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        if self.gate is not None:
            blend, gate = self.gate(code, text, self.progress)
            self.last_gate = gate.detach()
            return blend
        return (code + text) / 2 if self.joined is None else self.joined(torch.cat([code, text], -1))

    def set_alignment(self, temperature: float, margin: float, progress: Any) -> None:
        """Set the buffers; between rollouts only, or PPO's ratios do not begin at 1.

        Args:
            temperature: Of the contrastive loss.
            margin: Of the contrastive loss.
            progress: [R, eta], (2,).
        """
        self.temperature.fill_(float(temperature))
        self.margin.fill_(float(margin))
        self.progress.copy_(torch.as_tensor(progress, dtype=torch.float32))

    def alignment_modules(self) -> list[nn.Module]:
        """The modules that `embed` uses: those which a contrastive loss trains."""
        return [self.code, self.code_in, self.code_projection, self.text, self.text_in, self.text_projection]

    def _encoded(self, encoder: nn.Module, inward: nn.Module, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # TRPO and the exact hypergradient differentiate twice, which torch's fused attention cannot
        with sdpa_kernel(SDPBackend.MATH) if torch.is_grad_enabled() else contextlib.nullcontext():
            vectors, real = encoder(ids.long())
        return inward(vectors), real


class CrossModalPointerExtractor(CrossModalFusionExtractor):
    """The same for `FusionPolicy`: instead of flat features, one vector for each valid candidate.

    `FusionPolicy(..., features_extractor_class=CrossModalPointerExtractor)`. A candidate sees the code at its position
    before and after the fusion.

    Args:
        observation_space: `Dict` with the keys of `CodeRepair-v0`.
        hidden: Width of the state and of the candidates.
        **kwargs: Arguments of `CrossModalFusionExtractor`, without `row_width`.

    Raises:
        ValueError: If a key is missing from the space, or an argument cannot be used.
    """

    def __init__(self, observation_space: gymnasium.spaces.Dict, hidden: int = 128, **kwargs: Any) -> None:
        if "row_width" in kwargs:
            raise ValueError("CrossModalPointerExtractor gives each candidate `hidden` numbers; leave row_width out.")
        spaces = _dictionary(observation_space, ("feedback", *CANDIDATE_KEYS))
        super().__init__(observation_space, row_width=0, **kwargs)
        self._features_dim = hidden
        self.rows = _candidate_rows(spaces, hidden, 2 * self.width)
        feedback = spaces["feedback"].shape[0]
        self.state = nn.Sequential(nn.Linear(self.width + feedback, hidden), nn.GELU(), nn.Linear(hidden, hidden))

    def forward(self, observations: Observations) -> Observations:
        """Encode a batch.

        Args:
            observations: Tensors of the observation space, batched.

        Returns:
            `state` (B, hidden); `candidates` (N, hidden), one per valid action of the batch, row by row; and `valid`
            (B, A) bool.
        """
        code, fused, blend = self.fuse(observations)
        valid = observations["action_mask"] > 0
        sample = valid.nonzero(as_tuple=True)[0]
        rows = observations["candidates"][valid].long()
        position = rows[:, FIXED_COLUMNS - 1].clamp(max=fused.shape[1] - 1)
        assert self.rows is not None
        known = self.rows(
            rows, observations["candidate_scores"][valid], fused[sample, position], code[sample, position]
        )
        state = self.state(torch.cat([blend, observations["feedback"]], -1))
        return {"state": state, "candidates": known, "valid": valid}


def extractors_of(policy: nn.Module) -> list[CrossModalFusionExtractor]:
    """Every extractor of a policy, target networks included, each once.

    Raises:
        ValueError: If there is none.
    """
    found = [each for each in policy.modules() if isinstance(each, CrossModalFusionExtractor)]
    if not found:
        raise ValueError(
            f"{type(policy).__name__} has no CrossModalFusionExtractor; make the model with "
            "policy_kwargs=dict(features_extractor_class=CrossModalFusionExtractor)."
        )
    return found


def _dictionary(space: gymnasium.Space[Any], keys: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(space, gymnasium.spaces.Dict):
        raise ValueError(f"The extractor needs a Dict observation space, such as those of this suite, not {space}.")
    missing = [key for key in keys if key not in space.spaces]
    if missing:
        raise ValueError(f"The extractor needs the observation keys {keys}; {missing} are missing.")
    return space.spaces


def _vectors(spaces: Mapping[str, Any], tokens: tuple[str, ...]) -> list[str]:
    """Keys of the other vectors, in the order of the space."""
    boxes = {key: space for key, space in spaces.items() if isinstance(space, gymnasium.spaces.Box)}
    return [key for key, box in boxes.items() if len(box.shape) == 1 and key not in tokens]


def _candidate_rows(spaces: Mapping[str, Any], hidden: int, extra: int = 0) -> CandidateRows:
    candidates, scores = spaces["candidates"], spaces["candidate_scores"]
    return CandidateRows(_ids(candidates), candidates.shape[1], scores.shape[1], hidden, extra)


def _ids(space: gymnasium.spaces.Box) -> int:
    return int(space.high.max()) + 1


def _width(encoder: nn.Module, ours: int) -> int:
    return int(getattr(encoder, "width", ours))
