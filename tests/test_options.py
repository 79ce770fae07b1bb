# SPDX-License-Identifier: Apache-2.0
"""One dataclass declares, checks, documents and reads a node's parameters."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.options import documented_yaml, from_text, option, options_of, updated


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


def test_groups_are_flattened_with_the_values_of_the_instance():
    values = {known.name: known.default for known in options_of(Room(seats=7))}
    assert values == {
        "name": "hall", "seats": 7, "open": True,
        "front.color": "white", "front.power": 5.0, "back.color": "red", "back.power": 1.0,
    }  # fmt: skip


def test_changes_reach_the_group_they_name():
    room = updated(Room(), {"seats": 9, "back.color": "white", "back.power": 2})
    assert room == Room(seats=9, back=Lamp("white", 2.0))
    assert type(room.back.power) is float


@pytest.mark.parametrize(("changes", "words"), [
    ({"seats": 101}, "'seats' is 101; it must be 0 to 100"),
    ({"seats": -1}, "'seats' is -1; it must be 0 to 100"),
    ({"seats": 1.5}, "must be a whole number"),
    ({"seats": True}, "must be a whole number"),
    ({"name": 3}, "must be a text"),
    ({"open": 1}, "must be a bool"),
    ({"front.color": "green"}, "'front.color' is 'green'; it must be one of white, red"),
    ({"front.power": float("nan")}, "must be 0.0 to 60.0"),
    ({"front": 1}, "there is no parameter 'front'"),
    ({"chairs": 1}, "there is no parameter 'chairs'; the parameters are: name, seats"),
])  # fmt: skip
def test_nonsense_is_refused_by_name(changes, words):
    with pytest.raises(PartDistillError, match=words):
        updated(Room(), changes)


def test_launch_arguments_become_values():
    texts = {"name": "cellar", "seats": "", "open": "False", "front.power": "3", "back.color": ""}
    assert from_text(Room(), texts) == {"name": "cellar", "open": False, "front.power": 3.0}
    for name, text in (("seats", "many"), ("open", "maybe"), ("front.color", "green")):
        with pytest.raises(PartDistillError, match=name):
            from_text(Room(), {name: text})


def test_the_documented_file_is_yaml_with_every_value():
    yaml = pytest.importorskip("yaml")
    text = documented_yaml(Room(), "Two lines\nof heading")
    assert text.startswith("# Two lines\n# of heading\n/**:\n")
    assert yaml.safe_load(text)["/**"]["ros__parameters"] == {
        "name": "hall", "seats": 4, "open": True,
        "front": {"color": "white", "power": 5.0}, "back": {"color": "red", "power": 1.0},
    }  # fmt: skip
    assert "# Chairs in it. Valid: 0 to 100.\n" in text
    assert "# Watts. Valid: 0.0 to 60.0. Read at the start only.\n" in text
