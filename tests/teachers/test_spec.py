# SPDX-License-Identifier: Apache-2.0
"""A teacher's line: its parts, its options, and the mistakes in it."""

import subprocess
import sys

import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.teachers.spec import (
    ClipOptions,
    DetectorOptions,
    check_text_space,
    parse_spec,
    read_options,
    with_weights,
)


@pytest.mark.parametrize(
    ("line", "kind", "argument", "options"),
    [
        ("mini", "mini", "", {}),
        ("boxes:a,b=c.json", "boxes", "a,b=c.json", {}),
        ("clip", "clip", "ViT-B-16:openai", {}),
        ("clip:ViT-L-14:openai", "clip", "ViT-L-14:openai", {}),
        ("clip,method=maskclip, scales=1+3", "clip", "ViT-B-16:openai", {"method": "maskclip", "scales": "1+3"}),
        ("clip:hf-hub:a/b,weights=/x,y/z", "clip", "hf-hub:a/b", {"weights": "/x,y/z"}),
        ("detector:o/n,prompt=a {part}, red,nms=1", "detector", "o/n", {"prompt": "a {part}, red", "nms": "1"}),
    ],
)
def test_lines_are_taken_apart(line, kind, argument, options):
    spec = parse_spec(line)
    assert (spec.kind, spec.argument, dict(spec.options)) == (kind, argument, options)


def test_options_have_their_types():
    options = read_options(parse_spec("clip,scales=1+2.5,temperature=0.02,batch=3,picture=depth"), ClipOptions)
    assert options == ClipOptions(scales=(1.0, 2.5), temperature=0.02, batch=3, picture="depth")
    assert read_options(parse_spec("detector,threshold=0.1"), DetectorOptions) == DetectorOptions(threshold=0.1)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("clip,metod=sclip", "no option 'metod': it has method, picture"),
        ("clip,method=best", "'method': choose sclip or clearclip"),
        ("clip,scales=0.5", "'scales'"),
        ("clip,scales=one", "numbers joined by"),
        ("clip,batch=many", "must be a number"),
        ("clip,batch=0", "1 or more"),
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
from partdistill_ros.teachers.spec import parse_spec
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
