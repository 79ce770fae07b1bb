# SPDX-License-Identifier: Apache-2.0
"""Pages of the archetype `bodies`: aircraft and vehicles that work, or toys of them.

All lengths are about those of the body, whose longest side is about 1. Things look toward +x.
"""

from __future__ import annotations

from partdistill_ros.synthetic.archetypes.bodies import Piece, Range, thing
from partdistill_ros.synthetic.archetypes.pages import HANDLE, WHEEL
from partdistill_ros.synthetic.drawing.family import Family

P = Piece
FLYING = {
    "body": ("fuselage", "hull"),
    "wing": ("wings", "main wing"),
    "tail": ("tail fin", "stabilizer", "rudder"),
    "engine": ("motor", "propeller", "turbine"),
}


def _fuselage(thick: Range = (0.09, 0.15), form: str = "along") -> tuple[Piece, ...]:
    """A body along x with a nose and a stern that narrow."""
    return (
        P("body", form, ((0.6, 0.8), thick, thick)),
        P("body", "cone", (0.1, 0.1, (0.1, 0.18)), (1, 0, 0), (0, 0, 0.9), turn=("y", 90, 90), on=""),
        P("body", "cone", (0.1, 0.1, (0.15, 0.3)), (-1, 0, 0), (0, 0, 0.9), turn=("y", -90, -84), on=""),
    )


def _wings(place: Range, high: Range, span: Range, sweep: Range, chord: Range = (0.12, 0.24)) -> Piece:
    """One at each side, rooted in the body."""
    return P("wing", "leaf", (span, chord, (0.015, 0.03)), (place, 0.5, high), (1, 0, 0), "y", turn=("z", *sweep))


def _tail(fin: Range = (0.14, 0.24), high: float = 0.5) -> tuple[Piece, ...]:
    """A fin and two level planes."""
    return (
        P("tail", "wedge", ((0.12, 0.2), 0.02, fin), ((-1.2, -0.9), 0, 0.6), (0, 0, 0.9)),
        P("tail", "leaf", ((0.14, 0.24), (0.07, 0.11), 0.016), (-1.1, 0, high), (1, 0, 0), "y", turn=("z", 85, 115)),
    )


def _propeller(part: str, at: tuple[float, float, float], on: str, length: Range = (0.14, 0.24)) -> tuple[Piece, ...]:
    """Two blades that turn about x."""
    size = (0.015, 0.035, length)
    return tuple(P(part, "box", size, at, (0, 0, 1), turn=("x", a, a + 40), on=on) for a in (0, 180))


AIRCRAFT = (
    thing(
        "propeller plane",
        (0.1, 1.5),
        *_fuselage((0.1, 0.17), "soft"),
        _wings((0.1, 0.45), (-0.9, 1.1), (0.45, 0.65), (82, 98)),
        *_tail(),
        P("engine", "along", (0.08, 0.12, 0.12), (1.15, 0, 0), (0.5, 0, 0), often=0.9),
        *_propeller("engine", (1, 0, 0), "engine"),
        P("wheel", "wheel", (0.09, 0.04, 0.09), (0.35, 0.9, -1.6), mirror="y", often=0.7),
        P("body", "roof", ((0.14, 0.24), 0.09, 0.06), ((0.0, 0.3), 0, 0.9), (0, 0, 0.8), often=0.6),
        also=("light aircraft", "toy plane"),
        words={**FLYING, **WHEEL},
    ),
    thing(
        "twin-engine plane",
        (0.1, 1.5),
        *_fuselage(),
        _wings((-0.1, 0.3), (-0.8, 1.0), (0.4, 0.6), (80, 105)),
        *_tail(high=2.5),
        P("engine", "along", ((0.14, 0.24), 0.07, 0.07), ((0.2, 0.4), (2.2, 3.4), (-0.8, 0.6)), mirror="y"),
        *(
            P("engine", "box", (0.015, 0.03, 0.12), (1, 0, 0), (0, 0, 1), turn=("x", a, a), on="engine", often=0.5)
            for a in (0, 120, 240)
        ),
        also=("transport plane",),
        words=FLYING,
    ),
    thing(
        "jet fighter",
        (0.1, 1.5),
        *_fuselage((0.07, 0.13), "soft"),
        P(
            "wing",
            "wedge",
            ((0.3, 0.6), 0.02, (0.25, 0.45)),
            ((-0.6, 0.0), 0.5, 0),
            (0, 0, 1),
            "y",
            turn=("x", -90, -90),
        ),
        P("wing", "wedge", (0.16, 0.015, 0.12), ((0.4, 0.7), 0.6, 0), (0, 0, 1), "y", turn=("x", -90, -90), often=0.3),
        P("tail", "wedge", ((0.14, 0.24), 0.016, (0.12, 0.24)), (-0.85, 0.4, 0.6), (0, 0, 1), "y", turn=("x", -25, 0)),
        P("tail", "wedge", (0.16, 0.015, 0.14), (-1.0, 0.6, 0), (0, 0, 1), "y", turn=("x", -90, -90), often=0.8),
        P("engine", "along", ((0.15, 0.4), 0.06, 0.06), (-0.9, (0.4, 1.2), -0.2), (-0.2, 0, 0), mirror="y", often=0.8),
        P("cockpit", "egg", (0.24, 0.07, 0.08), ((0.3, 0.6), 0, 0.8), turn=("z", 0, 0), often=0.9),
        also=("fighter", "warplane", "military aircraft"),
        words={**FLYING, "cockpit": ("canopy", "window")},
    ),
    thing(
        "rear-engine jet",
        (0.1, 1.5),
        *_fuselage((0.08, 0.12)),
        _wings((-0.3, 0.2), (-1.0, -0.2), (0.35, 0.55), (100, 130)),
        P("tail", "wedge", ((0.14, 0.2), 0.02, (0.16, 0.24)), (-1.15, 0, 0.6), (0, 0, 0.9)),
        P("tail", "leaf", ((0.12, 0.2), 0.07, 0.014), (0, 0, 1), (1, 0, 0), turn=("z", 95, 120), on="tail"),
        P("tail", "leaf", ((0.12, 0.2), 0.07, 0.014), (-1.3, 0, 5), (1, 0, 0), turn=("z", -110, -95)),
        P("engine", "along", ((0.14, 0.22), 0.065, 0.065), (-0.75, (1.4, 1.9), 0.4), mirror="y"),
        also=("business jet", "private jet"),
        words=FLYING,
    ),
    thing(
        "glider",
        (0.1, 1.5),
        *_fuselage((0.05, 0.09), "egg"),
        _wings((0.1, 0.5), (0.3, 1.0), (0.7, 1.0), (84, 96), (0.06, 0.1)),
        *_tail((0.1, 0.2), high=0.0),
        also=("sailplane", "paper plane", "drone plane"),
        words={name: FLYING[name] for name in ("body", "wing", "tail")},
    ),
    thing(
        "biplane",
        (0.1, 1.0),
        *_fuselage((0.1, 0.14), "soft"),
        P("wing", "soft", ((0.14, 0.2), (0.8, 1.1), 0.025), ((0.2, 0.5), 0, -0.9)),
        P("wing", "soft", ((0.14, 0.2), (0.8, 1.1), 0.025), ((0.3, 0.6), 0, (2.4, 3.4))),
        P("strut", "rod", (0.015, 0.015, 0.2), (0.4, (3.0, 4.5), 1.0), mirror="y"),
        P("strut", "rod", (0.015, 0.015, 0.2), (0.3, 1.0, 1.5), mirror="y", often=0.7),
        *_tail(),
        P("engine", "along", (0.07, 0.12, 0.12), (1.1, 0, 0)),
        *_propeller("engine", (1, 0, 0), "engine", (0.12, 0.18)),
        P("wheel", "wheel", (0.1, 0.03, 0.1), (0.4, 0.9, -2.2), mirror="y"),
        also=("double-decker plane",),
        words={**FLYING, **WHEEL, "strut": ("brace", "rod")},
    ),
    thing(
        "twin-boom plane",
        (0.1, 1.5),
        P("body", "egg", ((0.4, 0.55), 0.12, 0.13)),
        _wings((-0.3, 0.1), (0.2, 0.9), (0.45, 0.6), (84, 100)),
        P("boom", "along", ((0.6, 0.75), 0.04, 0.04), (-0.2, (2.6, 3.6), 0.5), (-0.8, 0, 0), mirror="y"),
        P("tail", "wedge", (0.12, 0.016, (0.12, 0.18)), (-2.3, 3.1, 0.6), (0, 0, 0.8), mirror="y"),
        P("tail", "box", (0.09, (0.36, 0.44), 0.014), (-2.3, 0, (0.6, 2.8))),
        P("engine", "along", (0.1, 0.09, 0.09), (-1, 0, 0)),
        *_propeller("engine", (-1, 0, 0), "engine", (0.09, 0.13)),
        words={**FLYING, "boom": ("tail boom", "beam")},
    ),
    thing(
        "helicopter",
        (0.1, 1.5),
        P("body", "egg", ((0.4, 0.55), (0.2, 0.28), (0.2, 0.3)), turn=("z", 180, 180)),
        P("tail", "along", ((0.45, 0.6), 0.05, 0.05), (-0.8, 0, 0.3), (-0.9, 0, 0)),
        P("tail", "wedge", (0.12, 0.02, 0.16), (-3.1, 0, 0.4), (0, 0, 0.7)),
        P("mast", "rod", (0.05, 0.05, 0.1), (0, 0, 0.9), (0, 0, 0.8)),
        *(
            P("rotor", "leaf", ((0.4, 0.55), 0.06, 0.012), (0, 0, 1), (1, 0, 0), turn=("z", a, a + 25), on="mast")
            for a in (0, 90, 180, 270)
        ),
        P("rotor", "face", (0.16, 0.015, 0.16), (-3.2, 0.35, 1.0)),
        P("skid", "along", (0.5, 0.025, 0.025), (0, 0.8, -1.5), mirror="y", often=0.8),
        P("skid", "rod", (0.02, 0.02, 0.14), (0.4, 0.7, -1.0), mirror="xy", often=0.8),
        also=("chopper",),
        words={"rotor": ("propeller", "blade"), "tail": ("tail boom",), "skid": ("runner", "foot"), "body": ("cabin",)},
    ),
    thing(
        "quadcopter",
        (0.1, 0.8),
        P("body", "soft", ((0.3, 0.4), (0.2, 0.3), (0.08, 0.14))),
        P("arm", "along", (0.32, 0.045, 0.03), (0.6, 0.6, 0.2), (0.9, 0, 0), mirror="xy", turn=("z", 30, 55)),
        P("motor", "rod", (0.08, 0.08, 0.08), (2.3, 3.1, 0.6), mirror="xy"),
        P("rotor", "leaf", (0.3, 0.035, 0.012), (2.3, 3.1, 1.3), mirror="xy", turn=("z", 0, 180)),
        P(
            "leg",
            "arch",
            (0.3, 0.025, (0.12, 0.2)),
            (0, 0.8, -1),
            (0, 0, -0.9),
            mirror="y",
            turn=("x", 180, 180),
            often=0.7,
        ),
        P("camera", "ball", (0.08, 0.08, 0.08), (0.7, 0, -1.2), often=0.6),
        also=("drone", "multicopter"),
        words={"rotor": ("propeller",), "leg": ("landing gear", "skid", "foot"), "arm": ("strut",)},
    ),
)

WORKING = (
    thing(
        "tractor",
        (0.1, 4.0),
        P("hood", "box", ((0.45, 0.55), (0.2, 0.26), (0.2, 0.26))),
        P("cabin", "roof", (0.34, 0.34, (0.34, 0.46)), (-1, 0, -1), (-0.7, 0, 1)),
        P("wheel", "wheel", ((0.42, 0.52), 0.14, (0.42, 0.52)), (-1.6, 1.6, -0.7), mirror="y"),
        P("wheel", "wheel", ((0.22, 0.3), 0.1, (0.22, 0.3)), (0.7, 1.3, -1.2), mirror="y"),
        P("exhaust", "rod", (0.04, 0.04, 0.24), (0.3, 0.5, 1), (0, 0, 1), often=0.7),
        words={**WHEEL, "hood": ("bonnet", "body"), "cabin": ("cab",), "exhaust": ("pipe", "chimney")},
    ),
    thing(
        "excavator",
        (0.1, 5.0),
        P("body", "box", ((0.42, 0.5), (0.34, 0.42), (0.2, 0.28))),
        P("cabin", "roof", (0.2, 0.18, 0.26), (0.5, 0.5, 1), (0, 0, 0.9)),
        P("track", "soft", ((0.55, 0.65), 0.13, 0.16), (0, 0.9, -1.1), (0, 0, -0.9), mirror="y"),
        P("arm", "box", (0.5, 0.07, 0.09), (0.9, -0.2, 0.8), (0.9, 0, 0), turn=("y", -60, -25)),
        P("arm", "box", (0.4, 0.06, 0.07), (1, 0, 1), (0.9, 0, 0), turn=("y", 35, 75), on="arm"),
        P("bucket", "cup", (0.18, 0.2, 0.16), (1, 0, -1), (0.3, 0, -0.6), on="arm"),
        also=("digger",),
        words={"track": ("tread", "chain"), "arm": ("boom",), "bucket": ("shovel", "scoop"), "cabin": ("cab",)},
    ),
    thing(
        "locomotive",
        (0.1, 10.0),
        P("body", "along", ((0.6, 0.75), 0.26, 0.26)),
        P("cabin", "box", (0.26, 0.32, (0.36, 0.46)), (-1, 0, -1), (-0.7, 0, 1)),
        P("chimney", "rod", (0.08, 0.08, (0.12, 0.2)), (0.7, 0, 1), (0, 0, 0.8)),
        P("base", "box", (0.95, 0.28, 0.08), (-0.2, 0, -1.1)),
        P("wheel", "face", ((0.16, 0.2), 0.05, (0.16, 0.2)), (0.8, 1.0, -1.4), mirror="y", row=("x", 3, 5)),
        also=("train", "steam engine", "toy train"),
        words={**WHEEL, "cabin": ("cab",), "chimney": ("funnel", "stack"), "body": ("boiler",), "base": ("frame",)},
    ),
    thing(
        "tank vehicle",
        (0.08, 6.0),
        P("hull", "roof", ((0.75, 0.85), 0.4, (0.16, 0.22))),
        P("track", "soft", (0.85, 0.12, (0.18, 0.22)), (0, 0.95, -0.5), mirror="y"),
        P("turret", "roof", ((0.34, 0.42), 0.3, 0.14), ((-0.2, 0.1), 0, 1), (0, 0, 0.9)),
        P("gun", "along", ((0.4, 0.6), 0.035, 0.035), (1, 0, 0.1), (0.95, 0, 0), on="turret"),
        also=("tank", "armored vehicle"),
        words={"track": ("tread", "chain"), "gun": ("barrel", "cannon"), "hull": ("body",), "turret": ("tower",)},
    ),
    thing(
        "kick scooter",
        (0.5, 1.2),
        P("deck", "box", ((0.6, 0.7), 0.14, 0.04)),
        P("wheel", "wheel", ((0.12, 0.22), 0.05, (0.12, 0.22)), (1.15, 0, -0.6), mirror="x"),
        P("stem", "rod", (0.04, 0.04, (0.75, 0.95)), (1.1, 0, 0), (0, 0, 1), turn=("y", -18, -6)),
        P("handlebar", "lying", (0.04, (0.4, 0.5), 0.04), (-1, 0, 1), on="stem"),
        also=("scooter",),
        words={**WHEEL, "deck": ("board", "platform"), "stem": ("pole", "post"), "handlebar": ("handle", "bars")},
    ),
    thing(
        "wheelchair",
        (0.5, 1.2),
        P("seat", "soft", (0.44, 0.44, 0.07)),
        P("back", "soft", (0.06, 0.42, (0.4, 0.5)), (-1, 0, 1), (0, 0, 0.9), turn=("y", -12, 0)),
        P("wheel", "spokes", (0.6, 0.04, 0.6), (-0.5, 1.15, -1), mirror="y"),
        P("wheel", "wheel", (0.18, 0.05, 0.18), (1.1, 0.8, -8.5), mirror="y"),
        P("armrest", "box", (0.34, 0.05, 0.05), (-0.1, 1.0, 6), mirror="y"),
        P("frame", "rod", (0.03, 0.03, 0.3), (0.9, 0.9, 0), (0, 0, -0.9), mirror="y"),
        P("footrest", "box", (0.16, 0.14, 0.02), (1.5, 0.5, -8), mirror="y"),
        P("handle", "along", (0.14, 0.04, 0.04), (-1.2, 0.9, 12), (-0.8, 0, 0), mirror="y"),
        words={**WHEEL, **HANDLE, "armrest": ("arm",), "back": ("backrest",), "footrest": ("foot plate",)},
    ),
    thing(
        "shopping cart",
        (0.5, 1.2),
        P("basket", "cup", (0.8, 0.5, (0.34, 0.44))),
        P("frame", "rod", (0.03, 0.03, (0.35, 0.45)), (0.6, 0.7, -0.9), (0, 0, -0.8), mirror="xy"),
        P("wheel", "wheel", (0.12, 0.05, 0.12), (0.6, 0.7, -3.0), mirror="xy"),
        P("handle", "lying", (0.05, 0.5, 0.05), (-1.15, 0, 1.1)),
        also=("shopping trolley", "supermarket cart"),
        words={**WHEEL, **HANDLE, "basket": ("body", "cage", "container"), "frame": ("leg",)},
    ),
    thing(
        "lawn mower",
        (0.6, 1.6),
        P("deck", "dome", ((0.6, 0.7), 0.5, 0.2)),
        P("engine", "rod", (0.26, 0.26, 0.16), (0, 0, 1), (0, 0, 0.7)),
        P("wheel", "wheel", ((0.16, 0.24), 0.07, (0.16, 0.24)), (0.8, 0.9, -0.8), mirror="xy"),
        P("handle", "arch", (0.42, 0.035, (0.8, 1.0)), (-0.9, 0, 0), (0, 0, 0.9), turn=("z", 90, 90)),
        P("bag", "soft", (0.34, 0.4, 0.3), (-1, 0, 0.6), (-0.7, 0, 0), often=0.5),
        also=("mower", "grass cutter"),
        words={**WHEEL, **HANDLE, "deck": ("body", "housing"), "engine": ("motor",), "bag": ("grass box",)},
    ),
)

CATEGORIES: tuple[Family, ...] = (*AIRCRAFT, *WORKING)
