"""Frozen models of the transformers library, from a folder or from what was downloaded before.

Nothing here uses the network unless it is asked to: on a machine without one, a model's name would otherwise be looked
up again and again for minutes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["pretrained", "require_local"]


def pretrained(kind: str, name: str, download: bool) -> Any:
    """Load a model or tokenizer; a model is set to evaluation and its parameters are frozen.

    Args:
        kind: Class of the transformers library, such as "AutoModel" or "AutoTokenizer".
        name: Folder, or name at Hugging Face.
        download: Whether it may be fetched.

    Returns:
        The model or tokenizer.

    Raises:
        ImportError: transformers is not installed.
        ValueError: There is no such folder, and the name was never downloaded on this machine.
    """
    if not download:
        require_local(name)
    try:
        import transformers
    except ImportError as error:
        raise ImportError("'transformers' is not installed. Install it with: pip install 'code-envs[hf]'") from error
    loaded = getattr(transformers, kind).from_pretrained(name, local_files_only=not download)
    if hasattr(loaded, "requires_grad_"):
        loaded.eval().requires_grad_(False)
    return loaded


def require_local(name: str) -> None:
    """Raise unless a model is a folder with a configuration, or was downloaded before.

    Args:
        name: Folder, or name at Hugging Face.

    Raises:
        ImportError: huggingface_hub, a part of transformers, is not installed.
        ValueError: The model is not on this machine.
    """
    if Path(name).is_dir():
        if not (Path(name) / "config.json").is_file():
            raise ValueError(f"the folder {name} holds no model: it has no config.json; save one with save_pretrained")
        return
    try:
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError
    except ImportError as error:
        raise ImportError("'transformers' is not installed. Install it with: pip install 'code-envs[hf]'") from error
    try:
        found = try_to_load_from_cache(name, "config.json")
    except HFValidationError:
        found = None
    if not isinstance(found, str):
        raise ValueError(
            f"{name!r} is neither a folder nor a model that was downloaded on this machine. Give the folder of a saved "
            "model, or fetch it once where there is a network with download=True"
        )
