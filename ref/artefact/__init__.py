"""A quantized model on disk, and the work kept while one is being made."""

from .errors import ArtefactError
from .file import Artefact, load, save
from .store import PartialStore

__all__ = ["Artefact", "ArtefactError", "PartialStore", "load", "save"]
