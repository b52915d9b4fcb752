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
        """Where its label stands."""
        return _between(self.points[0], self.points[1])

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


def place(diagram: Diagram) -> Placed:
    """Lay a diagram out; the same diagram gives the same places."""
    vertices = {block.key: Vertex(block) for block in diagram.blocks}
    for vertex in vertices.values():
        vertex.view = _View(vertex.data)
    edges = []
    for link in diagram.links:
        edge = Edge(vertices[link.source], vertices[link.target], data=link)
        edge.view = EdgeViewer()
        edges.append(edge)
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
    for edge in component.sE:  # type: ignore[attr-defined]
        link = edge.data
        source, target = boxes[link.source], boxes[link.target]
        inner = [(along, across) for across, along in edge.view._pts[1:-1]]
        paths.append(Path(link, _route(source, target, inner)))
    return list(boxes.values()), paths


def _route(source: Box, target: Box, inner: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """From side to side; a link that goes back leaves at the left and arrives at the right."""
    forward = source.x < target.x
    start = (source.x + (source.width if forward else 0), source.y + source.height / 2)
    end = (target.x + (0 if forward else target.width), target.y + target.height / 2)
    between = sorted(inner, reverse=not forward)
    return (start, *between, end)


def _between(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2


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
