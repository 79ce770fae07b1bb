# SPDX-License-Identifier: Apache-2.0
"""Teachers by name: a line and its parts, its options, and the mistakes in it."""

import json
import subprocess
import sys

import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.teachers.registry import check_text_space, load_teacher, parse_spec, with_weights
from partdistill_ros.teachers.spec import ClipOptions, DetectorOptions


@pytest.mark.parametrize(
    ("line", "kind", "argument", "options"),
    [
        ("mini", "mini", "", None),
        ("boxes:a,b=c.json", "boxes", "a,b=c.json", None),
        ("clip", "clip", "ViT-B-16:openai", ClipOptions()),
        ("clip:ViT-L-14:openai", "clip", "ViT-L-14:openai", ClipOptions()),
        ("clip,method=maskclip, scales=1+3", "clip", "ViT-B-16:openai", ClipOptions(method="maskclip", scales="1+3")),
        ("clip:hf-hub:a/b,weights=/x,y/z", "clip", "hf-hub:a/b", ClipOptions(weights="/x,y/z")),
        (
            "detector:o/n,prompt=a {part}, red,nms=1",
            "detector",
            "o/n",
            DetectorOptions(prompt="a {part}, red", nms=1.0),
        ),
    ],
)
def test_lines_are_taken_apart(line, kind, argument, options):
    spec = parse_spec(line)
    assert (spec.kind, spec.argument, spec.options) == (kind, argument, options)


def test_options_have_their_types():
    options = parse_spec("clip,scales=1+2.5,temperature=0.02,batch=3,picture=depth").options
    assert options == ClipOptions(scales="1+2.5", temperature=0.02, batch=3, picture="depth")
    assert options.scale_factors == (1.0, 2.5)
    assert parse_spec("detector,threshold=0.1").options == DetectorOptions(threshold=0.1)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("clip,metod=sclip", "no option 'metod': it has method, picture"),
        ("clip,method=best", "'method'.* must be one of sclip, clearclip"),
        ("clip,scales=0.5", "'scales'"),
        ("clip,scales=one", "numbers joined by"),
        ("clip,batch=many", "must be a whole number"),
        ("clip,batch=0", "1 to 4096"),
        ("clip,overlap=1", "0 to 0.9"),
        ("clip,temperature=-1", "'temperature'"),
        ("clip,precision=int8", "'precision'"),
        ("clip,method", "name=value"),
        ("clip,method=", "name=value"),
        ("detector,threshold=2", "'threshold'"),
        ("detector,nms=0", "'nms'"),
        ("detector,prompt=handle", "template with {part}"),
        ("detector,size=5", "64 to 4096"),
        ("detector,picture=x-ray", "'picture'"),
    ],
)
def test_mistakes_are_told(line, reason):
    with pytest.raises(PartDistillError, match=reason):
        parse_spec(line)


def test_weights_join_the_line(tmp_path):
    assert with_weights("clip,batch=2", tmp_path) == f"clip,batch=2,weights={tmp_path}"
    for line, path, reason in (
        ("mini", tmp_path, "does not go with the teacher 'mini'"),
        ("clip,weights=/a", tmp_path, "given twice"),
        ("clip", tmp_path / "gone", "gone does not exist"),
    ):
        with pytest.raises(PartDistillError, match=reason):
            with_weights(line, path)


def test_lines_are_judged_without_torch():
    code = """
import sys
sys.modules["torch"] = None
from partdistill_ros.teachers.registry import parse_spec
parse_spec("clip")
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    ("space", "teacher", "start", "words"),
    [
        ("t5", "clip", "scratch", "minilm, clip"),
        ("clip", "mini", "scratch", "add --teacher clip"),
        ("clip", "clip:ViT-L-14", "default", "start from scratch"),
    ],
)
def test_a_text_space_belongs_to_its_teacher(space, teacher, start, words):
    with pytest.raises(PartDistillError, match=words):
        check_text_space(space, teacher, start)
    check_text_space("clip", "clip:ViT-L-14,method=plain", "scratch")
    check_text_space("minilm", teacher, start)


def test_a_file_of_boxes_is_a_teacher(tmp_path):
    path = tmp_path / "found.json"
    path.write_text(json.dumps([{"image_id": 0, "category": "cup", "bbox": [0, 0, 5, 5], "score": 0.5}]))
    teacher = load_teacher(f"boxes:{path}")
    assert (teacher.name, teacher.kind, teacher.size) == ("boxes", "box", 800)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("oracle", "choose one of boxes, clip, detector, mini"),
        ("boxes", "boxes:FILE.json"),
        ("mini:7", "7 does not exist"),
        ("", "unknown"),
    ],
)
def test_teachers_that_do_not_exist_are_told(spec, reason):
    with pytest.raises(PartDistillError, match=reason):
        load_teacher(spec)
