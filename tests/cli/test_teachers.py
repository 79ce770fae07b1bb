# SPDX-License-Identifier: Apache-2.0
"""The list of teachers, and the self-check of one."""

import sys

import pytest
from PIL import Image

pytest.importorskip("torch", reason="torch: the extra 'train'")


def test_the_list_tells_state_needs_and_license(partdistill, monkeypatch):
    from partdistill_ros.teachers.registry import TEACHERS

    monkeypatch.setenv("PARTDISTILL_DETECTOR_WEIGHTS", "/models/dino")
    done = partdistill("teachers", "--json")
    assert done.code == 0 and set(done.json()["teachers"]) == set(TEACHERS)
    mini = done.json()["teachers"]["mini"]
    assert mini["installed"] and mini["license"] == "Apache-2.0" and mini["missing"] == []
    text = partdistill("teachers").out
    assert "ready" in text and "MIT (OpenAI, LAION)" in text and "shipped" in text


def test_what_is_missing_is_named_with_its_extra(monkeypatch):
    from partdistill_ros.teachers import registry

    monkeypatch.setattr(registry, "find_spec", lambda name: None if name == "open_clip" else sys)
    clip = registry.TEACHERS["clip"]
    assert clip.missing() == ("open_clip",) and clip.state("clip") == 'pip install "partdistill_ros[clip]"'


def test_the_shipped_teacher_passes_its_check(partdistill, tmp_path):
    done = partdistill("teachers", "mini", "--device", "cpu", "--picture", tmp_path / "seen.png", "--json")
    assert done.code == 0, done.err
    record = done.json()
    assert record["kind"] == "pixel" and record["right"] > 0.8 and record["seconds"] > 0
    assert Image.open(tmp_path / "seen.png").size == (5 * 128, 2 * 128)
    assert "of the mug's pixels got their part" in partdistill("teachers", "mini", "--device", "cpu").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--weights", "."], "--weights needs a teacher"),
        (["--picture", "a.png"], "--picture needs a teacher"),
        (["mini", "--weights", "."], "does not go with the teacher 'mini'"),
        (["boxes:found.json"], "nothing to check"),
        (["oracle"], "unknown teacher 'oracle'"),
        (["mini", "--picture", "seen.txt"], "ends in .png"),
        (["clip,methud=x"], "no option 'methud'"),
    ],
)
def test_mistakes_are_told(partdistill, arguments, words):
    done = partdistill("teachers", *arguments, *(["--device", "cpu"] if arguments[0] == "oracle" else []))
    assert done.code == 2 and words in done.err
