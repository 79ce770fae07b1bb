# SPDX-License-Identifier: Apache-2.0
"""Methods by name, and where their collections come from."""

from __future__ import annotations

import numpy as np
import pytest
from controlled_teacher import ControlledTeacher, chosen_teacher

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.evaluate import evaluate
from partdistill_ros.evaluation.methods.distilled_student import MethodConfig
from partdistill_ros.evaluation.methods.protocol import METHODS, parse_methods
from partdistill_ros.evaluation.methods.registry import collect, make_method
from partdistill_ros.evaluation.shapes import prepare
from partdistill_ros.evaluation.training_samples import teacher_samples
from partdistill_ros.io.save import save_scan
from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.synthetic.families import generate
from partdistill_ros.teachers.registry import load_teacher


@pytest.fixture(scope="module")
def mugs():
    return prepare([generate("mug", seed) for seed in range(2)])


def test_every_name_makes_a_method(mugs):
    for name in METHODS:
        if name not in ("pointclip", "pointclip2"):  # see test_pointclip
            assert make_method(name, mugs, MethodConfig()).setting
    with pytest.raises(PartDistillError, match="not the teacher 'mini': choose clip"):
        make_method("pointclip2", mugs, MethodConfig())


def test_a_teacher_made_of_the_shapes_votes_and_gives_no_features(mugs):
    setting = MethodConfig(chosen_teacher("controlled:pixel"))
    score = evaluate(mugs, make_method("vote", mugs, setting)).sampled.overall
    assert 5 < score < 90
    with pytest.raises(PartDistillError, match="gives no features"):
        make_method("features", mugs, setting)


def test_unknown_presets_and_methods_are_refused(mugs):
    with pytest.raises(PartDistillError, match="pixel-independent"):
        make_method("vote", mugs, MethodConfig(chosen_teacher("controlled:guess")))
    with pytest.raises(PartDistillError, match="mesh-scores"):
        parse_methods("vote,oracle")


def test_procedural_shapes_of_every_evaluated_category(mugs):
    both = [*mugs, *prepare([generate("bottle", 0)])]
    found = collect(["procedural:2"], both)
    assert [shape.question.category for shape in found] == ["bottle"] * 2 + ["mug"] * 2
    with pytest.raises(PartDistillError, match="procedural:50"):
        collect(["procedural"], mugs)


@pytest.fixture
def scans(tmp_path):
    """A folder of what real scans are: clouds without labels, category or up, the second seen from one side."""
    for number in range(2):
        cloud = sample_surface(generate("mug", 10 + number), 3000)
        bare = cloud.with_(point_labels=None, parts=(), category=None, up=None, name=f"scan_{number}")
        seen = bare.with_(viewpoint=np.array([3, 0, 1], np.float32)) if number else bare
        save_scan(tmp_path / "scans" / f"scan_{number}.npz", seen)
    return tmp_path / "scans"


def test_scans_without_labels_are_learned_from(mugs, scans):
    found = collect([str(scans)], mugs)
    assert [shape.question.name for shape in found] == ["scan_0", "scan_1"]
    assert {(shape.question.category, shape.question.parts) for shape in found} == {("mug", mugs[0].question.parts)}
    samples = teacher_samples(found, load_teacher("mini"))
    assert all(len(sample.units) and sample.category == "mug" for sample in samples)
    assert len(collect([str(scans), "procedural:1"], mugs)) == 3, "labeled ones beside them"


def test_a_folder_whose_name_begins_like_procedural_shapes_is_loaded_once(mugs, scans, monkeypatch):
    folder = scans.rename(scans.parent / "procedural_mugs")
    monkeypatch.chdir(folder.parent)
    both = [*mugs, *prepare([generate("bottle", 0)])]
    for number, file in enumerate(sorted(folder.iterdir())):
        save_scan(file, sample_surface(generate("mug", number), 3000).with_(name=file.stem))
    assert [shape.question.name for shape in collect([folder.name], both)] == ["scan_0", "scan_1"]


def test_scans_without_labels_are_not_measured_nor_taken_for_truth(mugs, scans):
    found = collect([str(scans)], mugs)
    with pytest.raises(PartDistillError, match="scan_0: it has no labels"):
        next(make_method("supervised", mugs, MethodConfig(train=found)).answer([mugs[0].question]))
    with pytest.raises(PartDistillError, match="scan_0: .*true labels"):
        teacher_samples(found, ControlledTeacher("pixel"))
    both = [*mugs, *prepare([generate("bottle", 0)])]
    with pytest.raises(PartDistillError, match="scan_0: the file names no category"):
        collect([str(scans)], both)
