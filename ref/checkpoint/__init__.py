"""Trained models from files: GGUF and safetensors, taken with care. A file that executes anything is never opened."""

from .errors import CheckpointError
from .read import Checkpoint, read

__all__ = ["Checkpoint", "CheckpointError", "read"]
