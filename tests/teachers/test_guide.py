# SPDX-License-Identifier: Apache-2.0
"""docs/teachers.md: its commands have the options that they name, and its code runs."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.cli.main import main  # noqa: E402
from partdistill_ros.teachers.boxes import BoxFileTeacher  # noqa: E402
from partdistill_ros.teachers.cache import VARIABLE  # noqa: E402
from partdistill_ros.teachers.registry import TEACHERS, parse_spec  # noqa: E402
from partdistill_ros.teachers.self_check import self_check  # noqa: E402
from partdistill_ros.teachers.spec import weights_variable  # noqa: E402


@pytest.fixture(scope="module")
def guide(repository) -> str:
    return (repository / "docs" / "teachers.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def code(guide) -> list[str]:
    return re.findall(r"```python\n(.*?)```", guide, re.DOTALL)


def test_commands_have_their_options(guide, capsys):
    lines = re.findall(r"^partdistill (\w+) (.*)$|`partdistill (\w+) ?([^`]*)`", guide, re.MULTILINE)
    assert len(lines) > 4
    for command, rest in ((a or c, b or d) for a, b, c, d in lines):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        assert set(re.findall(r"--[a-z-]+", rest)) <= set(re.findall(r"--[a-z-]+", capsys.readouterr().out)), rest
        for teacher in re.findall(r"--teacher (\S+)", rest):
            parse_spec(teacher)


def test_every_option_and_variable_is_named(guide):
    options_of = {kind: one.options for kind, one in TEACHERS.items() if one.options}
    for kind, options in options_of.items():
        names = [name for name in options.__dataclass_fields__ if name != "weights"]
        assert not [name for name in names if f"`{name}" not in guide], kind
    found = set(re.findall(r"PARTDISTILL_[A-Z_]+", guide))
    assert found == {*map(weights_variable, options_of), VARIABLE}


def test_defaults_are_those_of_the_code(guide):
    for name, default in re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", guide, re.MULTILINE):
        value = getattr(TEACHERS["clip"].options(), name)
        assert default == str(value), name
    for name, default in re.findall(r"`(threshold|nms|prompt|size|batch)=([^`]+)`", guide):
        assert default == str(getattr(TEACHERS["detector"].options(), name)), name


def test_a_teacher_of_your_own(code):
    scope = {"my_model": lambda pictures, parts: np.full((len(pictures), len(parts), 224, 224), 0.5, np.float32)}
    exec(code[1], scope)
    found = self_check(scope["MyTeacher"]())
    assert 0 < found.right < 1


def test_boxes_of_any_detector(code, mug_views, tmp_path, monkeypatch):
    images = [{"id": 40 + n, "file_name": f"view_0{n}.png", "width": 96, "height": 96} for n in range(10)]
    categories = [{"id": 1, "name": "handle"}, {"id": 2, "name": "cup"}]
    (tmp_path / "views").mkdir()
    (tmp_path / "views" / "manifest.json").write_text(json.dumps({"images": images, "categories": categories}))
    monkeypatch.chdir(tmp_path)
    exec(code[0], {"detect": lambda picture, words: [((8.0, 10.0, 20.0, 40.0), 2, 0.5)]})
    answer = BoxFileTeacher.load(tmp_path / "views" / "found.json").answer(mug_views, ("handle", "cup"), "mug")
    np.testing.assert_array_equal(answer.boxes, [[8, 10, 20, 40]] * 10)
    assert set(answer.part) == {1} and sorted(answer.view) == list(range(10))
