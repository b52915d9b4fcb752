"""What a user can mend of a sweep."""

from __future__ import annotations


class SweepError(ValueError):
    """A sweep that cannot be run, or a file that is none. The message is one line: the thing, its value, the rule."""
