"""Areas as nested rectangles, each as large as its share (squarified treemap: Bruls, Huizing, van Wijk, 2000)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import squarify

from .documents import Node

WIDTH, HEIGHT = 1000.0, 560.0
"""Of the drawing, in its own units."""
HEAD, GAP = 17.0, 1.5
"""Height of the line with a parent's name, and room around its children."""
LEAST = 6.0
"""Rectangles with a shorter side than this are not divided further."""
CHARACTER = 6.1
"""Width of a character of a name."""
COLORS, NEUTRAL = 8, 6
"""How many colours there are, and the one without a hue."""
FEW = 3
"""With so many children the top's grandchildren have the colours."""
OWN = "(own)"
"""The leaf for what a module has beside its children."""


@dataclass(frozen=True)
class Tile:
    """A rectangle.

    Members
    -------
    label, value : what fits of the name; its share of the whole, where there is room for it
    tooltip : everything
    color : 0 to `COLORS` - 1: that of the part of the top that it is in
    depth : 1 for children of the top
    parent : whether other rectangles are in it
    """

    x: float
    y: float
    width: float
    height: float
    label: str
    value: str
    tooltip: str
    color: int
    depth: int
    parent: bool


def tiles(tree: Node, unit: str, titles: Mapping[str, str]) -> list[Tile]:
    """All rectangles, parents before what is in them; nodes without area have none.

    Parameters
    ----------
    tree : the top
    unit : of areas, for the tooltips
    titles : of modules, in words
    """
    if not tree.area:
        return []
    first = 1 if sum(1 for child in tree.children if child.area > tree.area / 50) > FEW else 2
    return list(_Map(tree.area, unit, titles, first).inside(tree, (0.0, 0.0, WIDTH, HEIGHT), 1, NEUTRAL))


@dataclass(frozen=True)
class _Map:
    whole: float
    unit: str
    titles: Mapping[str, str]
    first: int
    given: list[int] = field(default_factory=list)

    def inside(
        self, node: Node, room: tuple[float, float, float, float], depth: int, color: int
    ) -> Iterator[Tile]:
        """The rectangles of a node's children in the room of their parent."""
        x, y, width, height = room
        children = sorted((child for child in node.children if child.area > 0), key=lambda each: -each.area)
        if not children:
            return
        sizes = squarify.normalize_sizes([child.area for child in children], width, height)
        places = squarify.squarify(sizes, x, y, width, height)
        for child, place in zip(children, places, strict=True):
            wide, high = place["dx"] - GAP, place["dy"] - GAP
            if wide <= 0.2 or high <= 0.2:
                continue
            left, top = place["x"] + GAP / 2, place["y"] + GAP / 2
            own = self._next() if depth == self.first else color
            head = HEAD if high > 2.2 * HEAD and wide > 40 else 2 * GAP
            below = (left + GAP, top + head, wide - 2 * GAP, high - head - GAP)
            divided = any(each.area > 0 for each in child.children) and min(below[2:]) > LEAST
            yield self._tile(node, child, (left, top, wide, high), own, depth, divided, head == HEAD)
            if divided:
                yield from self.inside(child, below, depth + 1, own)

    def _next(self) -> int:
        """The next colour; the neutral one is not given away."""
        self.given.append(len(self.given))
        return [number for number in range(COLORS) if number != NEUTRAL][self.given[-1] % (COLORS - 1)]

    def _tile(
        self,
        parent: Node,
        node: Node,
        place: tuple[float, float, float, float],
        color: int,
        depth: int,
        divided: bool,
        head: bool,
    ) -> Tile:
        name = f"{self._title(parent)}: own" if node.name == OWN else self._title(node)
        if node.count > 1:
            name += f" × {node.count:,}"
        share = f"{100 * node.area / self.whole:.1f} %"
        left, top, wide, high = (round(each, 2) for each in place)
        label = _fitting(name, wide) if head or (not divided and high > 13) else ""
        beside = divided and len(label) == len(name) and wide > CHARACTER * (len(label) + len(share) + 4)
        under = not divided and high > 32 and wide > CHARACTER * (len(share) + 1)
        return Tile(
            left,
            top,
            wide,
            high,
            label,
            share if label and (beside or under) else "",
            f"{name} ({node.module}): {node.area:,.0f} {self.unit}, {share}",
            color,
            depth,
            divided,
        )

    def _title(self, node: Node) -> str:
        return self.titles.get(node.module) or node.name


def _fitting(name: str, width: float) -> str:
    """As much of a name as there is room for; nothing where that says nothing."""
    most = int((width - 8) / CHARACTER)
    if most < 4:
        return ""
    return name if len(name) <= most else name[: most - 1] + "…"
