# SPDX-License-Identifier: Apache-2.0
"""A bundle travels whole, is replaced whole, and anything that does not fit is refused before a runtime sees it."""

import hashlib
import io
import json
import os

import numpy as np
import onnxruntime
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference import bundle as bundle_module
from partdistill_ros.inference.bundle import Bundle, set_calibration, write_bundle
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.inference.vocabulary import Vocabulary


@pytest.fixture
def no_runtime(monkeypatch):
    def loaded(*_, **__):
        raise AssertionError("the runtime was given a bundle that should have been refused")

    monkeypatch.setattr(onnxruntime, "InferenceSession", loaded)


def edit(path, change):
    manifest = json.loads((path / "bundle.json").read_text())
    change(manifest)
    (path / "bundle.json").write_text(json.dumps(manifest))


def put(path, name, content):
    """Replace a file and its checksum: damage that the checksum does not see."""
    (path / name).write_bytes(content)
    edit(path, lambda m: m["files"][name].update(sha256=hashlib.sha256(content).hexdigest()))


def put_vocabulary(path, **arrays):
    content = io.BytesIO()
    np.savez(content, **arrays)
    put(path, "vocabulary.npz", content.getvalue())


def refused(path, match):
    with pytest.raises(PartDistillError, match=match):
        Segmenter(path)


@pytest.mark.parametrize("name", ["student.onnx", "vocabulary.npz", "bundle.json"])
def test_a_named_pipe_is_refused_instead_of_waited_for(toy_path, no_runtime, name):
    (toy_path / name).unlink()
    os.mkfifo(toy_path / name)
    refused(toy_path, f"no {name} there" if name == "bundle.json" else f"{name} cannot be read .not a regular file")


def test_round_trip(toy_path, toy_model, toy_vocabulary):
    bundle = Bundle.load(toy_path)
    assert bundle.model == toy_model
    assert (bundle.name, bundle.points, bundle.patches, bundle.centers) == ("toy", 2048, 128, 128)
    assert bundle.patch_size == 32
    assert (bundle.text_space, bundle.text_dim, bundle.opset, bundle.sampling) == ("toy-4", 4, 17, "random")
    assert bundle.vocabulary.names == toy_vocabulary.names
    assert np.array_equal(bundle.vocabulary.embeddings, toy_vocabulary.embeddings)
    assert bundle.categories == toy_vocabulary.categories
    assert bundle.training == {"shapes": 0}
    assert bundle.checksums["student.onnx"] == hashlib.sha256(toy_model).hexdigest()
    assert json.loads((toy_path / "bundle.json").read_text())["schema"] == 1


def test_a_temperature_is_stated_and_changes_confidence_alone(toy_path):
    points = np.random.default_rng(0).uniform(-1, 1, (2048, 3))
    before = Segmenter(toy_path).segment([points], "top, bottom", [(0, 0, 1)])[0]
    set_calibration(toy_path, 2.0, {})
    after = Segmenter(toy_path).segment([points], "top, bottom", [(0, 0, 1)])[0]
    assert Bundle.load(toy_path).temperature == 2.0
    assert np.array_equal(after.labels, before.labels)
    odds, half = (np.log(one.confidence / (1 - one.confidence)) for one in (before, after))
    sure = before.confidence < 0.999  # float32 has no more to tell above
    assert sure.sum() > 50 and np.allclose(odds[sure] / 2, half[sure], atol=0.01)


@pytest.mark.parametrize(("temperature", "margins"), [(float("nan"), {}), (0.0, {}), (1.0, {"pot": 1.5})])
def test_a_calibration_that_is_none_leaves_the_bundle_as_it_was(toy_path, temperature, margins):
    before = {path.name: path.read_bytes() for path in toy_path.iterdir()}
    with pytest.raises(PartDistillError, match=r"bundle\.json: .*(temperature|margins)"):
        set_calibration(toy_path, temperature, margins)
    assert {path.name: path.read_bytes() for path in toy_path.iterdir()} == before


@pytest.mark.parametrize("temperature", [0, -1, float("nan"), float("inf"), "warm"])
def test_a_temperature_that_is_none(toy_path, no_runtime, temperature):
    edit(toy_path, lambda m: m.update(temperature=temperature))
    refused(toy_path, r"bundle\.json: .*temperature")


def test_default_names_the_shipped_folder(monkeypatch, toy_path):
    monkeypatch.setattr(bundle_module, "DEFAULT_PATH", toy_path)
    assert Bundle.load("default").name == "toy"
    assert Bundle.load().path == toy_path


def test_encoder_is_handed_to_the_vocabulary(toy_path):
    encoder = object()
    assert Bundle.load(toy_path, encoder=encoder).vocabulary.encoder is encoder


def test_missing_directory(tmp_path, no_runtime):
    refused(tmp_path / "nowhere", r"nowhere: no bundle\.json there")


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"null"])
def test_unreadable_manifest(toy_path, no_runtime, content):
    (toy_path / "bundle.json").write_bytes(content)
    refused(toy_path, r"bundle\.json .*damaged")


@pytest.mark.parametrize("schema", [0, 2, None, "1"])
def test_other_schema(toy_path, no_runtime, schema):
    edit(toy_path, lambda m: m.update(schema=schema))
    refused(toy_path, r"bundle\.json: schema is .*, this version reads 1")


@pytest.mark.parametrize("name", ["student.onnx", "vocabulary.npz"])
def test_a_changed_byte_is_noticed(toy_path, no_runtime, name):
    content = bytearray((toy_path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (toy_path / name).write_bytes(content)
    refused(toy_path, f"{name} does not have the sha256")


@pytest.mark.parametrize("name", ["student.onnx", "vocabulary.npz"])
def test_truncated_or_missing_file(toy_path, no_runtime, name):
    (toy_path / name).write_bytes((toy_path / name).read_bytes()[:-10])
    refused(toy_path, f"{name} does not have the sha256")
    (toy_path / name).unlink()
    refused(toy_path, f"{name} cannot be read")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", None), ("points", 0), ("points", "2048"), ("points", True), ("patches", -1), ("patches", 4096),
        ("centers", 64), ("centers", 4096),
        ("normalisation", "unit_cube"), ("up", "y"), ("text", "toy"), ("text", {"space": "toy", "dim": None}),
        ("text", {"dim": 4}), ("opset", None), ("sampling", "best"), ("patch_size", 0), ("training", []),
        ("categories", []), ("categories", {"post": "top"}), ("categories", {"post": []}), ("files", None),
        ("files", {}), ("files", {"student.onnx": "abc"}),
    ],
)  # fmt: skip
def test_wrong_fields_are_named(toy_path, no_runtime, field, value):
    edit(toy_path, lambda m: m.update({field: value}))
    refused(toy_path, rf"bundle\.json: .*({field}|sha256)")


def test_category_part_without_embedding(toy_path, no_runtime):
    edit(toy_path, lambda m: m["categories"].update(mug=["handle"]))
    refused(toy_path, "'handle' of categories.mug has no embedding")


def test_vocabulary_that_does_not_fit(toy_path, no_runtime):
    unit = np.eye(4, dtype=np.float32)[:2]
    for arrays, match in (
        ({"names": ["a", "b"], "embeddings": unit[:, :3]}, "text.dim 4"),
        ({"names": ["a"], "embeddings": unit}, "1 names with embeddings"),
        ({"names": ["a", "a"], "embeddings": unit}, "unique"),
        ({"names": ["a", "B"], "embeddings": unit}, "lower-case"),
        ({"names": ["a", "b"], "embeddings": unit * 2}, "unit length"),
        ({"names": ["a", "b"], "embeddings": unit * np.nan}, "unit length"),
        ({"names": ["a", "b"]}, "cannot be read"),
        ({"names": np.array([{}, {}], object), "embeddings": unit}, "cannot be read"),
    ):
        put_vocabulary(toy_path, **arrays)
        refused(toy_path, match)
    put(toy_path, "vocabulary.npz", b"not an archive")
    refused(toy_path, r"vocabulary\.npz cannot be read")


@pytest.mark.parametrize(
    ("axes", "match"),
    [
        ({"points": 1024}, r"'points' must be float32 \[free, 2048, 3\], it is float32 \[free, 1024, 3\]"),
        ({"patches": 64}, "'centers' must be"),
        ({"dim": 3}, "'text' must be"),
        ({"batch": 1}, r"it is float32 \[1, 2048, 3\]"),
    ],
)
def test_network_of_other_sizes(toy_path, no_runtime, student_maker, axes, match):
    put(toy_path, "student.onnx", student_maker(**axes))
    refused(toy_path, match)


def test_more_centers_than_patches(toy_path, student_maker):
    put(toy_path, "student.onnx", student_maker(patches=512))
    edit(toy_path, lambda m: m.update(centers=512))
    bundle = Bundle.load(toy_path)
    assert (bundle.patches, bundle.centers) == (128, 512)
    labels = Segmenter(bundle, "cpu").segment([np.random.default_rng(0).random((500, 3))], "top, bottom")[0]
    assert (labels.labels >= 0).all()


def test_a_network_with_free_point_count_is_accepted(toy_path, student_maker):
    put(toy_path, "student.onnx", student_maker(points="N", patches="G"))
    assert Bundle.load(toy_path).points == 2048


def test_network_with_other_inputs(toy_path, no_runtime, toy_model):
    import onnx

    model = onnx.load_from_string(toy_model)
    model.graph.input.append(onnx.helper.make_tensor_value_info("normals", onnx.TensorProto.FLOAT, ["B", 2048, 3]))
    put(toy_path, "student.onnx", model.SerializeToString())
    refused(toy_path, "unexpected input 'normals'")
    model = onnx.load_from_string(toy_model)
    model.graph.output[0].name = "scores"
    put(toy_path, "student.onnx", model.SerializeToString())
    refused(toy_path, "'logits' must be .*it is missing")


def test_not_a_network(toy_path, no_runtime):
    put(toy_path, "student.onnx", b"version https://git-lfs.github.com/spec/v1\n")
    refused(toy_path, "not an ONNX model")


def test_write_replaces_the_old_bundle_and_leaves_nothing_behind(toy_path, toy_model, toy_vocabulary, spec_maker):
    (toy_path / "leftover").write_text("from the old bundle")
    write_bundle(toy_path, toy_model, spec_maker(name="second"), toy_vocabulary)
    assert Bundle.load(toy_path).name == "second"
    assert not (toy_path / "leftover").exists()
    assert os.listdir(toy_path.parent) == ["toy"]


def test_write_makes_parents_and_takes_an_empty_directory(tmp_path, toy_model, toy_vocabulary, spec_maker):
    (tmp_path / "empty").mkdir()
    for target in (tmp_path / "empty", tmp_path / "a" / "b"):
        write_bundle(target, toy_model, spec_maker(), toy_vocabulary)
        assert Bundle.load(target).name == "toy"


def test_further_files_travel_with_their_checksum(tmp_path, toy_model, toy_vocabulary, spec_maker):
    path = write_bundle(tmp_path / "toy", toy_model, spec_maker(), toy_vocabulary, {"weights.pt": b"weights"})
    assert (path / "weights.pt").read_bytes() == b"weights"
    files = json.loads((path / "bundle.json").read_text())["files"]
    assert files["weights.pt"]["sha256"] == hashlib.sha256(b"weights").hexdigest()
    assert Bundle.load(path).name == "toy"


def test_a_failed_write_keeps_the_old_bundle(toy_path, toy_model, toy_vocabulary, spec_maker, monkeypatch):
    with pytest.raises(PartDistillError, match="normalisation"):
        write_bundle(toy_path, toy_model, spec_maker(normalisation="other"), toy_vocabulary)
    rename = os.rename

    def disk_full(source, target):
        if ".new-" in str(source):
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", disk_full)
    with pytest.raises(PartDistillError, match="No space left on device"):
        write_bundle(toy_path, toy_model, spec_maker(name="second"), toy_vocabulary)
    assert Bundle.load(toy_path).name == "toy"
    assert os.listdir(toy_path.parent) == ["toy"]


def test_write_does_not_replace_what_is_no_bundle(tmp_path, toy_model, toy_vocabulary, spec_maker):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("years of work")
    (tmp_path / "file").write_text("")
    for target in (tmp_path / "home", tmp_path / "file", tmp_path / "file" / "inside"):
        with pytest.raises(PartDistillError, match="choose another place"):
            write_bundle(target, toy_model, spec_maker(), toy_vocabulary)
    assert (tmp_path / "home" / "thesis.tex").read_text() == "years of work"


def test_write_refuses_a_vocabulary_of_another_space(tmp_path, toy_model, spec_maker):
    with pytest.raises(PartDistillError, match="text.dim 4"):
        write_bundle(tmp_path / "b", toy_model, spec_maker(), Vocabulary(("a",), np.ones((1, 1), np.float32)))
    assert os.listdir(tmp_path) == []
