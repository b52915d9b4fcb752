"""What a user can mend of a report."""

from __future__ import annotations


class ReportError(ValueError):
    """Something that a report cannot be made of. The message is one line: the thing, its value, the rule."""
