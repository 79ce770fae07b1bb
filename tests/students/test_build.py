# SPDX-License-Identifier: Apache-2.0
"""Students made, saved and loaded again; what each start brings along."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.bundle import DEFAULT_PATH, Bundle, write_bundle
from partdistill_ros.inference.vocabulary import Vocabulary
from partdistill_ros.students import build
from partdistill_ros.students.build import (
    WEIGHTS,
    check_start_space,
    export_again,
    load_encoder,
    load_student,
    new_student,
    save_encoder,
    save_student,
)
from partdistill_ros.students.masked import masked_autoencoder
from partdistill_ros.students.names import STARTS, STUDENTS
from partdistill_ros.students.patch_transformer import PatchTransformer
from partdistill_ros.students.point_m2ae import PointM2AE, PointM2AEConfig
from partdistill_ros.students.student import Student
from partdistill_ros.text.space import TextSpace
from tests.students.conftest import M2AE, PATCHES, clouds

SMALL = {"patch_transformer": PATCHES, "point_m2ae": M2AE}


def small(name: str, seed: int = 0, **changes: object) -> Student:
    torch.manual_seed(seed)
    return build.make_student(name, {**asdict(SMALL[name]), **changes})


def same(one: Student, other: Student, parts: tuple[str, ...] | None = None) -> bool:
    """Whether weights are equal up to half precision, of all names or of those that begin with `parts`."""
    a, b = one.state_dict(), other.state_dict()
    names = [name for name in a if parts is None or name.split(".")[0] in parts]
    return all(torch.allclose(a[name].half().float(), b[name].half().float(), atol=1e-6) for name in names)


def bundle(student: Student, out: Path) -> Path:
    space = TextSpace.load()
    vocabulary = Vocabulary(space.names, space.embeddings, {"mug": ("handle", "cup")})
    return save_student(student, out, out.name, vocabulary, space, {"scans": 1})


@pytest.mark.parametrize("name", STUDENTS)
def test_every_name_is_a_student(name: str) -> None:
    student = new_student(name, 64)
    assert student.name == name and student.config.dim == 64
    assert student.config.patches <= student.config.centers <= student.config.points
    assert masked_autoencoder(student).student is student


def test_the_shipped_student_loads_unchanged() -> None:
    """Its file is older than the second student and names none."""
    stored = torch.load(DEFAULT_PATH / WEIGHTS, weights_only=True)
    student = load_student(DEFAULT_PATH)
    assert isinstance(student, PatchTransformer)
    assert student.state_dict().keys() == stored["state"].keys()
    assert all(torch.equal(value, stored["state"][name].float()) for name, value in student.state_dict().items())
    assert same(new_student("patch_transformer", 64, "default"), student)


@pytest.mark.parametrize("name", STUDENTS)
def test_a_bundle_says_whose_it_is_and_goes_on_with_its_head(tmp_path: Path, name: str) -> None:
    student = small(name, dim=64)
    out = bundle(student, tmp_path / "b")
    loaded = load_student(out)
    assert type(loaded) is type(student) and same(loaded, student)
    shape = Bundle.load(out)
    assert (shape.points, shape.centers, shape.patches) == (256, 64, student.config.patches)
    assert same(new_student(name, 64, str(out)), student)
    other = next(one for one in STUDENTS if one != name)
    with pytest.raises(PartDistillError, match=f"holds a {name}, not a {other}"):
        new_student(other, 64, str(out))
    with pytest.raises(PartDistillError, match="64 dimensions, this one 32"):
        new_student(name, 32, str(out))


def test_a_bundle_answers_as_the_saved_student(tmp_path: Path) -> None:
    import onnxruntime

    out = bundle(small("point_m2ae", dim=64), tmp_path / "b")
    student, (points, centers) = load_student(out).eval(), clouds(2)
    session = onnxruntime.InferenceSession(Bundle.load(out).model, providers=["CPUExecutionProvider"])
    text = TextSpace.load().encode(["handle", "cup"])
    feed = {"points": points.numpy(), "centers": centers.numpy(), "text": text}
    with torch.no_grad():
        expected = student(points, centers, torch.from_numpy(text)).numpy()
    assert np.abs(session.run(None, feed)[0] - expected).max() < 1e-3


def test_only_the_graph_is_made_anew(tmp_path: Path) -> None:
    path = bundle(small("patch_transformer", dim=64), tmp_path / "b")
    before, manifest = Bundle.load(path), json.loads((path / "bundle.json").read_bytes())
    older = dict(manifest, temperature=1.5)
    extras = {name: (path / name).read_bytes() for name in manifest["files"] if name.endswith(".pt")}
    write_bundle(path, before.model + b"\x3a\x00", older, before.vocabulary, extras)  # an empty graph merged into it
    export_again(path)
    after = Bundle.load(path)
    assert after.model == before.model and after.temperature == 1.5 and after.categories == before.categories
    assert same(load_student(path), small("patch_transformer", dim=64))


def test_batch_statistics_are_not_rounded(tmp_path: Path) -> None:
    student = small("point_m2ae", dim=64)
    norm = student.h_encoder.token_embed[0].first_conv[1]
    norm.running_var.fill_(3.3e-8)
    norm.num_batches_tracked.fill_(100_001)
    again = load_student(bundle(student, tmp_path / "b")).h_encoder.token_embed[0].first_conv[1]
    assert again.running_var[0] == torch.tensor(3.3e-8) and again.num_batches_tracked == 100_001


@pytest.mark.parametrize("name", STUDENTS)
def test_an_encoder_gets_a_new_head(tmp_path: Path, name: str) -> None:
    learned = small(name)
    save_encoder(learned, tmp_path / "e.pt", {"epochs": 3})
    encoder = load_encoder(tmp_path / "e.pt")
    assert (encoder.student, encoder.training) == (name, {"epochs": 3})
    assert {key.split(".")[0] for key in encoder.state} <= set(learned.encoder_parts)
    torch.manual_seed(7)
    student = new_student(name, 48, str(tmp_path / "e.pt"))
    assert same(student, learned, learned.encoder_parts) and student.config.dim == 48
    fresh = small(name, seed=7, dim=48)
    assert same(student, fresh, ("head", "from_patch", "from_place", "log_scale")), "the head is a fresh one"


def test_a_frozen_encoder_has_the_paper_head(tmp_path: Path) -> None:
    save_encoder(small("point_m2ae"), tmp_path / "e.pt", {})
    student = new_student("point_m2ae", 64, str(tmp_path / "e.pt"), freeze_encoder=True)
    assert isinstance(student, PointM2AE) and student.config.head == "mlp4"
    learns = {name.split(".")[0] for name, value in student.named_parameters() if value.requires_grad}
    assert learns == {"head", "log_scale"}
    out = bundle(student, tmp_path / "b")
    assert any(value.requires_grad for value in new_student("point_m2ae", 64, str(out)).h_encoder.parameters())


def test_the_public_checkpoint_is_a_start(tmp_path: Path) -> None:
    torch.manual_seed(3)
    learned = PointM2AE(PointM2AEConfig())
    state = {f"h_encoder.{name}": value for name, value in learned.h_encoder.state_dict().items()}
    torch.save({"base_model": state, "epoch": 300}, tmp_path / "ckpt-best.pth")
    student = new_student("point_m2ae", 64, str(tmp_path / "ckpt-best.pth"), freeze_encoder=True)
    assert student.config.up == "y", "the public encoder learned on shapes with +y up"
    assert same(student, learned, ("h_encoder",))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"junk", "cannot be read"),
        ({"student": "patch_transformer", "state": {}}, "is no encoder"),
        ([1, 2], "is no encoder"),
        ({"kind": build.ENCODER, "student": "oracle", "config": {}, "encoder": {}, "training": {}}, "is missing"),
        ({"kind": build.ENCODER, "student": "point_m2ae", "config": {}, "encoder": None}, "is missing"),
    ],
)
def test_other_files_are_no_encoders(tmp_path: Path, content: object, words: str) -> None:
    path = tmp_path / "e.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(PartDistillError, match=words):
        new_student("patch_transformer", 64, str(path))


def test_encoders_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.pt"
    save_encoder(small("point_m2ae"), path, {})
    with pytest.raises(PartDistillError, match="encoder of point_m2ae, not of patch_transformer"):
        new_student("patch_transformer", 64, str(path))
    content = torch.load(path, weights_only=True)
    for change in (
        {"encoder": {}},
        {"config": {**content["config"], "widths": (24, 48, 100)}},
        {"config": {**content["config"], "color": "red"}},
    ):
        torch.save({**content, **change}, path)
        with pytest.raises(PartDistillError, match="does not fit"):
            new_student("point_m2ae", 64, str(path))


@pytest.mark.parametrize("word", STARTS)
def test_the_words_of_a_start_are_no_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / word).mkdir()
    check_start_space(word, TextSpace.load())
    assert new_student("patch_transformer", 64, word).name == "patch_transformer"


def test_weights_that_are_damaged_are_named(tmp_path: Path) -> None:
    (tmp_path / WEIGHTS).write_bytes(b"junk")
    with pytest.raises(PartDistillError, match="cannot be read"):
        load_student(tmp_path)
