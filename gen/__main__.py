"""`python -m sevedo.gen`: the command `sevedo`, where no script is installed."""

from .cli import main

main()
