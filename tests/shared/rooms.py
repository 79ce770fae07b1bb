# SPDX-License-Identifier: Apache-2.0
"""Options as a node or a command declares them, some within others."""

from __future__ import annotations

from dataclasses import dataclass, field

from partdistill_ros.options import option


@dataclass(frozen=True)
class Lamp:
    color: str = option("white", "Color of the light.", choices=("white", "red"))
    power: float = option(5.0, "Watts.", minimum=0.0, maximum=60.0, read_only=True)


@dataclass(frozen=True)
class Room:
    name: str = option("hall", "What it is called.")
    seats: int = option(4, "Chairs in it.", minimum=0, maximum=100)
    open: bool = option(True, "Whether one may enter.")
    front: Lamp = field(default=Lamp())
    back: Lamp = field(default=Lamp("red", 1.0))
