# SPDX-License-Identifier: Apache-2.0
"""Every field of a goal reaches the command line, as one word, and what is empty is left to its default."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from partdistill_ros.cli.main import build_parser
from partdistill_ros.errors import PartDistillError
from partdistill_ros.nodes.goals import distill_command, learn_command, query_of


def goal(**fields: object) -> SimpleNamespace:
    texts = dict.fromkeys(("category", "teacher", "mode", "student", "start", "backward", "output"), "")
    return SimpleNamespace(**{**texts, "scans": [], "parts": [], "generated": [], "epochs": 0, "seed": 0, **fields})


def test_an_empty_goal_keeps_the_defaults_of_the_command() -> None:
    command = distill_command(goal(scans=["mugs"], parts=["handle", "cup"]), "/store", "cpu")
    plain = build_parser().parse_args(["distill", "mugs", "--parts", "handle, cup", "--out", "object"])
    parsed = vars(build_parser().parse_args(command))
    assert parsed == {**vars(plain), "store": Path("/store"), "device": "cpu"}


def test_every_field_arrives() -> None:
    every = {"category": "mug", "teacher": "boxes:d.json", "mode": "tta", "student": "point_m2ae", "start": "scratch"}
    full = goal(
        scans=["a", "-b"],
        parts=["handle", "-x"],
        generated=["procedural:3"],
        epochs=4,
        seed=9,
        output="my mugs",
        **every,
    )
    parsed = build_parser().parse_args(distill_command(full, "/store", "cuda"))
    assert parsed.scans == [Path("a"), Path("-b")] and parsed.parts == "handle, -x"
    assert {name: getattr(parsed, name) for name in every} == every
    assert (parsed.generated, parsed.epochs, parsed.seed) == (["procedural:3"], 4, 9)
    assert (str(parsed.out), parsed.device) == ("my_mugs", "cuda")


def test_learning_is_tta_under_a_name_of_its_own() -> None:
    request = SimpleNamespace(parts=["handle", "cup"], category="coffee mug", teacher="", epochs=0)
    parsed = build_parser().parse_args(learn_command(request, Path("/s/view.npz"), "/s", "cpu"))
    assert (parsed.scans, parsed.mode, str(parsed.out)) == ([Path("/s/view.npz")], "tta", "learned_coffee_mug")
    assert parsed.category == "coffee mug" and parsed.teacher == "mini"


def test_a_goal_without_parts_is_refused_by_its_field() -> None:
    with pytest.raises(PartDistillError, match="'parts' is empty"):
        distill_command(goal(scans=["a"]), "/store", "cpu")
    with pytest.raises(PartDistillError, match="'parts' is empty"):
        learn_command(goal(), Path("x"), "/store", "cpu")


def test_the_query_for_the_new_student() -> None:
    assert query_of("mug", ["handle", "cup"]) == "mug: handle, cup"
    assert query_of("", ["a", "b"]) == "object: a, b"
