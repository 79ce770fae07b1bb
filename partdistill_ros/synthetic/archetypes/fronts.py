# SPDX-License-Identifier: Apache-2.0
"""A box with fronts: cabinets and appliances with doors, drawers, windows, handles, knobs and buttons.

The case is hollow, so that an open door shows the inside. All lengths are in widths of the case; its front looks
toward -y.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.forms import Piece, assemble, bar, chance, knots, pick
from partdistill_ros.synthetic.drawing.primitives import (
    MeshBuilder,
    Solid,
    bezier,
    box,
    cylinder,
    rotation,
    transform,
    tube,
)

Range = tuple[float, float]
Front = Literal["door", "drawer", "window"]
THICK = 0.025  # of the case's boards and of the fronts
TALLEST_DRAWER = 0.45  # what is taller has a door, where the case has doors at all


@dataclass(frozen=True)
class Case:
    """Ranges of a case with fronts.

    height, depth: of the case.  rows, columns: of fronts (whole numbers, both ends are drawn).  fronts: what they are,
    by weight; a window is a door with a pane.  panel: height of the strip above the fronts that holds the controls,
    as a fraction of the case's height; knobs, buttons: how many are on it.  side_panel: the strip is at the right.
    round_door: how often the door is round.  legs: how often it stands on legs.  open,
    handles: how often a front is open, or has a handle.  blank: weight of a row without fronts.  flush: how often the
    fronts lie in the opening of the case, not before it.
    """

    height: Range = (0.8, 2.0)
    depth: Range = (0.4, 0.7)
    rows: tuple[int, int] = (1, 4)
    columns: tuple[int, int] = (1, 3)
    door: float = 1.0
    drawer: float = 0.0
    window: float = 0.0
    panel: Range = (0.0, 0.0)
    side_panel: bool = False
    knobs: tuple[int, int] = (0, 0)
    buttons: tuple[int, int] = (0, 0)
    round_door: float = 0.0
    legs: float = 0.0
    open: float = 0.25
    handles: float = 1.0
    blank: float = 0.0
    flush: float = 0.0


@dataclass(frozen=True)
class Cell:
    """One front: its center and size on the face of the case, x and z."""

    x: float
    z: float
    width: float
    height: float


def build_case(case: Case, parts: tuple[str, ...], rng: np.random.Generator) -> MeshBuilder:
    """One case with its fronts."""
    height, depth = rng.uniform(*case.height), rng.uniform(*case.depth)
    strip = rng.uniform(*case.panel)
    pieces: list[Piece] = [("body", board) for board in _boards(height, depth)]
    flush = bool(case.flush) and chance(rng, case.flush)
    rim, face = (THICK, depth - 2 * THICK * rng.uniform(0.7, 1.1)) if flush else (0.0, depth)
    wide, low, tall = 1 - 2 * rim, rim, height - 2 * rim
    area = Cell(0, low + tall / 2, wide, tall)
    if strip > 0 and case.side_panel:
        area = Cell(-strip / 2, low + tall / 2, wide - strip, tall)
        pieces += _controls(rng, case, Cell((wide - strip) / 2, low + tall / 2, strip, tall), face)
    elif strip > 0:
        area = Cell(0, low + tall * (1 - strip) / 2, wide, tall * (1 - strip))
        pieces += _controls(rng, case, Cell(0, low + tall * (1 - strip / 2), wide, tall * strip), face)
    pieces += _fronts(rng, case, area, face)
    if chance(rng, case.legs):
        pieces += _legs(rng, depth)
    return assemble(parts, [piece for piece in pieces if piece[0] in parts])


def _boards(height: float, depth: float) -> list[Solid]:
    """Two sides, top, bottom and back."""
    return [
        box((THICK, depth, height), (-0.5 + THICK / 2, 0, height / 2)),
        box((THICK, depth, height), (0.5 - THICK / 2, 0, height / 2)),
        box((1, depth, THICK), (0, 0, THICK / 2)),
        box((1, depth, THICK), (0, 0, height - THICK / 2)),
        box((1, THICK, height), (0, depth / 2 - THICK / 2, height / 2)),
    ]


def _fronts(rng: np.random.Generator, case: Case, area: Cell, depth: float) -> list[Piece]:
    """A grid of fronts over `area`, each row of one kind, and shelves between the rows."""
    rows, columns = (int(rng.integers(low, high + 1)) for low, high in (case.rows, case.columns))
    heights = rng.uniform(0.7, 1.3, rows)
    edges = area.z - area.height / 2 + area.height * np.concatenate([[0], np.cumsum(heights) / heights.sum()])
    weights = {"door": case.door, "drawer": case.drawer, "window": case.window, "blank": case.blank * (rows > 1)}
    grip = pick(rng, {"bar": 3, "knob": 2, "arch": 2, **({"edge": 2} if case.flush else {})})
    pieces: list[Piece] = []
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        if low > edges[0] + 1e-6:
            pieces.append(("body", box((area.width, depth * 0.96, THICK), (area.x, 0, low))))
        tall = high - low > TALLEST_DRAWER and case.door + case.window > 0
        likely = {name: weight for name, weight in weights.items() if weight > 0 and not (tall and name == "drawer")}
        kind = pick(rng, likely)
        if chance(rng, case.round_door):
            pieces += _round_door(rng, area, depth)
            continue
        if kind == "blank":
            size = (area.width, THICK, float(high - low))
            pieces.append(("body", box(size, (area.x, (THICK - depth) / 2 - THICK, float(low + high) / 2))))
            continue
        across = int(rng.integers(1, columns + 1)) if kind == "drawer" else columns
        for column in range(across):
            width = area.width / across
            x = area.x - area.width / 2 + width * (column + 0.5)
            cell = Cell(x, float(low + high) / 2, width * 0.97, float(high - low) * 0.96)
            pieces += _front(rng, case, cell, depth, kind, grip, hinge_left=column < across / 2)
    return pieces


def _front(
    rng: np.random.Generator, case: Case, cell: Cell, depth: float, kind: str, grip: str, hinge_left: bool
) -> list[Piece]:
    """A door, a drawer or a door with a pane, with its handle, open or closed. Built with its face at y = 0."""
    part = "drawer" if kind == "drawer" else "door"
    made: list[Piece] = []
    if kind == "window":
        frame = min(cell.width, cell.height) * rng.uniform(0.1, 0.22)
        made += [("door", one) for one in _frame(cell, frame)]
        pane = (cell.width - 2 * frame, THICK * 0.5, cell.height - 2 * frame)
        made.append(("window", box(pane, (0, THICK * 0.6, 0))))
    else:
        made.append((part, box((cell.width, THICK, cell.height), (0, THICK / 2, 0))))
    if kind == "drawer":
        made += [("drawer", one) for one in _tray(cell, depth)]
    if chance(rng, case.handles):
        level = kind == "drawer" or (case.rows[1] == 1 and cell.width > cell.height)
        made += [("handle", one) for one in _handle(rng, cell, grip, level, hinge_left)]
    face = -depth / 2 - THICK
    if kind == "drawer":
        pulled = rng.uniform(0.1, 0.6) * depth if chance(rng, case.open) else 0.0
        return [(name, transform(solid, move=(cell.x, face - pulled, cell.z))) for name, solid in made]
    angle = rng.uniform(0.15, 1.7) if chance(rng, case.open) else 0.0
    edge = np.array([-cell.width / 2 if hinge_left else cell.width / 2, THICK, 0])
    swing = rotation((0, 0, 1), -angle if hinge_left else angle)
    return [
        (name, transform(transform(solid, move=-edge), rotate=swing, move=edge + [cell.x, face, cell.z]))
        for name, solid in made
    ]


def _frame(cell: Cell, frame: float) -> list[Solid]:
    inner = cell.height - 2 * frame
    return [
        box((cell.width, THICK, frame), (0, THICK / 2, (cell.height - frame) / 2)),
        box((cell.width, THICK, frame), (0, THICK / 2, -(cell.height - frame) / 2)),
        box((frame, THICK, inner), ((cell.width - frame) / 2, THICK / 2, 0)),
        box((frame, THICK, inner), (-(cell.width - frame) / 2, THICK / 2, 0)),
    ]


def _tray(cell: Cell, depth: float) -> list[Solid]:
    """The box behind a drawer's front."""
    wide, long, high = cell.width * 0.9, depth * 0.85, cell.height * 0.6
    middle = THICK + long / 2
    return [
        box((wide, long, THICK / 2), (0, middle, -high / 2)),
        box((THICK / 2, long, high), (wide / 2, middle, 0)),
        box((THICK / 2, long, high), (-wide / 2, middle, 0)),
        box((wide, THICK / 2, high), (0, THICK + long, 0)),
    ]


def _handle(rng: np.random.Generator, cell: Cell, grip: str, level: bool, hinge_left: bool) -> list[Solid]:
    """A knob, a bar on two posts, an arch or an edge to reach behind, level or upright, away from the hinge; it stands
    out toward -y."""
    short = min(cell.width, cell.height)
    out, radius = rng.uniform(0.03, 0.07), rng.uniform(0.008, 0.016)
    side = 1 if hinge_left else -1
    spot = (
        np.array([0, 0, cell.height * rng.uniform(0.1, 0.38)])
        if level
        else np.array([side * (cell.width / 2 - short * 0.12), 0, cell.height * rng.uniform(-0.15, 0.15)])
    )
    if grip == "knob":
        ball = cylinder(radius * 1.2, out, 12, radius_top=rng.uniform(0.02, 0.035))
        return [transform(ball, rotate=rotation((1, 0, 0), np.pi / 2), move=spot + [0, -out / 2, 0])]
    span = (cell.width if level else cell.height) * rng.uniform(0.12, 0.4)
    along = np.array([1.0, 0, 0]) if level else np.array([0, 0, 1.0])
    ends = [spot - along * span, spot + along * span]
    lift = np.array([0, -out, 0])
    if grip == "edge":
        size = along * span * 2 + np.array([1.0, 0, 1.0]) * radius * 2
        return [box(size + [0, out / 2, 0], spot - [0, out / 4, 0])]
    if grip == "arch":
        return [tube(bezier([ends[0], ends[0] + 1.6 * lift, ends[1] + 1.6 * lift, ends[1]], 12), radius, 10)]
    return [
        bar(ends[0] + lift, ends[1] + lift, radius, count=3),
        *(bar(spot + along * span * sign, spot + along * span * sign + lift, radius, count=2) for sign in (-0.8, 0.8)),
    ]


def _round_door(rng: np.random.Generator, area: Cell, depth: float) -> list[Piece]:
    """A plate with a round door and its glass, as of a washing machine."""
    radius = min(area.width, area.height) * rng.uniform(0.28, 0.4)
    flat = rotation((1, 0, 0), np.pi / 2)
    at = np.array([area.x, -depth / 2 - THICK / 2, area.z])
    ring = tube(
        np.column_stack([radius * np.cos(_ROUND), radius * np.sin(_ROUND), np.zeros(len(_ROUND))]),
        radius * 0.14,
        12,
        closed=True,
        normal=(0, 0, 1),
    )
    return [
        ("body", box((area.width * 0.98, THICK, area.height * 0.98), at)),
        ("door", transform(ring, rotate=flat, move=at + [0, -THICK, 0])),
        ("window", transform(cylinder(radius * 0.92, THICK, 32), rotate=flat, move=at + [0, -THICK, 0])),
    ]


_ROUND = np.linspace(0, 2 * np.pi, 32, endpoint=False)


def _controls(rng: np.random.Generator, case: Case, area: Cell, depth: float) -> list[Piece]:
    """The strip with knobs and buttons in rows along its longer side."""
    face = -depth / 2 - THICK
    pieces: list[Piece] = [
        ("body", box((area.width * 0.98, THICK, area.height * 0.96), (area.x, face + THICK / 2, area.z)))
    ]
    knobs, buttons = (int(rng.integers(low, high + 1)) for low, high in (case.knobs, case.buttons))
    count, short = knobs + buttons, min(area.width, area.height)
    kinds = rng.permutation(["knob"] * knobs + ["button"] * buttons)
    per_row = max(1, int(np.ceil(count / (1 if short < 0.2 else 2))))
    for number, kind in enumerate(kinds):
        row, slot = divmod(number, per_row)
        along, across = (slot + 0.5) / per_row - 0.5, (row + 0.5) / np.ceil(count / per_row) - 0.5
        long = max(area.width, area.height) * 0.9
        offset = (along * long, across * short) if area.width > area.height else (across * short, along * long)
        at = np.array([area.x + offset[0], face, area.z + offset[1]])
        size = min(short * 0.28, long / per_row * 0.32)
        if kind == "knob":
            knob = cylinder(size, size * rng.uniform(0.8, 1.4), 16, radius_top=size * 0.85)
            pieces.append(
                ("knob", transform(knob, rotate=rotation((1, 0, 0), np.pi / 2), move=at - [0, size * 0.4, 0]))
            )
        else:
            pieces.append(("button", box((size * 1.5, size * 0.8, size), at - np.array([0, size * 0.2, 0]))))
    return pieces


def _legs(rng: np.random.Generator, depth: float) -> list[Piece]:
    height, radius = rng.uniform(0.06, 0.25), rng.uniform(0.015, 0.035)
    feet = knots([1, 1], [1, -1], [-1, 1], [-1, -1]) * [0.44, depth / 2 - 0.06]
    return [("leg", bar((x, y, 0.01), (x, y, -height), (radius * 1.2, radius * 0.8), count=4)) for x, y in feet]


def _case(name: str, size: Range, case: Case, *parts: str, also: tuple[str, ...] = ()) -> Family:
    labels = ("body", *parts)
    words = {part: names for part, names in WORDS.items() if part in labels} | ({name: also} if also else {})
    return Family(name, labels, partial(build_case, case, labels), synonyms=words, size=size)


WORDS = {
    "body": ("case", "frame", "cabinet", "housing"),
    "handle": ("pull", "grip"),
    "knob": ("dial",),
    "window": ("glass", "pane"),
    "leg": ("foot",),
}
STOVE = Case((0.8, 1.1), (0.7, 1.0), (1, 1), (1, 1), door=0, window=1, panel=(0.12, 0.2), knobs=(3, 6))
CATEGORIES = (
    _case(
        "cabinet",
        (0.4, 2.0),
        Case(drawer=0.6, legs=0.6),
        "door",
        "drawer",
        "handle",
        "leg",
        also=("cupboard", "sideboard"),
    ),
    _case(
        "chest of drawers",
        (0.4, 1.5),
        Case((0.7, 1.5), rows=(2, 5), columns=(1, 3), door=0, drawer=1, legs=0.7),
        "drawer",
        "handle",
        "leg",
        also=("dresser", "drawer unit"),
    ),
    _case(
        "nightstand",
        (0.4, 0.8),
        Case((0.9, 1.5), (0.7, 1.0), (1, 3), (1, 1), door=0.5, drawer=1, legs=0.8),
        "door",
        "drawer",
        "handle",
        "leg",
        also=("bedside table",),
    ),
    _case(
        "wardrobe",
        (1.2, 2.4),
        Case((1.5, 2.4), rows=(1, 1), columns=(2, 4), legs=0.3),
        "door",
        "handle",
        "leg",
        also=("closet",),
    ),
    _case("refrigerator", (0.9, 2.0), Case((1.7, 2.8), (0.8, 1.1), (1, 2), (1, 2)), "door", "handle", also=("fridge",)),
    _case("oven", (0.4, 1.0), STOVE, "door", "window", "handle", "knob", also=("stove", "cooker")),
    _case(
        "microwave",
        (0.35, 0.6),
        Case(
            (0.5, 0.65),
            (0.6, 0.85),
            (1, 1),
            (1, 1),
            door=0,
            window=1,
            panel=(0.2, 0.3),
            side_panel=True,
            knobs=(0, 1),
            buttons=(3, 9),
            handles=0.7,
        ),
        "door",
        "window",
        "handle",
        "button",
        "knob",
        also=("microwave oven",),
    ),
    _case(
        "dishwasher",
        (0.6, 0.95),
        Case((1.1, 1.5), (0.9, 1.1), (1, 1), (1, 1), panel=(0.1, 0.17), buttons=(2, 7)),
        "door",
        "handle",
        "button",
    ),
    _case(
        "washing machine",
        (0.6, 1.0),
        Case((1.2, 1.6), (0.8, 1.1), (1, 1), (1, 1), panel=(0.12, 0.2), knobs=(1, 2), buttons=(2, 6), round_door=1),
        "door",
        "window",
        "knob",
        "button",
        also=("washer", "laundry machine"),
    ),
    _case(
        "kitchen cabinet",
        (0.3, 1.8),
        Case((0.5, 1.7), (0.5, 0.95), (1, 4), (1, 2), drawer=1.2, blank=0.5, flush=0.75, legs=0.3, open=0.2),
        "door",
        "drawer",
        "handle",
        "leg",
        also=("base unit", "storage unit"),
    ),
    _case(
        "filing cabinet",
        (0.3, 1.5),
        Case((0.7, 2.2), (0.6, 1.3), (1, 5), (1, 1), door=0, drawer=1, blank=0.4, flush=0.75, open=0.3),
        "drawer",
        "handle",
        also=("file cabinet", "drawer cabinet"),
    ),
    _case(
        "toaster oven",
        (0.3, 0.7),
        Case(
            (0.5, 0.75),
            (0.6, 0.95),
            (1, 1),
            (1, 1),
            door=0.6,
            window=1,
            panel=(0.17, 0.33),
            side_panel=True,
            knobs=(0, 3),
            buttons=(1, 10),
            handles=0.85,
            flush=0.8,
        ),
        "door",
        "window",
        "handle",
        "button",
        "knob",
        also=("countertop oven", "mini oven"),
    ),
    _case(
        "safe",
        (0.25, 1.0),
        Case((0.8, 1.3), (0.7, 1.0), (1, 1), (1, 1), panel=(0.15, 0.2), knobs=(1, 1), buttons=(4, 10)),
        "door",
        "handle",
        "knob",
        "button",
        also=("strongbox",),
    ),
)
