"""The smallest vector core that hides the low-rank path of a layer behind the array."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sevedo.gen.config import Config

from .array import tiles
from .cycles import predict
from .shapes import LayerShape

HIDDEN = 0.03
"""A low-rank path that adds at most this share to the cycles is hidden behind the array."""

_MOST_TILES = 16
"""Row tiles that are expanded at once in the largest vector core that is tried."""
_MOST_QUEUED = 1024
"""The largest `lvc.queue`."""
_MOST_LANES = 64
"""The largest `lvc.int_lanes` that is tried."""


def floating_lanes(config: Config) -> int:
    """Floating-point lanes of both products."""
    return config.lvc.lanes + config.lvc.ranks * config.project_tokens


def integer_products(config: Config) -> int:
    """Products of digits in a cycle, of both products of the integer classes."""
    rmc, lvc = config.rmc, config.lvc
    return rmc.cols * lvc.int_ranks * rmc.lanes + rmc.rows * lvc.int_tokens * lvc.int_lanes


def is_hidden(config: Config, shape: LayerShape) -> bool:
    """Whether a layer takes at most `HIDDEN` more cycles than it does with rank 0 on the same core."""
    alone = predict(config, shape.alone).cycles
    return predict(config, shape).cycles <= (1 + HIDDEN) * alone


def hiding(config: Config, shape: LayerShape) -> Config | None:
    """`config` with the least vector core that hides the low-rank path; None when none does.

    The least hardware of the integer classes with which it can be done, by products of digits in a cycle; with that
    the fewest floating-point lanes, of equals with the fewest output tokens; then the shortest queue. None of them less
    than `config` has.
    """
    lvc = config.lvc
    rows, columns = tiles(config, shape)
    queue = max(lvc.queue, min(_MOST_QUEUED, rows * min(columns, 2)))
    for most in _class_sizes(config.replace(lvc__queue=queue), shape):
        best = _floating(most, shape)
        if best is not None:
            slim = _first(_tokens(lvc.output_tokens, best), best, "lvc__output_tokens", shape) or best
            return _first(range(lvc.queue, queue + 1), slim, "lvc__queue", shape) or slim
    return None


def _floating(config: Config, shape: LayerShape) -> Config | None:
    """`config` with the fewest floating-point lanes that hide, and with the most output tokens."""
    best: Config | None = None
    for lanes in _lane_counts(config):
        wide = config.replace(lvc__lanes=lanes, lvc__output_tokens=1)
        wide = wide.replace(lvc__output_tokens=_tokens(config.lvc.output_tokens, wide)[-1])
        ranks = _first(_rank_counts(config, shape.rank), wide, "lvc__ranks", shape)
        if ranks is not None and (best is None or floating_lanes(ranks) < floating_lanes(best)):
            best = ranks
    return best


def _class_sizes(config: Config, shape: LayerShape) -> list[Config]:
    """`config` with all hardware of the integer classes that is tried, the least first."""
    if not shape.int8_rank + shape.int4_rank:
        return [config]
    lvc = config.lvc
    sizes = {
        (ranks, tokens, lanes)
        for ranks in {1, 2, 4, 8, 16, lvc.int_ranks}
        for tokens in range(lvc.int_tokens, config.rmc.cols + 1)
        for lanes in {ranks * times for times in (1, 2, 4, 8, 16, 32, 64)} | {lvc.int_lanes}
        if ranks >= lvc.int_ranks
        and config.rmc.cols % tokens == 0 == tokens % lvc.output_tokens
        and lvc.int_lanes <= lanes <= max(_MOST_LANES, lvc.int_lanes)
        and lanes % ranks == 0
    }
    tried = (config.replace(lvc__int_ranks=r, lvc__int_tokens=t, lvc__int_lanes=n) for r, t, n in sizes)
    return sorted(tried, key=lambda one: (integer_products(one), one.lvc.int_ranks, one.lvc.int_lanes))


def _tokens(fewest: int, config: Config) -> Sequence[int]:
    """The `lvc.output_tokens` that are possible, from `fewest` on."""
    most, lvc = config.lvc_tokens, config.lvc
    found = [each for each in range(fewest, most + 1) if most % each == 0]
    return [each for each in found if lvc.int_tokens % each == 0] if config.rank_classes else found


def _lane_counts(config: Config) -> Iterator[int]:
    """Lanes that expand, from those of `config` on."""
    rows, cols = config.rmc.rows, config.rmc.cols
    for tokens in range(config.lvc_tokens, cols):
        if cols % tokens == 0 == tokens % config.lvc.output_tokens:
            yield rows * tokens
    tiles = max(config.lvc_tiles, 1)
    while tiles <= _MOST_TILES:
        if rows * cols * tiles >= config.lvc.lanes:
            yield rows * cols * tiles
        tiles *= 2


def _rank_counts(config: Config, rank: int) -> Sequence[int]:
    """Ranks side by side that differ in how many blocks they make of `rank`, from those of `config` on."""
    fewest = config.lvc.ranks
    return sorted(
        {fewest} | {-(-rank // blocks) for blocks in range(1, rank + 1) if -(-rank // blocks) > fewest}
    )


def _first(values: Sequence[int], config: Config, field: str, shape: LayerShape) -> Config | None:
    """`config` with the first of ascending values that hides, as all above it do; None without one."""
    if not is_hidden(config.replace(**{field: values[-1]}), shape):
        return None
    low, high = 0, len(values) - 1
    while low < high:
        middle = (low + high) // 2
        hides = is_hidden(config.replace(**{field: values[middle]}), shape)
        low, high = (low, middle) if hides else (middle + 1, high)
    return config.replace(**{field: values[low]})
