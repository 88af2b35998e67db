"""The workflow of one job as a graph: each state with its status and its time.

`batchops.inspection.job_graph` makes it for a job. The chunk workflow is drawn once, for all chunks
together.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from batchcore import workflow
from batchcore.texts import visible

from batchops.show import markup
from batchops.show.marks import BLUE, GREEN, INK, INK_ON, MARKS, ORANGE, VERMILLION
from batchops.show.numbers import format_duration

NOT_REACHED = "NOT REACHED"

# status -> (mark, background, ink); the ink is the one that reads better on the background.
_LOOKS = {
    workflow.SUCCEEDED: (MARKS["done"], GREEN, INK_ON["done"]),
    workflow.FAILED: (MARKS["failed"], VERMILLION, INK_ON["failed"]),
    workflow.RUNNING: (MARKS["running"], BLUE, INK_ON["running"]),
    NOT_REACHED: (MARKS["waiting"], "none", INK),
}
_OTHER_LOOK = (MARKS["failed"], ORANGE, "#000000")  # ABORTED, TIMED_OUT
# Sizes in pixels; six columns fill the width of a notebook.
_COLUMN, _LANE, _WIDTH, _HEIGHT, _MARGIN = 150, 92, 132, 60, 12
# Options of Mermaid. The boxes are narrow because the text shrinks if the page is narrower.
_MERMAID = {
    "rankSpacing": 20,
    "nodeSpacing": 30,
    "wrappingWidth": 128,
    "padding": 6,
    "subGraphTitleMargin": {"top": 4, "bottom": 8},
}


@dataclass(frozen=True)
class StateRun:
    """The result of one state.

    Attributes
    ----------
    status : str
        SUCCEEDED, FAILED, RUNNING, NOT REACHED, ABORTED or TIMED_OUT.
    ms : float or None
        Its time in milliseconds; for a chunk's step the median. None if not known.
    note : str
        A text in place of the status.
    of : str
        What the time is, if it is not that of one state: ``"median "``.
    """

    status: str = NOT_REACHED
    ms: float | None = None
    note: str = ""
    of: str = ""

    def __str__(self) -> str:
        """Return mark, status and time."""
        return ", ".join(self.parts())

    def parts(self) -> list[str]:
        """Return the status with its mark, and the time if it is known."""
        sign = _look(self.status)[0]
        text = f"{sign} {self.note or self.status.lower().replace('_', ' ')}"
        return [text] if self.ms is None else [text, f"{self.of}{_format_ms(self.ms)}"]


@dataclass(frozen=True)
class Node:
    """A state in the drawing.

    Attributes
    ----------
    key : str
        Its id in the drawing: the workflow's letter and a number.
    name : str
        Its name in the workflow.
    run : StateRun
        Its result.
    column, lane : int
        Its position: columns follow the flow; lane 1 has the states after a failure.
    """

    key: str
    name: str
    run: StateRun
    column: int
    lane: int


@dataclass(frozen=True)
class Flow:
    """One workflow: its states, and the lines between them.

    Attributes
    ----------
    title : str
        The title above the drawing.
    nodes : tuple of Node
    edges : tuple of (str, str, bool)
        The keys of two states, and whether only a failure leads from one to the other.
    """

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str, bool], ...]


@dataclass(frozen=True)
class WorkflowGraph:
    """A job's workflow; JupyterLab draws it without internet, and `to_svg` returns it as a file.

    Attributes
    ----------
    main, chunk : Flow
        The main workflow, and the chunk workflow.
    fan_out : str
        The key of the main workflow's state that starts the chunks; empty if there is none.
    """

    main: Flow
    chunk: Flow
    fan_out: str

    def __str__(self) -> str:
        """List the states with their results; states after a failure only if reached."""
        return visible("\n".join(self._lines()))

    def _lines(self) -> Iterator[str]:
        yield self.main.title
        for node in _worth_listing(self.main):
            yield f"  {node.name:<36} {node.run}"
            if node.key == self.fan_out:
                for inner in _worth_listing(self.chunk):
                    yield f"    {inner.name:<34} {inner.run}"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """Return the forms that front ends choose from."""
        return {
            "text/vnd.mermaid": self.to_mermaid(),
            "image/svg+xml": self.to_svg(),
            "text/plain": str(self),
        }

    def to_mermaid(self) -> str:
        """Return the graph in Mermaid's language; states after a failure only if reached.

        Mermaid fits a drawing to the width of the page, so states that were not reached would make
        the others too small to read. No line joins the two workflows, so that Mermaid puts one
        below the other.
        """
        lines = [
            f"%%{{init: {json.dumps({'flowchart': _MERMAID})}}}%%",
            "flowchart LR",
        ]
        # Mermaid draws the last one on top.
        for flow, name in ((self.chunk, "chunks"), (self.main, "main")):
            lines += [f'subgraph {name}["{_mermaid_text(flow.title)}"]', "direction LR"]
            lines.append(f"style {name} fill:none,stroke:{INK}")
            nodes = _worth_listing(flow)
            for node in nodes:
                label = "<br/>".join(map(_mermaid_text, [node.name, *node.run.parts()]))
                lines.append(f'{node.key}["{label}"]')
                lines.append(f"style {node.key} {_mermaid_style(node.run.status)}")
            runs = {node.key: node.run for node in nodes}
            lines += [
                f"{a} {'-.->' if trouble else '-->'} {b}"
                for a, b, trouble in flow.edges
                if a in runs and b in runs and (not trouble or runs[a].status == workflow.FAILED)
            ]
            lines.append("end")
        return "\n".join(lines)

    def to_svg(self) -> str:
        """Return the graph as an SVG document of its own."""
        columns = 1 + max((n.column for f in (self.main, self.chunk) for n in f.nodes), default=0)
        width, flow_height = columns * _COLUMN + _MARGIN, 2 * _LANE + 28
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {2 * flow_height}" '
            f'width="{width}" height="{2 * flow_height}" font-family="sans-serif" font-size="11" '
            f'role="img"><title>{markup.one_line(self.main.title)}</title>'
            '<defs><marker id="batchops-tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="' + INK + '"/>'
            "</marker></defs>"
        ]
        parts += _svg_flow(self.main, top=0)
        if self.fan_out:
            x, y = next(_centre(n, 0) for n in self.main.nodes if n.key == self.fan_out)
            side, level, gap = x + _WIDTH / 2, y + _HEIGHT / 2 - 10, x + _COLUMN / 2
            # Down between two columns; straight down goes the line of its failure.
            path = f"M{side} {level}L{gap} {level}L{gap} {flow_height + 8}"
            parts.append(_svg_line(path, dashed=True))
        parts += _svg_flow(self.chunk, top=flow_height)
        return "".join([*parts, "</svg>"])

    def to_page(self) -> str:
        """Return the graph as SVG to stand in a page, in the page's colour of text."""
        style = '<svg style="max-width:100%;height:auto" '
        return self.to_svg().replace(INK, "currentColor").replace("<svg ", style, 1)


def _worth_listing(flow: Flow) -> list[Node]:
    reached = [n for n in flow.nodes if n.lane == 0 or n.run.status != NOT_REACHED]
    return sorted(reached, key=lambda node: (node.lane, node.column))


def _look(status: str) -> tuple[str, str, str]:
    return _LOOKS.get(status, _OTHER_LOOK)


def _format_ms(ms: float) -> str:
    if ms < 1000:
        return f"{ms:.0f} ms"
    return f"{ms / 1000:.1f} s" if ms < 60_000 else format_duration(ms / 1000)


def _mermaid_text(text: str) -> str:
    """Return a text with all characters that mean something to Mermaid or HTML as numbers."""
    return "".join(c if c.isalnum() or c in " ,." else f"#{ord(c)};" for c in text)


def _mermaid_style(status: str) -> str:
    _, ground, ink = _look(status)
    if status == NOT_REACHED:
        # Mermaid has a colour of text for each theme.
        return f"fill:none,stroke:{ink},stroke-dasharray:4"
    return f"fill:{ground},color:{ink},stroke:{ground}"


def _centre(node: Node, top: int) -> tuple[float, float]:
    x = _MARGIN / 2 + node.column * _COLUMN + _COLUMN / 2
    return x, top + 28 + node.lane * _LANE + _HEIGHT / 2


def _svg_flow(flow: Flow, *, top: int) -> Iterator[str]:
    yield f'<text x="{_MARGIN}" y="{top + 13}" font-weight="bold" fill="{INK}">'
    yield f"{markup.one_line(flow.title)}</text>"
    nodes = {node.key: node for node in flow.nodes}
    for a, b, trouble in flow.edges:
        yield _svg_line(_svg_path(nodes[a], nodes[b], top), dashed=trouble)
    for node in flow.nodes:
        yield from _svg_node(node, top)


def _svg_node(node: Node, top: int) -> Iterator[str]:
    x, y = _centre(node, top)
    _, ground, ink = _look(node.run.status)
    dashes = ' stroke-dasharray="4"' if node.run.status == NOT_REACHED else ""
    stroke = ink if ground == "none" else ground
    yield f'<g text-anchor="middle" fill="{ink}">'
    yield f"<title>{markup.one_line(f'{node.name}: {node.run}')}</title>"
    yield f'<rect x="{x - _WIDTH / 2}" y="{y - _HEIGHT / 2}" width="{_WIDTH}" height="{_HEIGHT}" '
    yield f'rx="6" fill="{ground}" stroke="{stroke}"{dashes}/>'
    name = textwrap.wrap(node.name, 20, max_lines=2, placeholder=" ...")
    said = textwrap.wrap(str(node.run), 24, max_lines=2, placeholder=" ...")
    for number, line in enumerate([*name, *said]):
        height = y + 4 + 13 * (number - (len(name) + len(said) - 1) / 2)
        weight = ' font-weight="bold"' if number < len(name) else ""
        yield f'<text x="{x}" y="{height}"{weight}>{markup.one_line(line)}</text>'
    yield "</g>"


def _svg_path(a: Node, b: Node, top: int) -> str:
    (ax, ay), (bx, by) = _centre(a, top), _centre(b, top)
    if a.lane == b.lane and b.column == a.column + 1:
        return f"M{ax + _WIDTH / 2} {ay}L{bx - _WIDTH / 2} {by}"
    if a.lane == b.lane:  # over the states between, and under the title
        side = ay - _HEIGHT / 2
        return f"M{ax} {side}C{ax} {side - 14} {bx} {side - 14} {bx} {side}"
    down = 1 if a.lane < b.lane else -1
    start, end = ay + down * _HEIGHT / 2, by - down * _HEIGHT / 2
    middle = (start + end) / 2
    return f"M{ax} {start}C{ax} {middle} {bx} {middle} {bx} {end}"


def _svg_line(path: str, *, dashed: bool) -> str:
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<path d="{path}" fill="none" stroke="{INK}" stroke-width="1.3"{dashes} '
        'marker-end="url(#batchops-tip)"/>'
    )
