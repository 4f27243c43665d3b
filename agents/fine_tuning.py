"""Fine-tuning of a sentence encoder on pairs of text and code, by the contrastive loss of DCRL.

Batches are cliques of alike pairs, so that the negatives of a batch are hard ones: those that a pool of a search engine
would hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from agents.contrastive import contrastive_loss
from agents.performance import Performance
from agents.schedule import ContrastiveSchedule
from agents.sentence_encoder import SentenceEncoder

__all__ = ["FineTuningConfig", "epoch_order", "fine_tune"]


@dataclass(frozen=True, slots=True)
class FineTuningConfig:
    """Settings of `fine_tune`.

    Args:
        epochs: Times that each pair is seen.
        batch_size: Pairs per gradient step.
        clique: Pairs of a batch that come together because they are alike; 1 leaves batches to chance.
        learning_rate: Peak rate of AdamW; it rises over the first tenth of the steps and falls to zero.
        weight_decay: Of AdamW.
        margin_weight: Of the loss.
        window: Batches that the averages of the schedule's progress remember.
        max_grad_norm: Gradient clipping.
    """

    epochs: int = 3
    batch_size: int = 32
    clique: int = 8
    learning_rate: float = 2e-4
    weight_decay: float = 0.01
    margin_weight: float = 1.0
    window: int = 20
    max_grad_norm: float = 1.0


def epoch_order(near: NDArray[np.float32], clique: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """An order of pairs, each once, in which those that are alike stand together.

    Args:
        near: Similarity of every pair with every other, (N, N).
        clique: A pair is drawn, then come the `clique - 1` nearest that are left, then another is drawn.
        rng: Draws them.

    Returns:
        Numbers of pairs, (N,) int64.
    """
    left = np.ones(len(near), np.bool_)
    order: list[int] = []
    for first in rng.permutation(len(near)):
        if not left[first]:
            continue
        left[first] = False
        others = np.flatnonzero(left)
        nearest = others[np.argsort(-near[first, others], kind="stable")[: clique - 1]]
        left[nearest] = False
        order += [int(first), *map(int, nearest)]
    return np.array(order)


def fine_tune(
    encoder: SentenceEncoder,
    texts: Sequence[str],
    codes: Sequence[str],
    schedule: ContrastiveSchedule,
    config: FineTuningConfig | None = None,
    *,
    seed: int = 0,
    progress: Callable[[dict[str, float]], None] | None = None,
) -> None:
    """Bring each text and its code together, in place; the encoder is in evaluation afterwards.

    The schedule's progress is that of retrieval within batches: R the mean reciprocal rank, eta the share of texts
    whose code is the nearest, both as moving averages scaled to [-1, 1]. A mode that is trained by the hypergradient
    needs a policy, and there is none here.

    Args:
        encoder: To be trained; what of it is trained is its own choice.
        texts: Descriptions, N.
        codes: The code of each; pairs with the same text or code are no negatives of each other.
        schedule: Says what temperature and margin are.
        config: Settings.
        seed: Seeds the order of the pairs and dropout.
        progress: Called after each epoch with `epoch`, `loss`, `accuracy`, `temperature` and `margin`, means over it.

    Raises:
        ValueError: If the schedule is trained by the hypergradient, or texts and codes are not pairs.

    Source: DCRL, eq. 4-6.
    """
    config = config or FineTuningConfig()
    if schedule.trained_by("hypergradient"):
        raise ValueError(f"mode {schedule.mode!r} learns from a policy's gradient; fine-tuning has no policy.")
    if len(texts) != len(codes) or len(texts) < 2:
        raise ValueError(f"Expected at least two texts, each with its code; got {len(texts)} and {len(codes)}.")
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    encoder.eval()
    near = encoder.embed(texts) @ encoder.embed(codes).T
    ids = encoder.encoder.ids(texts), encoder.encoder.ids(codes)
    groups = torch.from_numpy(_groups(texts, codes))
    learned = [each for each in encoder.parameters() if each.requires_grad] + schedule.trained_by("loss")
    optimizer = torch.optim.AdamW(learned, lr=config.learning_rate, weight_decay=config.weight_decay)
    steps = config.epochs * (len(texts) // config.batch_size or 1)
    performance, step = Performance((0.0, 1.0), config.window), 0
    for epoch in range(config.epochs):
        order = epoch_order(near, config.clique, rng)
        batches = np.array_split(order, len(texts) // config.batch_size or 1)
        rows = []
        encoder.train()
        for number in rng.permutation(len(batches)):
            chosen = torch.from_numpy(batches[number])
            _set_rate(optimizer, config.learning_rate, step / steps)
            text, code = (encoder(each[chosen]) for each in ids)
            temperature, margin = schedule(torch.from_numpy(performance.progress), step / steps)
            loss = contrastive_loss(
                code, text, temperature, margin, groups[chosen], margin_weight=config.margin_weight
            ).total
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learned, config.max_grad_norm)
            optimizer.step()
            schedule.keep_within()
            reciprocal, accuracy = _retrieval(text, code)
            performance.add(reciprocal, accuracy)
            rows.append([loss.item(), accuracy, temperature.item(), margin.item()])
            step += 1
        encoder.eval()
        if progress is not None:
            names = ("loss", "accuracy", "temperature", "margin")
            means = dict(zip(names, np.mean(rows, 0).tolist(), strict=True))
            progress({"epoch": float(epoch + 1), **means})


def _groups(texts: Sequence[str], codes: Sequence[str]) -> NDArray[np.int64]:
    """A number for each pair; those with the same text, or the same code, have the number of the first."""
    numbers: dict[tuple[str, str], int] = {}
    found = []
    for number, (text, code) in enumerate(zip(texts, codes, strict=True)):
        known = numbers.get(("text", text), numbers.get(("code", code), number))
        numbers.setdefault(("text", text), known)
        numbers.setdefault(("code", code), known)
        found.append(known)
    return np.array(found)


def _set_rate(optimizer: torch.optim.Optimizer, peak: float, done: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = peak * min(10 * done + 0.1, 1.0, 1.0 - done + 0.02)


@torch.no_grad()
def _retrieval(text: torch.Tensor, code: torch.Tensor) -> tuple[float, float]:
    """Mean reciprocal rank and share of first ranks of each text's own code within the batch."""
    cosines = text @ code.T
    ranks = 1 + (cosines > cosines.diagonal()[:, None]).sum(1)
    return (1 / ranks).mean().item(), (ranks == 1).float().mean().item()
