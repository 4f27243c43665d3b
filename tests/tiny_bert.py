"""A BERT of random weights in a folder, with a tokenizer of a few words."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers

__all__ = ["save_tiny_bert"]

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SIZES = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 32}


def save_tiny_bert(folder: Path, words: list[str], layers: int = 2) -> str:
    """Save model and tokenizer; returns the folder."""
    vocabulary = [*SPECIAL, *words]
    transformers.BertTokenizer(vocab={word: number for number, word in enumerate(vocabulary)}).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=len(vocabulary), num_hidden_layers=layers, pad_token_id=0, **SIZES)
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    return str(folder)
