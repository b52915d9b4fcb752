"""What is told when a checkpoint cannot be taken."""

from ..artefact.errors import one_line


class CheckpointError(ValueError):
    """A checkpoint that cannot be used. The message is one line: the file, the tensor or key, the rule."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))
