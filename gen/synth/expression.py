"""Boolean expressions of Liberty files: read by that format's own rules, told as a truth table.

Operators, tightest first: ``'`` behind and ``!`` before an operand, ``^``, ``*`` or ``&`` or nothing between two
operands, ``+`` or ``|`` (Liberty user guide, "function"). Verilog and Python bind ``^`` looser than ``&``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.bool_]

_TOKEN = re.compile(r"\s*(?:(\w+|\\?\w+\[\d+\])|([!'^*&+|()]))")


class ExpressionError(ValueError):
    """An expression that cannot be read; one line."""


@cache
def names(text: str) -> frozenset[str]:
    """The signals that an expression names."""
    return frozenset(token for token in _tokens(text) if re.match(r"[A-Za-z_\\]", token))


def table(text: str, inputs: Sequence[str]) -> Table:
    """The value for each of the 2^n states of `inputs`, the first being the lowest bit of the state.

    Raises
    ------
    ExpressionError : not an expression, or one of other signals.
    """
    return _Reader(_tokens(text), text, tuple(inputs)).whole()


@cache
def _tokens(text: str) -> tuple[str, ...]:
    found, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(f'function "{text}" cannot be read at "{text[at : at + 8]}"')
        found.append(match.group(1) or match.group(2))
        at = match.end()
    return tuple(found)


class _Reader:
    """Recursive descent, one method for each level of binding."""

    def __init__(self, tokens: tuple[str, ...], text: str, inputs: tuple[str, ...]) -> None:
        self._tokens = tokens
        self._text = text
        self._at = 0
        states = np.arange(1 << len(inputs))
        self._known = {name: (states >> place & 1).astype(bool) for place, name in enumerate(inputs)}
        self._states = len(states)

    def whole(self) -> Table:
        value = self._either()
        if self._at < len(self._tokens):
            raise self._error()
        return value

    def _either(self) -> Table:
        value = self._both()
        while self._peek() in ("+", "|"):
            self._at += 1
            value = value | self._both()
        return value

    def _both(self) -> Table:
        value = self._differ()
        while True:
            if self._peek() in ("*", "&"):
                self._at += 1
            elif self._peek() in ("", "+", "|", ")", "^", "'"):
                return value
            value = value & self._differ()

    def _differ(self) -> Table:
        value = self._single()
        while self._peek() == "^":
            self._at += 1
            value = value ^ self._single()
        return value

    def _single(self) -> Table:
        token = self._peek()
        self._at += 1
        if token == "!":
            return ~self._single()
        if token == "(":
            value = self._either()
            if self._peek() != ")":
                raise self._error()
            self._at += 1
        elif token in ("0", "1"):
            value = np.full(self._states, token == "1")
        elif token in self._known:
            value = self._known[token]
        else:
            raise self._error()
        while self._peek() == "'":
            self._at += 1
            value = ~value
        return value

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _error(self) -> ExpressionError:
        return ExpressionError(f'function "{self._text}" must be an expression of {", ".join(self._known)}')
