# SPDX-License-Identifier: Apache-2.0
"""Pages of the archetype `bodies`: things whose parts lie in or on larger parts, so that they can be divided in several
ways (`synthetic/training/divisions.py`).

All lengths are about those of the body, whose longest side is about 1. Devices look toward -y.
"""

from __future__ import annotations

from partdistill_ros.synthetic.archetypes.bodies import Piece, thing
from partdistill_ros.synthetic.archetypes.pages import HANDLE
from partdistill_ros.synthetic.drawing.family import Family

P = Piece
TAP = {"handle": ("lever", "switch", "tap handle"), "spout": ("nozzle", "pipe"), "base": ("foot", "stand")}

CATEGORIES: tuple[Family, ...] = (
    thing(
        "mixer tap",
        (0.1, 0.35),
        P("base", "rod", ((0.16, 0.3), (0.16, 0.3), (0.3, 0.9))),
        P("plate", "disc", ((0.3, 0.45), (0.3, 0.9), (0.02, 0.06)), (0, 0, -1), often=0.5),
        P(
            "spout",
            "along",
            ((0.5, 1.0), (0.08, 0.16), (0.08, 0.14)),
            (0, 0, (0.0, 0.6)),
            (1, 0, 0),
            turn=("y", -12, 6),
        ),
        P("spout", "post", (0.09, 0.09, (0.15, 0.3)), (0.85, 0, 0), (0, 0, -0.8), on="spout", often=0.5),
        P("hub", "dome", ((0.16, 0.28), (0.16, 0.28), (0.1, 0.25)), (0, 0, 1), (0, 0, 0.9)),
        P(
            "handle",
            "along",
            ((0.3, 0.6), (0.03, 0.1), (0.03, 0.06)),
            (0, 0, 0.4),
            (1, 0, 0),
            on="hub",
            turn=("y", -75, 0),
        ),
        also=("basin mixer", "lever tap"),
        words={**TAP, "hub": ("cartridge", "cap"), "plate": ("flange",)},
    ),
    thing(
        "kitchen tap",
        (0.15, 0.5),
        P("base", "post", ((0.12, 0.2), (0.12, 0.2), (0.15, 0.5))),
        P("plate", "box", ((0.2, 0.35), (0.25, 1.0), (0.02, 0.06)), (0, 0, -1), often=0.5),
        P("spout", "hook", ((0.4, 0.9), (0.06, 0.1), (0.4, 1.0)), (0, 0, 0.9), (0.9, 0, 1)),
        P("hub", "lying", ((0.1, 0.16), (0.1, 0.2), (0.1, 0.16)), (0, -1, 0), (0, -0.7, 0)),
        P(
            "handle",
            "post",
            ((0.03, 0.05), (0.03, 0.05), (0.15, 0.45)),
            (0, -0.4, 0),
            (0, 0, 1),
            on="hub",
            turn=("x", -10, 80),
        ),
        also=("sink faucet",),
        words={**TAP, "hub": ("valve", "joint"), "plate": ("flange",)},
    ),
    thing(
        "bridge tap",
        (0.15, 0.4),
        P("base", "lying", ((0.1, 0.16), (0.5, 0.9), (0.1, 0.16))),
        P("spout", "hook", ((0.4, 0.8), (0.06, 0.1), (0.2, 0.7)), (0, 0, 0.5), (0.9, 0, 1)),
        P("hub", "rod", ((0.12, 0.18), (0.12, 0.18), (0.12, 0.25)), (0, 0.9, 0.6), (0, 0, 0.8), mirror="y"),
        P("handle", "along", ((0.2, 0.36), (0.04, 0.08), (0.03, 0.06)), (0, 0.9, 3.5), turn=("z", -30, 30), mirror="y"),
        P("handle", "lying", ((0.04, 0.08), (0.2, 0.36), (0.03, 0.06)), (0, 0.9, 3.5), mirror="y", often=0.6),
        also=("basin tap", "bath faucet"),
        words={**TAP, "hub": ("valve", "stem"), "base": ("bridge", "crossbar")},
    ),
    thing(
        "sink",
        (0.3, 0.9),
        P("bowl", "cup", (1.0, (0.6, 0.9), (0.25, 0.45))),
        P("base", "post", (0.08, 0.08, 0.12), (0, 0.95, 1), (0, 0, 0.8)),
        P("spout", "hook", ((0.06, 0.1), (0.06, 0.08), (0.1, 0.3)), (0, 0, 0.9), (0, 0, 1), on="base"),
        P("spout", "lying", (0.06, (0.2, 0.35), 0.06), (0, 0, 0.5), (0, -1, 0), on="spout"),
        P("handle", "rod", (0.1, 0.1, 0.1), (0.3, 0.95, 1), (0, 0, 0.7), mirror="x"),
        P("pedestal", "post", ((0.25, 0.4), (0.25, 0.4), (0.4, 0.9)), (0, 0.1, -1), (0, 0, -0.9), often=0.5),
        also=("washbasin", "lavatory"),
        words={**HANDLE, "bowl": ("sink bowl",), "base": ("tap body",), "pedestal": ("foot", "leg")},
    ),
    thing(
        "calculator",
        (0.08, 0.25),
        P("body", "box", ((0.55, 0.75), 1.0, (0.06, 0.2))),
        P("screen", "plain", (0.48, (0.15, 0.25), 0.02), (0, 0.65, 1)),
        *(
            P("key", "plain", (0.09, 0.07, 0.05), (0.65, y, 1), row=("x", 3, 5))
            for y in (-0.8, -0.55, -0.3, -0.05, 0.2)
        ),
        also=("adding machine",),
        words={"screen": ("display",), "key": ("button", "keys"), "body": ("case", "housing")},
        lies=True,
    ),
    thing(
        "handheld console",
        (0.1, 0.3),
        P("body", "box", (1.0, (0.4, 0.6), (0.06, 0.14))),
        P("screen", "plain", ((0.5, 0.65), (0.3, 0.36), 0.02), (0, 0.1, 1)),
        P("stick", "rod", (0.09, 0.09, 0.06), (0.82, (0.0, 0.5), 1), mirror="x"),
        P("button", "rod", (0.06, 0.06, 0.04), (0.82, (-0.7, -0.3), 1), mirror="x"),
        P("button", "plain", (0.06, 0.04, 0.04), (0.9, (-0.1, 0.1), 1), often=0.6),
        also=("game device",),
        words={"screen": ("display",), "stick": ("joystick",), "button": ("key",), "body": ("case", "housing")},
        lies=True,
    ),
    thing(
        "radio",
        (0.1, 0.4),
        P("body", "box", (1.0, (0.2, 0.4), (0.45, 0.7))),
        P("grille", "face", ((0.3, 0.42), (0.01, 0.04), (0.3, 0.42)), (-0.5, -1, -0.1)),
        P("display", "plain", ((0.3, 0.45), 0.02, (0.1, 0.18)), (0.5, -1, 0.5)),
        P("knob", "face", ((0.08, 0.14), 0.08, (0.08, 0.14)), (0.7, -1, -0.3)),
        P("button", "plain", (0.07, 0.03, 0.05), (0.4, -1, -0.7), row=("x", 2, 5)),
        P("antenna", "rod", (0.02, 0.02, (0.4, 0.9)), (0.9, 0.6, 1), (0, 0, 1), turn=("y", -40, 30), often=0.7),
        P("handle", "arch", ((0.5, 0.9), 0.05, (0.12, 0.25)), (0, 0, 1), (0, 0, 0.8), often=0.6),
        also=("transistor radio", "boombox"),
        words={**HANDLE, "display": ("dial", "screen"), "grille": ("cone", "grill"), "body": ("case", "housing")},
    ),
    thing(
        "oscilloscope",
        (0.2, 0.5),
        P("body", "box", (1.0, (0.35, 0.8), (0.5, 0.7))),
        P("screen", "plain", ((0.45, 0.6), 0.02, (0.35, 0.45)), (-0.35, -1, 0.1)),
        *(P("knob", "face", ((0.06, 0.1), 0.06, 0.08), (x, -1, 0.6), row=("z", 2, 4)) for x in (0.6, 0.82)),
        P("button", "plain", (0.05, 0.03, 0.04), (0.7, -1, -0.85), row=("x", 2, 6)),
        P("handle", "arch", ((0.6, 0.9), 0.06, (0.15, 0.3)), (0, 0, 1), (0, 0, 0.7), often=0.5),
        P("foot", "post", (0.08, 0.08, 0.06), (0.8, 0.7, -1), (0, 0, -0.8), mirror="xy", often=0.5),
        also=("test instrument", "medical monitor"),
        words={**HANDLE, "screen": ("display",), "knob": ("dial",), "body": ("case", "housing")},
    ),
    thing(
        "cooktop",
        (0.3, 0.8),
        P("body", "box", (1.0, (0.6, 0.9), (0.06, 0.3))),
        P("burner", "disc", ((0.22, 0.34), (0.22, 0.34), (0.02, 0.06)), (0.5, 0.45, 1), (0, 0, 0.8), mirror="xy"),
        P("knob", "face", (0.08, (0.05, 0.1), 0.08), (0.6, -1, 0), (0, -0.6, 0), row=("x", 2, 5)),
        also=("hot plate", "gas stove"),
        words={"burner": ("hob", "heating plate"), "knob": ("dial",), "body": ("case", "housing")},
    ),
    thing(
        "window",
        (0.4, 1.6),
        P("frame", "frame", (1.0, (0.05, 0.12), 1.2)),
        P("pane", "plain", (0.86, 0.02, 1.06), (0, 0, (-0.01, 0.01))),
        P("mullion", "plain", ((0.03, 0.08), 0.05, 1.06), (0, 0, 0), often=0.6),
        P("handle", "lying", (0.03, 0.1, 0.12), (0.85, -1, (-0.3, 0.1)), (0, -0.6, 0)),
        P("sill", "box", ((0.9, 1.4), (0.15, 0.3), 0.05), (0, -0.5, -1), (0, 0, -0.5), often=0.7),
        also=("casement",),
        words={**HANDLE, "pane": ("glass", "sheet"), "sill": ("ledge",), "mullion": ("bar", "crosspiece")},
    ),
    thing(
        "hand bell",
        (0.08, 0.25),
        P("bell", "dome", (0.6, 0.6, (0.35, 0.6))),
        P("lip", "rod", ((0.62, 0.7), 0.66, (0.04, 0.1)), (0, 0, -1), (0, 0, 0.3)),
        P("handle", "post", ((0.08, 0.16), (0.08, 0.16), (0.3, 0.9)), (0, 0, 1), (0, 0, 0.9)),
        P("knob", "ball", (0.18, 0.18, (0.1, 0.2)), (0, 0, 1), on="handle", often=0.5),
        also=("school bell", "bell"),
        words={**HANDLE, "bell": ("dome", "body"), "lip": ("rim", "edge"), "knob": ("pommel",)},
    ),
    thing(
        "rubber stamp",
        (0.05, 0.15),
        P("base", "box", ((0.5, 1.0), (0.3, 0.6), (0.1, 0.25))),
        P("pad", "plain", (0.5, 0.3, 0.05), (0, 0, -1), (0, 0, -0.8)),
        P("handle", "post", ((0.12, 0.22), (0.12, 0.22), (0.3, 0.8)), (0, 0, 1), (0, 0, 0.9)),
        P("knob", "ball", ((0.22, 0.3), (0.22, 0.3), 0.25), (0, 0, 1), on="handle", often=0.7),
        also=("stamp", "seal"),
        words={**HANDLE, "base": ("plate", "block"), "pad": ("stamp face", "die"), "knob": ("grip ball",)},
    ),
)
