# SPDX-License-Identifier: Apache-2.0
"""One dataclass declares, checks and documents options; parameters and command lines are made from it."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import MISSING, dataclass
from pathlib import Path

import pytest
from rooms import Lamp, Room

from partdistill_ros.errors import PartDistillError
from partdistill_ros.options import (
    add_arguments,
    check,
    declared,
    from_namespace,
    from_text,
    option,
    options_of,
    to_arguments,
    updated,
)


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
    ({"front.power": float("nan")}, "must be a finite number"),
    ({"front": 1}, "there is no parameter 'front'"),
    ({"chairs": 1}, "there is no parameter 'chairs'; the parameters are: name, seats"),
])  # fmt: skip
def test_nonsense_is_refused_by_name(changes, words):
    with pytest.raises(PartDistillError, match=words):
        updated(Room(), changes)


@dataclass(frozen=True)
class Free:
    shift: float = option(0.0, "Anywhere.")
    size: float | None = option(None, "At least nothing.", minimum=0.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 10**400])
@pytest.mark.parametrize("name", ["shift", "size"])
def test_what_is_no_finite_number_is_refused_everywhere(name, value, capsys):
    with pytest.raises(PartDistillError, match=f"'{name}' is -?(nan|inf|1000*); it must be a finite number"):
        updated(Free(), {name: value})
    parser = ArgumentParser()
    add_arguments(parser, Free)
    with pytest.raises(SystemExit):
        parser.parse_args([f"--{name}={value:g}" if isinstance(value, float) else f"--{name}=1e400"])
    assert f"argument --{name}: invalid number" in capsys.readouterr().err


def test_launch_arguments_become_values():
    texts = {"name": "cellar", "seats": "", "open": "False", "front.power": "3", "back.color": ""}
    assert from_text(Room(), texts) == {"name": "cellar", "open": False, "front.power": 3.0}
    for name, text in (("seats", "many"), ("open", "maybe"), ("front.color", "green")):
        with pytest.raises(PartDistillError, match=name):
            from_text(Room(), {name: text})


@dataclass(frozen=True)
class Walk:
    places: tuple[Path, ...] = option(MISSING, "where to go", positional=True, metavar="PLACE")
    names: tuple[str, ...] = option(MISSING, "who comes along", parse=lambda text: tuple(text.lower().split(", ")))
    goal: Path = option(MISSING, "where it ends")
    mood: str | None = option(None, "how it is", choices=("good", "bad"))
    dogs: tuple[str, ...] = option((), "dogs, one by one")
    hours: float | None = option(None, "how long", minimum=0.5, maximum=24.0)
    steps_a_day: int = option(1000, "at least", minimum=0)
    by_night: bool = option(False, "in the dark")
    note: str = "no option"


def parsed(*words: str) -> Walk:
    parser = ArgumentParser()
    add_arguments(parser, Walk)
    return from_namespace(Walk, parser.parse_args(words))


def test_a_command_line_is_made_from_the_dataclass():
    least = parsed("--names", "Ann", "--goal", "home")
    assert least == Walk((), ("ann",), Path("home"))
    full = parsed("a", "b", "--names", "Ann, Bo", "--goal", "home", "--mood", "bad", "--dogs", "x", "--dogs", "y",
                  "--hours", "2", "--steps-a-day", "0", "--by-night")  # fmt: skip
    assert full == Walk((Path("a"), Path("b")), ("ann", "bo"), Path("home"), "bad", ("x", "y"), 2.0, 0, by_night=True)
    assert parsed("--names", "x", "--goal", "y").dogs == (), "what one parser gathers stays out of the next"


@pytest.mark.parametrize(("words", "problem"), [
    (("--names", "Ann"), "required: --goal"),
    (("--names", "a", "--goal", "b", "--mood", "odd"), "invalid choice"),
    (("--names", "a", "--goal", "b", "--hours", "nan"), "invalid number 0.5 to 24.0 value: 'nan'"),
    (("--names", "a", "--goal", "b", "--steps-a-day", "-1"), "invalid whole number from 0 value: '-1'"),
    (("--names", "a", "--goal", "b", "--note", "x"), "unrecognized arguments"),
])  # fmt: skip
def test_a_wrong_command_line_is_refused(words, problem, capsys):
    with pytest.raises(SystemExit):
        parsed(*words)
    assert problem in capsys.readouterr().err


def test_values_become_words_that_are_read_back():
    walk = Walk((Path("a"), Path("-b")), ("ann", "-x"), Path("-home"), "good", ("-d", "e"), 1.5, 7, by_night=True)
    values = {one.name: getattr(walk, one.name) for one in declared(Walk)}
    assert parsed(*to_arguments(Walk, values)) == walk
    assert to_arguments(Walk, {"by_night": False}) == []


def test_an_argument_may_have_another_default_and_help_here(capsys):
    parser = ArgumentParser(prog="x")
    add_arguments(parser, Walk, ("steps_a_day", "mood"), mood={"default": "good", "description": "as ever"})
    assert vars(parser.parse_args([])) == {"steps_a_day": 1000, "mood": "good"}
    assert "as ever" in parser.format_help() and "how it is" not in parser.format_help()


@pytest.mark.parametrize(("changes", "words"), [
    ({"mood": "odd"}, "'mood' is 'odd'; it must be one of good, bad"),
    ({"goal": "home"}, "'goal' is 'home'; it must be a path"),
    ({"dogs": (1,)}, "'dogs' is 1; it must be a text"),
    ({"steps_a_day": None}, "'steps_a_day' is None; it must be a whole number"),
    ({"steps_a_day": -1}, "it must be from 0"),
])  # fmt: skip
def test_values_of_an_instance_are_checked(changes, words):
    check(Walk((), ("ann",), Path("home"), hours=None))
    with pytest.raises(PartDistillError, match=words):
        check(Walk(**{"places": (), "names": ("ann",), "goal": Path("home"), **changes}))
