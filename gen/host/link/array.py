"""A board with an array alone: residual sums over a link."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from sevedo.gen.config import Config
from sevedo.gen.config.link import OPERANDS, STATUS_WINDOW, SUMS_WINDOW, ArrayStatus, array_window
from sevedo.gen.host.array_words import Array, ArrayWords
from sevedo.ref.grouped import GroupedTensor

from .board import BoardTransport
from .errors import LinkError

PATIENCE = 1000
"""Times that the board is asked for sums which do not come."""


class BoardArray:
    """The residual matrix core of a board.

    Parameters
    ----------
    transport : the way to the board
    config : of its array
    progress : called after every tile with the tiles so far

    Raises
    ------
    LinkError : the board has a processor, or an array of another configuration.
    """

    def __init__(
        self, transport: BoardTransport, config: Config, progress: Callable[[int], None] | None = None
    ) -> None:
        if transport.info.memory_bytes:
            raise LinkError("the board holds a processor, and not an array alone: another board was meant")
        self.config, self.tiles = config, 0
        self._session, self._progress = transport.session, progress
        found = self._status(ArrayStatus.CONFIGURATION)
        if found != config.fingerprint:
            raise LinkError(
                f"CONFIGURATION={found:#010x} must be {config.fingerprint:#010x}: the board was built for another "
                "configuration"
            )

    def residual(self, x: GroupedTensor, w: GroupedTensor) -> Tensor:
        """Residual sums, float32 [T, N], of activations [T, K] and weights [N, K].

        Raises
        ------
        ConfigError : the layer is too large for the configuration.
        LinkError : one line; the link works again afterwards, the array after a reset of the board's processor.
        """
        words = ArrayWords.of(self.config, x, w)
        self._session.write_all([(_window("command"), words.command.tobytes())])
        found = []
        for tile in words.tiles:
            self._session.write_all([(_window(name), beat.tobytes()) for name, beat in tile.writes])
            found.append(np.stack([self._sums(len(beat)) for beat in tile.sums]))
            self.tiles += 1
            if self._progress is not None:
                self._progress(self.tiles)
        sums = words.sums(self.config, found, x.rows, w.rows)
        return torch.from_numpy(np.ascontiguousarray(sums).view(np.float32))

    def _sums(self, words: int) -> Array:
        """The next beat of sums."""
        for _ in range(PATIENCE):
            if self._status(ArrayStatus.THERE) & 1:
                break
        else:
            raise LinkError("the array gives no sums")
        place = array_window(SUMS_WINDOW)
        beat = np.frombuffer(self._session.read(place, words), "<u4")
        self._session.write(place, bytes(4))
        return beat

    def _status(self, word: ArrayStatus) -> int:
        return int.from_bytes(self._session.read(array_window(STATUS_WINDOW) + 4 * word, 1), "little")


def _window(name: str) -> int:
    return array_window(OPERANDS.index(name))
