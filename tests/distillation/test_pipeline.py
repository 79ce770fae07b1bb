# SPDX-License-Identifier: Apache-2.0
"""From scan files to a bundle that the inference room loads and runs."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from partdistill_ros.cli.render import as_distilled
from partdistill_ros.distillation import pipeline, scan_task
from partdistill_ros.distillation.config import (
    SCRATCH_EPOCHS,
    Augmentation,
    BackwardConfig,
    DistillConfig,
    Schedule,
)
from partdistill_ros.distillation.known_units import save_known, select_points
from partdistill_ros.distillation.progress import Progress
from partdistill_ros.distillation.rescored_units import RescoredUnits, find_rescored
from partdistill_ros.distillation.samples import Sample, make_sample, upright_cloud
from partdistill_ros.distillation.sources import collect_samples, count_scans
from partdistill_ros.distillation.units import KnowledgeUnits
from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.bundle import DEFAULT_PATH, Bundle
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.io.load import load_scan
from partdistill_ros.io.save import save_scan
from partdistill_ros.pointcloud.scan import Scan, sample_surface
from partdistill_ros.students.build import load_student, new_student, save_encoder
from partdistill_ros.students.names import LEAST_POINTS
from partdistill_ros.synthetic.families import generate
from partdistill_ros.teachers.registry import TEACHERS, TeacherEntry
from partdistill_ros.text.space import TextSpace

QUICK = replace(Schedule(), epochs=2, batch=2, min_steps=2)
BOTH_WAYS = replace(QUICK, epochs=3, forward_fraction=0.6)  # two epochs forward, one backward
PARTS = ("cap", "body")
TEXT = {"bottle": [TextSpace.load().encode([part]) for part in PARTS]}


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    for seed in range(2):
        save_scan(folder / f"bottle{seed}.npz", generate("bottle", seed))
    (folder / "broken.ply").write_bytes(b"ply\nnonsense")
    return folder


@pytest.fixture(autouse=True)
def rows(monkeypatch: pytest.MonkeyPatch, teacher) -> None:
    monkeypatch.setitem(TEACHERS, "rows", TeacherEntry(lambda spec, device: teacher, "pixels"))


def config(scans: Path, out: Path, **changes: object) -> DistillConfig:
    base = DistillConfig(
        (scans,), ("cap", "body"), out, "bottle", "rows", start="scratch", cloud_points=800, schedule=QUICK
    )
    return replace(base, **changes)


def collected(how: DistillConfig, parts: tuple[str, ...], work: Path) -> list[Sample]:
    return collect_samples(how, parts, work, lambda _: None, [])


def test_scans_to_bundle(scans: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    out = pipeline.distill(config(scans, tmp_path / "bottles")).bundle
    assert "broken.ply" in caplog.text
    segmenter = Segmenter(out, "cpu")
    cloud = generate("bottle", 9).points
    labels = segmenter.segment([cloud], "bottle: cap, body", [(0, 0, 1)])[0]
    assert labels.labels.shape == (len(cloud),) and set(np.unique(labels.labels)) <= {0, 1}
    training = segmenter.bundle.training
    assert training["scans"] == 2 and training["teacher"] == "rows"


def test_weights_can_be_trained_on(scans: Path, tmp_path: Path) -> None:
    out = pipeline.distill(config(scans, tmp_path / "bottles")).bundle
    student = load_student(out)
    assert student.config.points == 2048


def test_a_student_that_starts_from_a_file(scans: Path, tmp_path: Path) -> None:
    learned = new_student("patch_transformer", 64)
    save_encoder(learned, tmp_path / "encoder.pt", {})
    out = pipeline.distill(config(scans, tmp_path / "bottles", start=str(tmp_path / "encoder.pt"))).bundle
    again = pipeline.distill(config(scans, tmp_path / "more", start=str(out))).bundle
    assert Bundle.load(again).training["start"] == str(out)
    moved = load_student(out).state_dict()["blocks.0.qkv.weight"] - learned.state_dict()["blocks.0.qkv.weight"]
    assert 0 < moved.abs().mean() < 0.01, "four steps from where it began"


def test_a_start_that_learned_another_text_space_is_refused(scans: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(DEFAULT_PATH, other)
    manifest = json.loads((other / "bundle.json").read_text())
    manifest["text"]["space"] = "clip-x-64"
    (other / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(PartDistillError, match="clip-x-64.*this run has 'minilm64'"):
        pipeline.distill(config(scans, tmp_path / "x", start=str(other)))
    assert not (tmp_path / "x.work").exists(), "before any work"


def test_a_place_that_is_taken_is_refused_before_any_work(scans: Path, tmp_path: Path, teacher) -> None:
    with pytest.raises(PartDistillError, match="exists and is not a bundle"):
        pipeline.distill(config(scans, scans))
    assert not teacher.asked and not scans.with_name("scans.work").exists()


def test_knowledge_is_not_asked_twice(scans: Path, tmp_path: Path, teacher) -> None:
    pipeline.distill(config(scans, tmp_path / "bottles"))
    asked = teacher.asked
    pipeline.distill(config(scans, tmp_path / "bottles", seed=0))
    assert teacher.asked == asked == 2


def test_the_renderer_asked_for_is_used(scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, device: str) -> None:
        raise PartDistillError(f"{name} on {device} was asked for")

    monkeypatch.setattr(scan_task, "load_backend", refuse)
    with pytest.raises(PartDistillError, match="pytorch3d on cpu"):
        pipeline.distill(config(scans, tmp_path / "x", renderer="pytorch3d"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mode": "later"}, "pre, tta"),
        ({"parts": ("cap",)}, "at least two parts"),
        ({"scans": ()}, "no scans"),
        ({"backward": "sideways"}, "kept-mass"),
        ({"renderer": "crayons"}, "pytorch3d"),
        ({"text_space": "clip"}, "add --teacher clip"),
        ({"up": "north"}, "x, -x, y, -y, z, -z"),
    ],
)
def test_wrong_options_are_refused_before_any_work(
    scans: Path, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    with pytest.raises(PartDistillError, match=message):
        replace(config(scans, tmp_path / "x"), **change)


def test_a_student_that_agrees_by_chance_is_told(scans: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    never = BackwardConfig(min_kappa=1.1)
    pipeline.distill(config(scans, tmp_path / "bottles", schedule=BOTH_WAYS, backward_config=never))
    assert "no unit was re-scored: the student agrees with its teacher by chance only" in caplog.text


def test_what_became_of_the_units_is_written(scans: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    always = BackwardConfig(min_kappa=-1.0)  # six steps make no student that agrees
    run = pipeline.distill(config(scans, tmp_path / "bottles", schedule=BOTH_WAYS, backward_config=always))
    out = run.bundle
    assert "no unit was re-scored" not in caplog.text
    assert Bundle.load(out).training["backward_from"] == 2
    graded = [RescoredUnits.load(path) for path in find_rescored(tmp_path / "bottles.work")]
    assert [one.name for one in graded] == ["bottle0", "bottle1"]
    for one in graded:
        assert one.category == "bottle" and one.units.parts == PARTS and one.points.shape == (800, 3)
        assert len(one.views) == 10 and (one.units.score <= 1).all()
    assert any(one.change().any() for one in graded)


def test_forward_alone_grades_nothing(scans: Path, tmp_path: Path) -> None:
    pipeline.distill(config(scans, tmp_path / "bottles", backward="none", schedule=BOTH_WAYS))
    work = tmp_path / "bottles.work"
    assert not (work / "backward").exists()


def test_another_rule_goes_on_from_the_same_forward_distillation(scans: Path, tmp_path: Path, teacher) -> None:
    work, epochs = tmp_path / "bottles.work", {}
    for rule in ("posterior", "kept-mass", "none"):
        told: list[Progress] = []
        pipeline.distill(config(scans, tmp_path / "bottles", backward=rule, schedule=BOTH_WAYS), told.append)
        epochs[rule] = [(one.stage, one.epoch) for one in told if one.stage in ("forward", "backward")]
    assert epochs["posterior"] == [("forward", 1), ("forward", 2), ("backward", 3)]
    assert epochs["kept-mass"] == [("backward", 3)]
    assert epochs["none"] == [("forward", 3)]
    assert len(list(work.glob("forward-*.pt"))) == 1 and len(list(work.glob("fit-*.pt"))) == 3
    assert teacher.asked == 2


def test_labeled_shapes_teach_beside_the_scans(scans: Path, tmp_path: Path, teacher) -> None:
    labeled = tmp_path / "labeled.npz"
    save_scan(labeled, sample_surface(generate("bottle", 9), 900))
    how = config(scans, tmp_path / "x", labels=(str(labeled), str(scans / "bottle0.npz")))
    left_out: list[str] = []
    samples = collect_samples(how, PARTS, tmp_path / "x.work", lambda _: None, left_out)
    assert [sample.labeled for sample in samples] == [False, False, True, True] and teacher.asked == 2
    assert samples[2].units.score.tolist() == [1, 1] and samples[2].partial_views is not None


def test_generated_shapes_are_members_with_their_share(scans: Path, tmp_path: Path, teacher) -> None:
    how = config(scans, tmp_path / "x", generated=("procedural:2", str(scans / "bottle0.npz")), generated_share=0.25)
    samples = collected(how, PARTS, tmp_path / "x.work")
    assert [sample.weight for sample in samples] == [1, 1, 0.25, 0.25, 0.25]
    even = collected(replace(how, generated_share=None), PARTS, tmp_path / "x.work")
    assert [sample.weight for sample in even] == [1, 1, *[pytest.approx(2 / 3)] * 3]
    assert [sample.name for sample in samples[2:]] == ["bottle_00000", "bottle_00001", "bottle0"]
    assert {sample.category for sample in samples} == {"bottle"} and all(len(sample.units) for sample in samples)


def test_generated_shapes_alone_make_a_student(tmp_path: Path) -> None:
    how = replace(config(tmp_path, tmp_path / "made", generated=("procedural:2",)), scans=())
    training = Bundle.load(pipeline.distill(how).bundle).training
    assert training["scans"] == 2 and training["generated"] == ["procedural:2"]


def test_scans_that_bring_their_knowledge_need_no_teacher(
    tmp_path: Path, teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(2):
        cloud = upright_cloud(generate("bottle", seed), 1000)
        save_known(tmp_path / f"known{seed}.npz", cloud, make_sample(cloud, PARTS, "bottle", teacher).units)

    def refuse(*asked: object) -> None:
        raise AssertionError(f"{asked} was asked for")

    for name in ("load_teacher", "render_scan", "load_backend"):
        monkeypatch.setattr(scan_task, name, refuse)
    how = config(tmp_path, tmp_path / "bottles", schedule=BOTH_WAYS)
    assert Bundle.load(pipeline.distill(how).bundle).training["scans"] == 2
    graded = [RescoredUnits.load(path) for path in find_rescored(tmp_path / "bottles.work")]
    assert len(graded) == 2 and all(len(one.views) == 10 and one.points.shape == (800, 3) for one in graded)


def test_knowledge_stays_with_its_points(tmp_path: Path, teacher) -> None:
    cloud = upright_cloud(generate("bottle", 0), 1000)
    save_known(tmp_path / "known.npz", cloud, make_sample(cloud, PARTS, "bottle", teacher).units)
    # The parts in another order, and eight of ten points: units still hold what lies high or low.
    sample = collected(config(tmp_path / "known.npz", tmp_path / "x"), PARTS[::-1], tmp_path)[0]
    assert sample.units.n_points == len(sample.points) == 800 and sample.units.parts == PARTS[::-1]
    votes = sample.units.votes(sample.units.score[sample.units.owner()])
    high, low = sample.points[:, 2] > 0.5, sample.points[:, 2] < -0.5
    assert (votes[high].argmax(1) == 1).mean() > 0.9 and (votes[low].argmax(1) == 0).mean() > 0.9


def test_knowledge_and_scans_of_a_folder_are_learned_together(scans: Path, tmp_path: Path, teacher) -> None:
    cloud = upright_cloud(generate("bottle", 5), 1000)
    save_known(scans / "known.npz", cloud, make_sample(cloud, PARTS, "bottle", teacher).units)
    asked = teacher.asked
    samples = collected(config(scans, tmp_path / "x"), PARTS, tmp_path / "x.work")
    assert [sample.name for sample in samples] == ["known", "bottle0", "bottle1"]
    assert teacher.asked == asked + 2


def test_knowledge_that_cannot_be_used_is_left_out(tmp_path: Path, teacher, caplog: pytest.LogCaptureFixture) -> None:
    cloud = upright_cloud(generate("bottle", 5), 1000)
    units = make_sample(cloud, PARTS, "bottle", teacher).units
    save_known(tmp_path / "good.npz", cloud, units)
    damaged = dict(np.load(tmp_path / "good.npz"))
    damaged["unit_indptr"] = damaged["unit_indptr"][:-1]
    np.savez(tmp_path / "damaged.npz", **damaged)
    few = np.arange(LEAST_POINTS - 1)
    save_known(tmp_path / "few.npz", cloud.select(few), select_points(units, few))
    left_out: list[str] = []
    samples = collect_samples(config(tmp_path, tmp_path / "x"), PARTS, tmp_path / "x.work", lambda _: None, left_out)
    assert [sample.name for sample in samples] == ["good"]
    assert len(left_out) == 2 and "is damaged" in left_out[0] and "63 finite points, 64 at least" in left_out[1]
    assert "damaged.npz left out" in caplog.text and "few.npz left out" in caplog.text


def test_as_many_partial_views_as_asked_for(scans: Path, tmp_path: Path, teacher) -> None:
    cloud = upright_cloud(generate("bottle", 5), 1000)
    save_known(scans / "known.npz", cloud, make_sample(cloud, PARTS, "bottle", teacher).units)
    how = config(scans, tmp_path / "x", augmentation=Augmentation(num_partial_views=3))
    for sample in collected(how, PARTS, tmp_path / "x.work"):
        assert sample.partial_views is not None and len(sample.partial_views) == 3


def test_where_nobody_knows_up_it_is_guessed(tmp_path: Path, teacher, monkeypatch: pytest.MonkeyPatch) -> None:
    lying = sample_surface(generate("pliers", 1), 1500).points[:, [2, 1, 0]]  # flat ends along x
    save_scan(tmp_path / "pliers.npz", Scan(lying))
    how = config(tmp_path / "pliers.npz", tmp_path / "x")
    sample = collected(how, PARTS, tmp_path / "x.work")[0]
    assert sample.up_unknown and np.ptp(sample.points, axis=0)[2] < 0.5
    # Detections of a file belong to views about +z.
    monkeypatch.setattr(type(teacher), "name", "boxes")
    kept = collected(how, PARTS, tmp_path / "y.work")[0]
    assert kept.up_unknown and np.ptp(kept.points, axis=0)[2] > 0.7


def test_up_is_that_of_the_rendered_views(scans: Path, tmp_path: Path) -> None:
    path = scans / "bottle0.npz"
    how = config(path, tmp_path / "x", up="-y", cloud_points=DistillConfig.cloud_points)
    sample = collected(how, PARTS, tmp_path / "x.work")[0]
    _, rendered = as_distilled(load_scan(path, up="-y"))
    assert sample.views is not None and not sample.up_unknown
    for own, shown in ((sample.views.position, rendered.position), (sample.views.rotation, rendered.rotation)):
        np.testing.assert_allclose(own, shown, atol=1e-5)
    assert np.ptp(sample.points, axis=0)[1:].argmax() == 0, "the bottle lies"


def test_knowledge_is_turned_up_as_well(tmp_path: Path, teacher) -> None:
    cloud = upright_cloud(generate("bottle", 0), 1000)
    save_known(tmp_path / "known.npz", cloud, make_sample(cloud, PARTS, "bottle", teacher).units)
    how = config(tmp_path / "known.npz", tmp_path / "x")
    plain, turned = (collected(replace(how, up=up), PARTS, tmp_path)[0].points for up in (None, "x"))
    np.testing.assert_allclose(turned[:, 2], plain[:, 0], atol=1e-5)


def test_mode_and_start_settle_what_was_left_open(tmp_path: Path) -> None:
    open_ = replace(config(tmp_path, tmp_path / "x"), schedule=None)
    scratch = pipeline.resolved(open_, 3)
    assert scratch.schedule == replace(Schedule(), epochs=45) and scratch.augmentation == Augmentation()
    goes_on = pipeline.resolved(replace(open_, start="default", mode="tta", epochs=4), 3)
    assert goes_on.schedule.learning_rate == pytest.approx(1e-3)
    assert (goes_on.schedule.epochs, goes_on.schedule.min_steps) == (4, 6) and goes_on.augmentation.partial_view == 0
    wide, usual = (pipeline.resolved(replace(open_, batch=batch), 3) for batch in (32, None))
    assert wide.schedule == replace(Schedule(), epochs=45, batch=32) and wide.batch is None
    same = pipeline.resolved(replace(open_, batch=8), 3)
    assert len({pipeline.run_key(one, [], TEXT) for one in (wide, usual, same)}) == 2
    with pytest.raises(PartDistillError, match="a schedule has its own epochs and batch"):
        replace(open_, schedule=QUICK, batch=4)
    own = replace(open_, mode="tta", schedule=QUICK, augmentation=Augmentation(roll_pitch=0.5))
    assert pipeline.resolved(own, 3) == own


def test_the_key_of_a_run_changes_with_what_it_depends_on(scans: Path, tmp_path: Path) -> None:
    how = config(scans, tmp_path / "x", augmentation=Augmentation())
    samples = collected(how, PARTS, tmp_path / "x.work")
    units = samples[0].units
    swapped, of_other_views = replace(units, part=1 - units.part), replace(units, view=units.view + 1)
    keys = {
        pipeline.run_key(how, samples, TEXT, "posterior"),
        pipeline.run_key(how, samples, TEXT),
        pipeline.run_key(replace(how, seed=1), samples, TEXT, "posterior"),
        pipeline.run_key(replace(how, text_space="clip", teacher="clip"), samples, TEXT, "posterior"),
        pipeline.run_key(replace(how, augmentation=Augmentation(noise=0.5)), samples, TEXT, "posterior"),
        pipeline.run_key(how, samples[:1], TEXT, "posterior"),
        pipeline.run_key(how, [replace(samples[0], weight=2.0), samples[1]], TEXT, "posterior"),
        pipeline.run_key(how, [replace(samples[0], boxes=True), samples[1]], TEXT, "posterior"),
        pipeline.run_key(how, [replace(samples[0], units=swapped), samples[1]], TEXT, "posterior"),
        pipeline.run_key(how, [replace(samples[0], units=of_other_views), samples[1]], TEXT, "posterior"),
        pipeline.run_key(how, samples, {"bottle": TEXT["bottle"][::-1]}, "posterior"),
        pipeline.run_key(replace(how, backward_config=BackwardConfig(memory=0.1)), samples, TEXT, "posterior"),
    }
    assert len(keys) == 12
    elsewhere = replace(how, out=tmp_path / "y", backward="published", device="cuda")
    assert pipeline.run_key(elsewhere, samples, TEXT, "posterior") in keys
    other_rule = replace(how, backward_config=BackwardConfig(memory=0.1))
    assert pipeline.run_key(other_rule, samples, TEXT) in keys, "forward distillation knows nothing of it"
    usual, asked = (pipeline.resolved(replace(how, schedule=None, epochs=n), 2) for n in (None, SCRATCH_EPOCHS))
    assert pipeline.run_key(usual, samples, TEXT) == pipeline.run_key(asked, samples, TEXT)


def test_no_usable_scan_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"nothing")
    with pytest.raises(PartDistillError):
        pipeline.distill(config(tmp_path / "a.npz", tmp_path / "x"))


def test_every_stage_is_told_in_its_order(scans: Path, tmp_path: Path, teacher) -> None:
    told: list[Progress] = []
    run = pipeline.distill(config(scans, tmp_path / "bottles", schedule=BOTH_WAYS), told.append)
    looking = [(one.stage, one.epoch, one.epochs) for one in told if one.stage in ("extract", "render", "teach")]
    each = [(stage, scan, 3) for scan in (1, 2) for stage in ("extract", "render", "teach")]
    assert looking == [*each, ("extract", 3, 3)], "the third cannot be read"
    assert [one.stage for one in told[-2:]] == ["export", "export"] and told[-1].epoch == told[-1].epochs
    assert run.bundle == tmp_path / "bottles" and len(run.samples) == len(run.rescored) == 2
    told.clear()
    again = pipeline.distill(config(scans, tmp_path / "bottles", schedule=BOTH_WAYS), told.append)
    assert "teach" not in [one.stage for one in told], "what lies in the store is not asked again"
    assert [list(one.new_score) for one in again.rescored] == [list(one.new_score) for one in run.rescored]


def test_what_was_left_out_is_in_the_run(scans: Path, tmp_path: Path) -> None:
    run = pipeline.distill(config(scans, tmp_path / "bottles"))
    assert len(run.samples) == 2 and len(run.left_out) == 1 and "broken.ply" in run.left_out[0]


def test_a_bundle_in_force_keeps_its_name_in_a_store(scans: Path, tmp_path: Path) -> None:
    run = pipeline.distill(config(scans, tmp_path / "mine" / "next", name="mine"))
    assert Bundle.load(run.bundle).name == "mine"


def test_scans_are_counted_as_far_as_they_can_be(scans: Path, tmp_path: Path) -> None:
    assert count_scans([scans], ()) == 3
    assert count_scans([scans], ("procedural:5", str(scans))) == 11
    (tmp_path / "one.mcap").touch()
    assert count_scans([scans, tmp_path / "one.mcap"], ()) == 0


def test_a_start_that_changes_makes_another_run(scans: Path, tmp_path: Path) -> None:
    start = tmp_path / "encoder.pt"
    start.write_bytes(b"one")
    how = config(scans, tmp_path / "x", start=str(start))
    first = pipeline.run_key(how, [], TEXT)
    start.write_bytes(b"two")
    assert pipeline.run_key(how, [], TEXT) != first


@pytest.mark.parametrize("word", ["default", "scratch"])
def test_a_folder_named_like_a_start_changes_nothing(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.chdir(tmp_path)
    how = replace(config(scans, tmp_path / "x"), start=word, schedule=None)
    before = pipeline.resolved(how, 2), pipeline.run_key(how, [], TEXT)
    (tmp_path / word).mkdir()
    (tmp_path / word / "student.pt").write_bytes(b"somebody's")
    assert (pipeline.resolved(how, 2), pipeline.run_key(how, [], TEXT)) == before


def test_boxes_whose_names_are_swapped_make_another_run(tmp_path: Path) -> None:
    """Two categories of a file of boxes, exchanged: the student of before must not come back."""
    scan = Scan(sample_points(800), name="post", category="post")
    units = units_of(len(scan.points))
    students = []
    for part in (units.part, 1 - units.part):
        save_known(tmp_path / "post.npz", scan, replace(units, part=part.astype(np.int16)))
        how = config(tmp_path / "post.npz", tmp_path / "x", backward="none")
        students.append(load_student(pipeline.distill(how).bundle).state_dict())
    assert any(not torch.equal(value, students[1][name]) for name, value in students[0].items())


def sample_points(count: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (count, 3)).astype(np.float32)


def units_of(n_points: int) -> KnowledgeUnits:
    half = n_points // 2
    return KnowledgeUnits(
        np.array([0, 1], np.int16), np.array([0.9, 0.8], np.float32), np.zeros(2, np.int16),
        np.array([0, half, n_points]), np.arange(n_points, dtype=np.int32), n_points, PARTS,
    )  # fmt: skip
