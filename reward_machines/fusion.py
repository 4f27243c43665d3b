"""Tasks with an image: residual fusion of a text and an image embedding (DTERM, eq. 10), and CLIP's visual encoder.

Eq. 10 is `e = MLP(e_text) + CLIP_visual(I)`. It leaves open what a task without an image gets, and the two terms' norms
differ. Here `e = LN(MLP(e_text)) + has_image * g * P(v)`: P is a linear map to the width of e, and the gate g starts at
0, so that training starts as if there were no images and a task without one is its text alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from reward_machines.pretrained import pretrained

__all__ = ["ClipVision", "ResidualFusion"]

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
"""Mean and deviation of the colours with which the published CLIP models were trained (Radford et al. 2021)."""


class ResidualFusion(nn.Module):
    """One embedding from that of a task's text and that of its image, if it has one (eq. 10).

    Args:
        text: Width of the text's embedding.
        image: Width V of the image's embedding.
        width: Width D of the result; None for that of the text.
    """

    def __init__(self, text: int, image: int, width: int | None = None) -> None:
        super().__init__()
        width = text if width is None else width
        self.text, self.image, self.width = text, image, width
        self.mlp = nn.Sequential(nn.Linear(text, width), nn.GELU(), nn.Linear(width, width), nn.LayerNorm(width))
        self.project = nn.Linear(image, width, bias=False)
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Fuse rows of text, image, and whether there is an image.

        Args:
            rows: (B, text + V + 1) float32; the last column is 1 with an image and 0 without one.

        Returns:
            (B, D) float32.

        Raises:
            ValueError: The rows have another width.
        """
        expected = self.text + self.image + 1
        if rows.shape[-1] != expected:
            raise ValueError(
                f"a row is text ({self.text}), image ({self.image}) and one flag, {expected} in all; "
                f"got {rows.shape[-1]}. TextAndImage of reward_machines.embedding makes such rows"
            )
        text, image, has_image = rows.split([self.text, self.image, 1], -1)
        return self.mlp(text) + has_image * self.gate * self.project(image)


class ClipVision:
    """Frozen visual encoder of a CLIP model, from a folder or by its name at Hugging Face.

    Args:
        name: Folder of a saved CLIP model, or a name such as "openai/clip-vit-base-patch32".
        download: Whether a model that is not on this machine may be fetched. Off, nothing here uses the network.

    Attributes:
        width: Width V of an image's embedding, that of CLIP's common space.

    Raises:
        ImportError: transformers is not installed.
        ValueError: The model is not on this machine and must not be fetched.
    """

    def __init__(self, name: str, *, download: bool = False) -> None:
        self.name, self.download = str(name), download
        # the whole model, because the class for vision alone takes the width of the projection from another place
        model = pretrained("CLIPModel", self.name, download)
        self._vision, self._project = model.vision_model, model.visual_projection
        self._size = int(model.config.vision_config.image_size)
        self.width = int(model.config.projection_dim)

    def __call__(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Embed images.

        Args:
            images: Each (H, W, 3) uint8, of any size.

        Returns:
            (B, V) float32, rows of length 1.

        Raises:
            ValueError: An image has another shape or dtype.
        """
        pixels = torch.stack([self._prepared(image) for image in images])
        with torch.inference_mode():
            embedded = self._project(self._vision(pixel_values=pixels).pooler_output)
        return nn.functional.normalize(embedded, dim=-1).numpy()

    def spec(self) -> dict[str, Any]:
        """Arguments as JSON values."""
        return {"name": self.name, "download": self.download}

    def _prepared(self, image: np.ndarray) -> torch.Tensor:
        """CLIP's preparation: shorter side to the model's size (bicubic), centre cut out, colours standardised."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"an image is (H, W, 3) uint8; got {image.shape} {image.dtype}")
        size, (height, width) = self._size, image.shape[:2]
        scale = size / min(height, width)
        target = (max(size, round(height * scale)), max(size, round(width * scale)))
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float()[None] / 255.0
        pixels = nn.functional.interpolate(pixels, target, mode="bicubic", antialias=True).clamp(0.0, 1.0)[0]
        top, left = (target[0] - size) // 2, (target[1] - size) // 2
        pixels = pixels[:, top : top + size, left : left + size]
        return (pixels - torch.tensor(CLIP_MEAN)[:, None, None]) / torch.tensor(CLIP_STD)[:, None, None]
