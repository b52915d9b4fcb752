"""Places for the blocks and links of a diagram: in layers from left to right, by Sugiyama's method (grandalf)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grandalf.graphs import Edge, Graph, Vertex
from grandalf.layouts import SugiyamaLayout
from grandalf.routing import EdgeViewer, route_with_lines

from .blocks import Block, Diagram, Link

BETWEEN_LAYERS, BETWEEN_BLOCKS = 44, 24
"""Room between layers beside the labels of links, and between blocks of a layer, in units of the drawing (a pixel at
full size)."""
CHARACTER, PORT, SMALL = 7.8, 6.8, 5.8
"""Width of a character of the titles, of ports, of the labels."""
APART = 9.0
"""What links forward and back between two blocks are moved from the middle, each."""


@dataclass(frozen=True)
class Box:
    """A block with its place: the left upper corner, and its size."""

    block: Block
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Path:
    """A link with its places: from the right side of one box to the left side of another, by some points between."""

    link: Link
    points: tuple[tuple[float, float], ...]

    @property
    def middle(self) -> tuple[float, float]:
        """Where its label stands: on its first part."""
        (x, y), (to_x, to_y) = self.points[:2]
        return (x + to_x) / 2, (y + to_y) / 2

    @property
    def curve(self) -> str:
        """As SVG draws it."""
        start, *rest = self.points
        text = f"M{start[0]:.1f} {start[1]:.1f}"
        for before, after in zip(self.points, rest, strict=False):
            bend = (after[0] - before[0]) / 2
            text += (
                f" C{before[0] + bend:.1f} {before[1]:.1f} {after[0] - bend:.1f} {after[1]:.1f}"
                f" {after[0]:.1f} {after[1]:.1f}"
            )
        return text


@dataclass(frozen=True)
class Placed:
    """A diagram ready to be drawn; `width` and `height` hold everything."""

    diagram: Diagram
    boxes: tuple[Box, ...]
    paths: tuple[Path, ...]
    width: float
    height: float


class _View:
    def __init__(self, block: Block) -> None:
        if block.module:
            self.size = (max(CHARACTER * max(len(block.title), len(block.key)) + 22, 60.0), 46.0)
        else:
            self.size = (PORT * len(block.title) + 8, 24.0)
        # grandalf's layers go downwards: x and y are exchanged
        self.w, self.h = self.size[1], self.size[0]
        self.xy = (0.0, 0.0)


class _Vertex(Vertex):
    """grandalf keeps vertices and edges in sets: by default their order would be that of addresses in memory."""

    def __init__(self, number: int, block: Block) -> None:
        super().__init__(block)
        self._number = number
        self.view = _View(block)

    def __hash__(self) -> int:
        return self._number


class _Edge(Edge):
    def __init__(self, number: int, source: _Vertex, target: _Vertex, link: Link) -> None:
        self._number = number
        super().__init__(source, target, data=link)
        self.view = EdgeViewer()

    def __hash__(self) -> int:
        return self._number


def place(diagram: Diagram) -> Placed:
    """Lay a diagram out; the same diagram gives the same places."""
    vertices = {block.key: _Vertex(number, block) for number, block in enumerate(diagram.blocks)}
    edges = [
        _Edge(number, vertices[link.source], vertices[link.target], link)
        for number, link in enumerate(diagram.links)
    ]
    boxes: list[Box] = []
    paths: list[Path] = []
    below = 0.0
    for component in Graph(list(vertices.values()), edges).C:
        part_boxes, part_paths = _component(component)
        top = min(box.y for box in part_boxes)
        down = below - top
        boxes += [Box(b.block, b.x, b.y + down, b.width, b.height) for b in part_boxes]
        paths += [Path(p.link, tuple((x, y + down) for x, y in p.points)) for p in part_paths]
        below += max(box.y + box.height for box in part_boxes) - top + BETWEEN_BLOCKS
    blocks = {block.key: number for number, block in enumerate(diagram.blocks)}
    links = {(link.source, link.target): number for number, link in enumerate(diagram.links)}
    boxes.sort(key=lambda box: blocks[box.block.key])
    paths.sort(key=lambda path: links[path.link.source, path.link.target])
    return _framed(diagram, boxes, paths)


def _component(component: object) -> tuple[list[Box], list[Path]]:
    sugiyama = SugiyamaLayout(component)
    longest = max((len(edge.data.label) for edge in component.sE), default=0)  # type: ignore[attr-defined]
    sugiyama.xspace, sugiyama.yspace = BETWEEN_BLOCKS, BETWEEN_LAYERS + SMALL * longest
    sugiyama.route_edge = route_with_lines
    sugiyama.init_all()
    sugiyama.draw(8)
    boxes = {}
    for vertex in component.sV:  # type: ignore[attr-defined]
        (across, along), (width, height) = vertex.view.xy, vertex.view.size
        boxes[vertex.data.key] = Box(vertex.data, along - width / 2, across - height / 2, width, height)
    paths = []
    pairs = {(edge.data.source, edge.data.target) for edge in component.sE}  # type: ignore[attr-defined]
    for edge in component.sE:  # type: ignore[attr-defined]
        link = edge.data
        source, target = boxes[link.source], boxes[link.target]
        inner = [(along, across) for across, along in edge.view._pts[1:-1]]
        apart = APART if (link.target, link.source) in pairs else 0.0
        paths.append(Path(link, _route(source, target, inner, apart)))
    return list(boxes.values()), paths


def _route(
    source: Box, target: Box, inner: Sequence[tuple[float, float]], apart: float
) -> tuple[tuple[float, float], ...]:
    """From side to side; a link that goes back leaves at the left and arrives at the right.

    `apart` moves it from the middle: a link forward up, one back down.
    """
    forward = source.x < target.x
    shift = -apart if forward else apart
    start = (source.x + (source.width if forward else 0), source.y + source.height / 2 + shift)
    end = (target.x + (0 if forward else target.width), target.y + target.height / 2 + shift)
    between = sorted(inner, reverse=not forward)
    return (start, *between, end)


def _framed(diagram: Diagram, boxes: Sequence[Box], paths: Sequence[Path]) -> Placed:
    """Everything moved so that the drawing begins at a small margin."""
    margin = 12
    points = [point for path in paths for point in path.points]
    left = min([box.x for box in boxes] + [x for x, _ in points]) - margin
    top = min([box.y for box in boxes] + [y for _, y in points]) - margin
    moved = tuple(Box(b.block, b.x - left, b.y - top, b.width, b.height) for b in boxes)
    lines = tuple(Path(p.link, tuple((x - left, y - top) for x, y in p.points)) for p in paths)
    width = max([b.x + b.width for b in moved] + [x for p in lines for x, _ in p.points]) + margin
    height = max([b.y + b.height for b in moved] + [y for p in lines for _, y in p.points]) + margin
    return Placed(diagram, moved, lines, round(width, 1), round(height, 1))
