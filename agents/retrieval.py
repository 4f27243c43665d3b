"""RetrievalPolicy: a pointer policy that picks from a pool what a text describes.

A dual encoder: text and pool share their word embeddings, each side weighs its words by a learnt importance. What
a function is scored by: the product of both vectors, how much of the text it repeats, word by word, exactly and by
nearness of embeddings, and the scores that come with the observation, all of it beside the best of the pool. The
mask comes with the observation, so that plain PPO never samples an invalid action.

Sources: Karpukhin et al. (2020) for the dual encoder, Khattab and Zaharia (2020) for the match word by word.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import torch
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn
from torch.nn import functional

from agents.pointer import INVALID, ActionHead, Features, PointerPolicy

__all__ = ["MaskableRetrievalPolicy", "PoolHead", "RetrievalExtractor", "RetrievalPolicy"]

KEYS = ("text", "pool", "feedback", "candidate_scores", "action_mask")
SMALL = 1e-6
GIVEN = 2.0
NEAR = 12
"""So many words of a member are compared by nearness: its name, and where it begins."""


class RetrievalExtractor(BaseFeaturesExtractor):
    """Compares a text with every member of a pool.

    Args:
        observation_space: `Dict` with the keys of `CodeSearch-v0`; `pool_scores` is used where it is there.
        width: Width D of words.
        hidden: Width of what is known of a member of the pool.
        heads: So many importances each word has, H; each gives a match of its own.
        dropout: Share of activations, and of the words of the text, dropped while training. Good for imitation; PPO
            compares the probabilities of two passes and wants 0.

    Raises:
        ValueError: If a key is missing from the space.
    """

    def __init__(
        self,
        observation_space: gymnasium.spaces.Dict,
        width: int = 48,
        hidden: int = 96,
        heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(observation_space, features_dim=hidden)
        missing = [key for key in KEYS if key not in observation_space.spaces]
        if missing:
            raise ValueError(f"RetrievalPolicy needs the observation keys {KEYS}; {missing} are missing.")
        text = observation_space["text"]
        assert isinstance(text, gymnasium.spaces.Box)
        self.vocabulary = vocabulary = int(text.high.max()) + 1
        scores = observation_space["candidate_scores"].shape
        feedback = observation_space["feedback"].shape
        assert scores is not None
        assert feedback is not None
        self.dropout = dropout
        self.scored = "pool_scores" in observation_space.spaces
        given = scores[1] + (observation_space["pool_scores"].shape[1] if self.scored else 0)  # type: ignore[index]
        self.words = nn.Embedding(vocabulary, width, padding_idx=0)
        self.importance = nn.Embedding(vocabulary, heads + 1)
        self.weight = nn.Embedding(vocabulary, heads + 1)
        self.encode_text = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        self.encode_member = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        matches = 3 * heads + 1 + given
        self.norm = nn.LayerNorm(width)
        self.member = nn.Sequential(
            nn.Linear(2 * matches + 2 * width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, hidden)
        )
        self.linear = nn.Linear(2 * matches, 1)
        self.state = nn.Sequential(nn.Linear(hidden + feedback[0], hidden), nn.GELU(), nn.Linear(hidden, hidden))
        nn.init.normal_(self.words.weight, std=width**-0.5)
        nn.init.zeros_(self.importance.weight)
        nn.init.zeros_(self.weight.weight)
        nn.init.zeros_(self.linear.weight)
        with torch.no_grad():  # to begin with, the scores that come with the observation decide
            self.linear.weight[0, matches + 3 * heads : 2 * matches - 1] = GIVEN

    def forward(self, observations: Features) -> Features:
        """Encode a batch.

        Args:
            observations: Tensors of the observation space, batched.

        Returns:
            `state` (B, hidden); `members` (B, K, hidden); `base` (B, K), a linear score to start from; and `valid`
            (B, A) bool.
        """
        text, pool = observations["text"].long(), observations["pool"].long()
        text = text[:, : max(int((text != 0).sum(1).max()), 1)]  # (B, M)
        pool = pool[:, :, : max(int((pool != 0).sum(2).max()), 1)]  # (B, K, L)
        if self.training and self.dropout:
            text = text * (torch.rand(text.shape, device=text.device) >= self.dropout)
        importance = _shares(self.importance(text), text != 0)  # (B, M, H + 1)
        weight = _shares(self.weight(pool), pool != 0)  # (B, K, L, H + 1)
        matches = self._overlaps(text, pool, importance[..., 1:], weight[..., 1:])
        matches.append(observations["candidate_scores"][:, : pool.shape[1]])
        if self.scored:
            matches.append(observations["pool_scores"])
        query = self.encode_text(self._mean(text, importance[..., 0]))  # (B, D)
        members = self.encode_member(self._mean(pool, weight[..., 0]))  # (B, K, D)
        matches.append((query.unsqueeze(1) * members).sum(-1, keepdim=True))
        absolute = torch.cat(matches, -1)  # (B, K, F)
        relative = absolute - absolute.max(1, keepdim=True).values
        features = torch.cat([absolute, relative], -1)
        products = functional.dropout(query.unsqueeze(1) * members, self.dropout, self.training)
        both = torch.cat([features, products, self.norm(members)], -1)
        known = self.member(both)
        base = self.linear(features).squeeze(-1)
        pooled = torch.cat([known.max(1).values, observations["feedback"]], -1)
        valid = observations["action_mask"] > 0
        return {"state": self.state(pooled), "members": known, "base": base, "valid": valid}

    def _overlaps(
        self, text: torch.Tensor, pool: torch.Tensor, importance: torch.Tensor, weight: torch.Tensor
    ) -> list[torch.Tensor]:
        """Shares of the text found in each member, exactly and nearly, and of each member in the text; (B, K, H)."""
        there = _present(pool, self.vocabulary).gather(2, text.unsqueeze(1).expand(-1, pool.shape[1], -1))  # (B, K, M)
        asked = _present(text, self.vocabulary).gather(1, pool.flatten(1)).view(pool.shape)  # (B, K, L)
        nearest = self._nearest(text, pool[:, :, :NEAR])
        return [there @ importance, nearest @ importance, (asked.unsqueeze(-1) * weight).sum(2)]

    def _nearest(self, text: torch.Tensor, pool: torch.Tensor) -> torch.Tensor:
        """How near the nearest word of each member is to each word of the text, (B, K, M) in [-1, 1]."""
        count, members, length = pool.shape
        words = functional.normalize(self.words.weight, dim=-1)
        flat = pool.flatten(1)
        near = words[text] @ words[flat].transpose(1, 2)  # (B, M, K L)
        near = near.masked_fill((flat == 0).unsqueeze(1), -1.0).view(count, -1, members, length)
        return near.amax(-1).transpose(1, 2)

    def _mean(self, words: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Weighted means of word vectors: (..., N) and (..., N) give (..., D)."""
        rows = words.reshape(-1, words.shape[-1])
        means = functional.embedding_bag(
            rows, self.words.weight, per_sample_weights=weights.reshape(rows.shape), mode="sum", padding_idx=0
        )
        return means.view(*words.shape[:-1], -1)


def _present(ids: torch.Tensor, vocabulary: int) -> torch.Tensor:
    """1 where an id but padding occurs, (..., vocabulary) float32."""
    found = torch.zeros(*ids.shape[:-1], vocabulary, device=ids.device).scatter_(-1, ids, 1.0)
    found[..., 0] = 0.0
    return found


def _shares(logits: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """Importances that add up to 1 over the real words, (..., N, H)."""
    weights = logits.exp() * real.unsqueeze(-1)
    return weights / (weights.sum(-2, keepdim=True) + SMALL)


class PoolHead(ActionHead):
    """Scores of actions, and the value of the state, from what the extractor found.

    Args:
        hidden: Width of state and members.
        actions: Number of actions A: the size K of the pool, or a multiple of it with one kind of action after the
            other.
        kinds: Kinds of actions, A / K.
    """

    def __init__(self, hidden: int, actions: int, kinds: int = 1) -> None:
        super().__init__(hidden, actions)
        self.score = nn.Sequential(nn.GELU(), nn.Linear(hidden, kinds))
        self.value = nn.Sequential(nn.GELU(), nn.Linear(hidden, hidden), nn.GELU())

    def forward_actor(self, features: Features) -> torch.Tensor:
        """Logits (B, A); invalid actions at -1e8."""
        members = features["members"] + self.given_state(features["state"]).unsqueeze(1)
        scores = self.score(members) + features["base"].unsqueeze(-1)  # (B, K, kinds)
        return scores.transpose(1, 2).flatten(1).masked_fill(~features["valid"], INVALID)


class _Retrieval(PointerPolicy):
    extractor = RetrievalExtractor

    def _head(self: Any) -> PoolHead:
        actions, members = int(self.action_space.n), self.observation_space["pool"].shape[0]
        if actions % members:
            raise ValueError(f"Expected as many actions as members of the pool ({members}), or a multiple; {actions}.")
        return PoolHead(self.features_dim, actions, actions // members)


class RetrievalPolicy(_Retrieval, ActorCriticPolicy):  # type: ignore[misc]  # the head is a PoolHead, the net an Identity
    """Pointer policy for PPO, A2C and TRPO; the mask is read from the observation.

    Args:
        observation_space: `Dict` with the keys of `CodeSearch-v0`.
        action_space: `Discrete(A)`, A a multiple of the size of the pool.
        lr_schedule: Learning rate schedule.
        **kwargs: Arguments of SB3's `ActorCriticPolicy`; `features_extractor_kwargs` sets the widths.
    """


class MaskableRetrievalPolicy(_Retrieval, MaskableActorCriticPolicy):  # type: ignore[misc]  # as above
    """The same policy for MaskablePPO.

    Args:
        observation_space: `Dict` with the keys of `CodeSearch-v0`.
        action_space: `Discrete(A)`, A a multiple of the size of the pool.
        lr_schedule: Learning rate schedule.
        **kwargs: Arguments of `MaskableActorCriticPolicy`; `features_extractor_kwargs` sets the widths.
    """
