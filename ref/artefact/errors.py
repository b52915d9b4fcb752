"""What is told when an artefact cannot be taken."""


def one_line(message: str) -> str:
    """A message without line ends and control characters: names in a file may hold anything."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(message.split()))


class ArtefactError(ValueError):
    """An artefact, or the work kept for one, that cannot be used. The message is one line: file, tensor, rule."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))
