# SPDX-License-Identifier: Apache-2.0
"""A vessel with handles, lid and spout: pots, pans, jugs, buckets, baskets, jars and coffee pots.

All lengths are in radii of the vessel, which stands along +z; its first handle is toward -x, its spout toward +x.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.forms import Piece, assemble, bar, chance, knots, pick
from partdistill_ros.synthetic.drawing.primitives import (
    MeshBuilder,
    bezier,
    ellipsoid,
    rotation,
    smooth,
    transform,
    tube,
)
from partdistill_ros.synthetic.drawing.vessel import (
    Array,
    cavity,
    lip,
    loop_handle,
    radius_at,
    round_foot,
    round_section,
    skin,
    stack,
)

Range = tuple[float, float]


@dataclass(frozen=True)
class Vessel:
    """Ranges of a vessel. height; foot, belly, mouth: radii below, in the middle, above.  odd: how often its section is
    not round.  lid, open: how often it has one, and how often that is off.  loop, ears, stick, bail: by which weight
    its handle is a side loop, a pair of ears, a stick or a bow over the mouth; `bare`: none.  spout: how often it has
    one.  body: which part the vessel is."""

    height: Range = (0.8, 1.6)
    foot: Range = (0.8, 1.0)
    belly: Range = (0.95, 1.05)
    mouth: Range = (0.9, 1.05)
    odd: float = 0.15
    lid: float = 0.0
    loop: float = 0.0
    ears: float = 0.0
    stick: float = 0.0
    bail: float = 0.0
    bare: float = 0.0
    spout: float = 0.0
    body: str = "body"


def build_vessel(vessel: Vessel, parts: tuple[str, ...], rng: np.random.Generator) -> MeshBuilder:
    """One vessel with what belongs to it."""
    height = rng.uniform(*vessel.height)
    radii = knots(*([rng.uniform(*one)] for one in (vessel.foot, vessel.belly, vessel.mouth)))[:, 0]
    profile = smooth(np.column_stack([radii, np.linspace(0, height, 3)]), 22)
    section, wall = round_section(rng, 48, vessel.odd), rng.uniform(0.03, 0.08)
    foot = round_foot(profile, rng.uniform(0.02, 0.3))
    pieces: list[Piece] = [
        (vessel.body, skin(stack([foot, lip(profile, wall, 0.8), cavity(profile, wall, 0.08)]), section))
    ]
    if chance(rng, vessel.lid):
        pieces += _lid(rng, profile, section)
    weights = {
        "loop": vessel.loop,
        "ears": vessel.ears,
        "stick": vessel.stick,
        "bail": vessel.bail,
        "bare": vessel.bare,
    }
    kind = pick(rng, {name: weight for name, weight in weights.items() if weight > 0} or {"bare": 1.0})
    pieces += HANDLES[kind](rng, profile)
    if chance(rng, vessel.spout):
        pieces += _spout(rng, profile)
    if "knob" not in parts:  # it is some of the lid
        pieces = [("lid" if part == "knob" else part, solid) for part, solid in pieces]
    return assemble(parts, [piece for piece in pieces if piece[0] in parts])


def _lid(rng: np.random.Generator, profile: Array, section: Array) -> list[Piece]:
    """A plate or a dome with a knob or a bow, closed or, at times, pushed aside."""
    radius, top = profile[-1] * [rng.uniform(0.98, 1.06), 1]
    dome, thick = rng.uniform(0.03, 0.4) * radius, rng.uniform(0.03, 0.08)
    t = np.linspace(0, np.pi / 2, 9)
    shell = stack(
        [
            (0, top),
            (radius, top),
            (radius, top + thick),
            np.column_stack([radius * np.cos(t), top + thick + dome * np.sin(t)]),
        ]
    )
    pieces: list[Piece] = [("lid", skin(shell, section))]
    crest, size = top + thick + dome, rng.uniform(0.1, 0.22)
    if chance(rng, 0.6):
        pieces.append(("knob", bar((0, 0, crest - 0.05), (0, 0, crest + size), (size * 0.4, size * 0.5))))
        pieces.append(
            ("knob", transform(ellipsoid((size, size, size * rng.uniform(0.4, 1)), 16, 10), move=(0, 0, crest + size)))
        )
    else:
        arch = bezier(
            [
                (0, -size * 1.6, crest - 0.05),
                (0, -size * 1.6, crest + size * 2),
                (0, size * 1.6, crest + size * 2),
                (0, size * 1.6, crest - 0.05),
            ],
            16,
        )
        pieces.append(("knob", tube(arch, size * 0.25, 10)))
    if chance(rng, 0.15):
        lean = rotation((0, 1, 0), rng.uniform(0.05, 0.4))
        aside = np.array([rng.uniform(0.1, 0.5), 0, rng.uniform(0, 0.2)])
        pieces = [(part, transform(solid, rotate=lean, move=aside)) for part, solid in pieces]
    return pieces


def _loop(rng: np.random.Generator, profile: Array) -> list[Piece]:
    height = profile[-1, 1]
    top, bottom = rng.uniform(0.75, 0.97) * height, rng.uniform(0.08, 0.4) * height
    thick = min(rng.uniform(0.05, 0.14), (top - bottom) * 0.16)
    solid = loop_handle(
        rng,
        profile,
        top,
        bottom,
        (top - bottom) * rng.uniform(0.35, 0.65),
        thick,
        embed=0.04,
        width=rng.uniform(1, 2.2),
    )
    return [("handle", transform(solid, scale=(-1, 1, 1)))]


def _ears(rng: np.random.Generator, profile: Array) -> list[Piece]:
    """Two bows at the sides, lying or standing."""
    z = rng.uniform(0.55, 0.95) * profile[-1, 1]
    radius, span = float(radius_at(profile, z)), rng.uniform(0.2, 0.5)
    out, thick, tilt = rng.uniform(0.12, 0.5), rng.uniform(0.03, 0.12), rng.uniform(-0.3, 0.9)
    out = max(out, float(profile[:, 0].max()) + 0.1 - radius)  # out from under a rim
    path = smooth(
        knots(
            [radius * 0.97, -span, z],
            [radius + out, -span * 0.8, z + tilt * out],
            [radius + out, span * 0.8, z + tilt * out],
            [radius * 0.97, span, z],
        ),
        20,
    )
    ear = tube(path, thick, 12, aspect=rng.uniform(0.6, 1.6), squareness=float(rng.choice([2.0, 4.0])))
    if chance(rng, 0.2):  # a lug without an opening
        size = (out * 0.7, span, thick)
        ear = transform(ellipsoid(size, 20, 10, squareness=rng.uniform(2, 6)), move=(radius + out * 0.4, 0, z))
    turned = transform(ear, rotate=rotation((0, 0, 1), np.pi))
    return [("handle", ear), ("handle", turned)]


def _stick(rng: np.random.Generator, profile: Array) -> list[Piece]:
    """One long handle; at times a short bow opposite to it."""
    z = rng.uniform(0.55, 0.95) * profile[-1, 1]
    radius, length, rise = float(radius_at(profile, z)), rng.uniform(1.0, 2.3), rng.uniform(-0.05, 0.35)
    path = smooth(
        knots(
            [-radius * 0.97, 0, z],
            [-radius - 0.3 * length, 0, z + rise * length * 0.4],
            [-radius - length, 0, z + rise * length],
        ),
        20,
    )
    thick = rng.uniform(0.05, 0.13) * smooth(knots([rng.uniform(0.4, 1.0)], [1.0], [rng.uniform(0.7, 1.4)]), 20)[:, 0]
    square = float(rng.choice([2.0, 2.0, 5.0]))
    made: list[Piece] = [
        ("handle", tube(path, thick, 14, aspect=rng.uniform(0.3, 1.1), normal=(0, 0, 1), squareness=square))
    ]
    return made + (_ears(rng, profile)[:1] if chance(rng, 0.2) else [])


def _bail(rng: np.random.Generator, profile: Array) -> list[Piece]:
    """A bow over the mouth, upright or fallen to a side."""
    z = rng.uniform(0.85, 0.98) * profile[-1, 1]
    radius, rise = float(radius_at(profile, z)), rng.uniform(0.6, 1.4)
    angle = np.linspace(0, np.pi, 28)
    path = np.column_stack([np.zeros(28), -radius * np.cos(angle), rise * np.sin(angle) ** rng.uniform(0.6, 1.0)])
    grip = 1 + rng.uniform(0, 1.5) * (np.abs(np.linspace(-1, 1, 28)) < 0.25)
    bow = tube(path, rng.uniform(0.025, 0.07) * grip, 12, normal=(1, 0, 0))
    fallen = rng.uniform(-1.7, 1.7) if chance(rng, 0.35) else rng.normal(0, 0.1)
    return [("handle", transform(bow, rotate=rotation((0, 1, 0), fallen), move=(0, 0, z)))]


def _spout(rng: np.random.Generator, profile: Array) -> list[Piece]:
    """A pipe from low on the wall, or a short beak at the rim."""
    height = profile[-1, 1]
    if chance(rng, 0.5):
        z, reach = rng.uniform(0.15, 0.6) * height, rng.uniform(0.5, 1.2)
        radius, wide = float(radius_at(profile, z)), rng.uniform(0.12, 0.26)
        end = (radius + reach, 0, height * rng.uniform(0.8, 1.15))
        path = bezier(
            [(radius * 0.9, 0, z), (radius + reach * 0.5, 0, z), (radius + reach * 0.6, 0, height * 0.8), end], 18
        )
        return [("spout", tube(path, np.linspace(wide, wide * rng.uniform(0.4, 0.8), 18), 14, normal=(0, 1, 0)))]
    radius, reach = profile[-1, 0], rng.uniform(0.2, 0.5)
    drop, wide = rng.uniform(0.2, 0.5) * height, rng.uniform(0.25, 0.5)
    start = np.array([radius * 0.9, 0, height - drop])
    path = bezier([start, start + [reach * 0.3, 0, drop * 0.6], (radius + reach, 0, height * 1.01)], 10)
    return [("spout", tube(path, np.linspace(wide * 0.3, wide * 0.6, 10), 14, normal=(0, 1, 0)))]


HANDLES = {"loop": _loop, "ears": _ears, "stick": _stick, "bail": _bail, "bare": lambda rng, profile: []}
WORDS = {
    "handle": ("grip", "ear", "hold"),
    "lid": ("cover", "top", "cap"),
    "knob": ("lid knob", "button", "lid handle"),
    "spout": ("beak", "nozzle", "lip"),
    "body": ("container", "vessel"),
    "pan": ("body", "bowl", "dish"),
    "pot": ("body", "container", "vessel"),
    "bowl": ("body", "basin dish", "container"),
}


def _vessel(name: str, size: Range, vessel: Vessel, *parts: str, also: tuple[str, ...] = ()) -> Family:
    labels = (vessel.body, *parts)
    words = {part: names for part, names in WORDS.items() if part in labels} | ({name: also} if also else {})
    return Family(name, labels, partial(build_vessel, vessel, labels), synonyms=words, size=size)


CATEGORIES = (
    _vessel(
        "cooking pot",
        (0.15, 0.45),
        Vessel((0.4, 2.2), (0.7, 1.0), (0.95, 1.12), (0.8, 1.08), lid=0.6, ears=3, stick=2, bail=0.3, body="pot"),
        "handle",
        "lid",
        also=("pot", "saucepan", "kitchen pot", "casserole"),
    ),
    _vessel(
        "frying pan",
        (0.2, 0.55),
        Vessel((0.15, 0.45), (0.75, 0.95), (0.88, 1.0), (1.0, 1.1), 0.1, stick=1, body="pan"),
        "handle",
        also=("pan", "skillet", "wok"),
    ),
    _vessel(
        "jug",
        (0.12, 0.35),
        Vessel((1.4, 3.0), (0.7, 1.0), (0.85, 1.1), (0.6, 0.95), lid=0.15, loop=1, spout=0.8),
        "handle",
        "spout",
        "lid",
        also=("pitcher", "carafe", "milk jug", "creamer"),
    ),
    _vessel(
        "bucket",
        (0.15, 0.5),
        Vessel((1.4, 2.2), (0.65, 0.85), (0.85, 0.93), (1.0, 1.05), 0.1, bail=1),
        "handle",
        also=("pail",),
    ),
    _vessel(
        "basket",
        (0.2, 0.6),
        Vessel((0.5, 1.2), (0.7, 0.9), (0.9, 1.0), (1.0, 1.1), 0.6, bail=2, ears=2),
        "handle",
        also=("hamper",),
    ),
    _vessel(
        "jar",
        (0.06, 0.3),
        Vessel((1.2, 2.4), (0.8, 1.0), (0.98, 1.08), (0.65, 0.95), lid=1.0, bare=1),
        "lid",
        also=("canister", "cookie jar", "tin"),
    ),
    _vessel(
        "sugar bowl",
        (0.08, 0.2),
        Vessel((0.8, 1.4), (0.55, 0.8), (1.0, 1.15), (0.75, 0.95), lid=0.85, ears=1),
        "handle",
        "lid",
        also=("bowl", "soup tureen"),
    ),
    _vessel(
        "moka coffee maker",
        (0.12, 0.3),
        Vessel((1.8, 2.8), (0.95, 1.1), (0.62, 0.8), (0.9, 1.05), 0.75, lid=0.95, loop=1, spout=0.9),
        "handle",
        "spout",
        "lid",
        also=("espresso pot", "percolator"),
    ),
    _vessel(
        "watering can",
        (0.2, 0.5),
        Vessel((0.9, 1.5), (0.9, 1.05), (0.95, 1.05), (0.75, 0.95), loop=2, bail=1, spout=1.0),
        "handle",
        "spout",
    ),
    _vessel(
        "thermos",
        (0.15, 0.4),
        Vessel((3.0, 5.5), (0.85, 1.0), (0.95, 1.05), (0.6, 0.95), lid=0.95, loop=2, bare=2, stick=0.1),
        "handle",
        "lid",
        also=("vacuum flask", "travel mug", "water jug"),
    ),
    _vessel(
        "measuring jug",
        (0.08, 0.25),
        Vessel((1.2, 2.2), (0.65, 0.9), (0.8, 1.0), (0.95, 1.1), 0.3, loop=3, stick=1, spout=0.7),
        "handle",
        "spout",
        also=("measuring cup", "gravy boat"),
    ),
    _vessel(
        "paint can",
        (0.1, 0.3),
        Vessel((1.6, 2.6), (0.95, 1.0), (0.98, 1.02), (0.9, 1.0), lid=0.7, bail=1),
        "handle",
        "lid",
        also=("tin can", "milk can"),
    ),
    _vessel(
        "colander",
        (0.15, 0.4),
        Vessel((0.5, 1.0), (0.3, 0.7), (0.8, 0.95), (1.0, 1.1), ears=2, stick=1, body="bowl"),
        "handle",
        also=("strainer", "sieve"),
    ),
    _vessel(
        "teapot",
        (0.12, 0.3),
        Vessel((0.8, 1.6), (0.5, 0.9), (0.95, 1.2), (0.5, 0.85), 0.2, lid=0.95, loop=3, bail=1, spout=1.0),
        "handle",
        "spout",
        "lid",
        "knob",
        also=("tea kettle",),
    ),
    _vessel(
        "coffee pot",
        (0.12, 0.35),
        Vessel((1.6, 3.2), (0.8, 1.15), (0.6, 1.0), (0.65, 1.05), 0.6, lid=0.95, loop=1, spout=1.0),
        "handle",
        "spout",
        "lid",
        "knob",
        also=("stovetop pot", "coffee server"),
    ),
    _vessel(
        "stew pot",
        (0.15, 0.45),
        Vessel((0.4, 1.8), (0.75, 1.0), (0.95, 1.1), (0.85, 1.08), 0.2, lid=0.95, ears=3, stick=2, body="pot"),
        "handle",
        "lid",
        "knob",
        also=("stockpot", "dutch oven"),
    ),
    _vessel(
        "ginger jar",
        (0.08, 0.35),
        Vessel((1.0, 2.4), (0.6, 1.0), (0.95, 1.2), (0.5, 0.95), 0.3, lid=1.0, bare=1),
        "lid",
        "knob",
        also=("urn", "candy jar"),
    ),
)
