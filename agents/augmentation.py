"""Views of a program that mean the same: names exchanged, on token ids."""

from __future__ import annotations

import torch

__all__ = ["rename_identifiers"]


def rename_identifiers(
    ids: torch.Tensor, slots: tuple[int, int], generator: torch.Generator, *others: torch.Tensor
) -> list[torch.Tensor]:
    """Exchange the slots of names by a random permutation, another one for each row.

    In this suite a name is a slot, so a permutation of slots renames every identifier consistently. Text whose words
    spell the program's names shares their slots; give it too, or the two no longer fit.

    Args:
        ids: Token ids, (B, T) int64.
        slots: First slot of a name, and the first id behind the last one.
        generator: Draws the permutations.
        *others: More token ids of the same rows, (B, ...) int64, renamed alike.

    Returns:
        The renamed `ids` and `others`.

    Raises:
        ValueError: If there are no slots.
    """
    first, end = slots
    if not 0 <= first < end:
        raise ValueError(f"slots must be (first, end) with first < end, got {slots!r}.")
    orders = torch.rand(len(ids), end - first, generator=generator).argsort(1).to(ids.device) + first  # (B, slots)
    return [_renamed(each, orders, first, end) for each in (ids, *others)]


def _renamed(ids: torch.Tensor, orders: torch.Tensor, first: int, end: int) -> torch.Tensor:
    flat = ids.flatten(1)
    named = (flat >= first) & (flat < end)
    renamed = orders.gather(1, (flat - first).clamp(0, end - first - 1))
    return torch.where(named, renamed, flat).view(ids.shape)
