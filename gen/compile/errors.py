"""What is told when layers cannot be compiled, or a compiled program cannot be taken."""


class CompileError(ValueError):
    """Layers that the processor cannot run, or a folder of a compiled program that cannot be used. One line."""

    def __init__(self, message: str) -> None:
        super().__init__("".join(c if c.isprintable() else "?" for c in " ".join(message.split())))
