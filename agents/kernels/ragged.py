"""Batches of code and text without padding: offsets, packing, and the tiles that a kernel works through."""

from __future__ import annotations

from typing import NamedTuple

import torch

__all__ = ["Ragged", "Tiles", "padded", "tile_rows", "tiles"]

TILE_BYTES = 8192
"""Of one tile of queries, keys or values: ten of them, as the backward pass holds, fit into any GPU's shared memory."""


class Tiles(NamedTuple):
    """Tiles of tokens, those of code first.

    Attributes:
        places: Sample and first row within the sample of each tile, (S, 2) int32. Some begin behind their sample and
            hold nothing: so their number follows from shapes alone and is known without waiting for the GPU.
        code: How many of them are of code.
        rows: Tokens per tile.
    """

    places: torch.Tensor
    code: int
    rows: int


def tile_rows(width: int, dtype: torch.dtype) -> int:
    """Tokens per tile for heads of a width: a power of two, 16 to 64."""
    fit = TILE_BYTES // (max(width, 16) * dtype.itemsize)
    return min(max(1 << (fit.bit_length() - 1), 16), 64)


def tiles(code_offsets: torch.Tensor, text_offsets: torch.Tensor, code: int, text: int, rows: int) -> Tiles:
    """The tiles of a batch.

    Sample i begins at tile `offsets[i] // rows + i`, which leaves each sample enough and needs no sum over samples.

    Args:
        code_offsets: Where each sample's code begins, and the end, (B + 1,) int32.
        text_offsets: The same for text.
        code: All tokens of code.
        text: All tokens of text.
        rows: Tokens per tile.
    """
    found = [_places(code_offsets, code, rows), _places(text_offsets, text, rows)]
    return Tiles(torch.cat(found).int(), len(found[0]), rows)


def _places(offsets: torch.Tensor, tokens: int, rows: int) -> torch.Tensor:
    samples = len(offsets) - 1
    begins = offsets[:-1] // rows + torch.arange(samples, device=offsets.device)
    slots = torch.arange(tokens // rows + samples if samples else 0, device=offsets.device)
    sample = torch.searchsorted(begins, slots, right=True) - 1
    return torch.stack([sample, (slots - begins[sample]) * rows], -1)


class Ragged:
    """How a padded batch is packed.

    Args:
        code_real: Mask of real code tokens, (B, T) bool.
        text_real: Mask of real text tokens, (B, M) bool.

    Attributes:
        code_offsets: Where each sample's code begins, and the end, (B + 1,) int32.
        text_offsets: The same for text.
    """

    def __init__(self, code_real: torch.Tensor, text_real: torch.Tensor) -> None:
        self.code_offsets, self.text_offsets = _offsets(code_real), _offsets(text_real)
        self._code, self._text = _index(code_real), _index(text_real)
        self._shapes = code_real.shape, text_real.shape
        self._tiles: dict[int, Tiles] = {}

    def tiles(self, rows: int) -> Tiles:
        """The tiles of the batch, made once for all layers."""
        if rows not in self._tiles:
            offsets = self.code_offsets, self.text_offsets
            self._tiles[rows] = tiles(*offsets, len(self._code), len(self._text), rows)
        return self._tiles[rows]

    def pack(self, code: torch.Tensor, text: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, T, ...) and (B, M, ...) without padding: (sum T_i, ...) and (sum M_i, ...)."""
        return code.flatten(0, 1)[self._code], text.flatten(0, 1)[self._text]

    def unpack(self, code: torch.Tensor, text: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The reverse, with zeros for padding."""
        return _spread(code, self._code, self._shapes[0]), _spread(text, self._text, self._shapes[1])


def _offsets(real: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.pad(real.sum(1).cumsum(0), (1, 0)).int()


def _index(real: torch.Tensor) -> torch.Tensor:
    return real.flatten().nonzero().squeeze(1)


def _spread(packed: torch.Tensor, index: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    empty = packed.new_zeros(shape.numel(), *packed.shape[1:])
    return empty.index_copy(0, index, packed).unflatten(0, tuple(shape))


def padded(offsets: torch.Tensor, tokens: int) -> torch.Tensor:
    """Mask of a batch that is padded to its longest sample, (B, T) bool.

    Args:
        offsets: (B + 1,) int.
        tokens: All tokens; there is at least one column.
    """
    lengths = offsets.diff()
    longest = max(int(lengths.max()), 1) if len(lengths) else 1
    mask = torch.arange(longest, device=offsets.device) < lengths[:, None]
    if int(mask.sum()) != tokens:
        raise ValueError(f"The offsets are those of {int(mask.sum())} tokens, and there are {tokens}.")
    return mask
