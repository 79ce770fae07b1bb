# SPDX-License-Identifier: Apache-2.0
"""A bundle's own text encoder: a toy whose embedding tells how many words a name has."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from partdistill_ros.errors import MissingDependencyError, PartDistillError
from partdistill_ros.inference.bundle import Bundle, write_bundle
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.inference.text_encoder import GRAPH, TOKENIZER, OnnxTextEncoder

TABLE = {
    "top": (0, 0, 1, 0),
    "summit": (0, 0, 1, 0),
    "floor": (0, 0, -1, 0),
    "[UNK]": (0, 0, 0, 1),
    "[PAD]": (0, 0, 0, 0),
}


def make_graph(dim: int = 4, ids: str = "input_ids", kind: int = TensorProto.INT64) -> bytes:
    """Sums the rows of TABLE over a name's words and makes the length 1."""
    rows = np.array(list(TABLE.values()), np.float32)
    rows = np.concatenate([rows, np.zeros((len(rows), dim - 4), np.float32)], 1) if dim > 4 else rows[:, :dim]
    nodes = [
        helper.make_node("Gather", ["table", ids], ["words"], axis=0),
        helper.make_node("ReduceSum", ["words", "axis"], ["sum"], keepdims=0),
        helper.make_node("LpNormalization", ["sum"], ["embeddings"], axis=1, p=2),
    ]
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info(ids, kind, ["T", "L"])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["T", dim])],
        [numpy_helper.from_array(rows, "table"), numpy_helper.from_array(np.array([1]), "axis")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()


@pytest.fixture
def tokenizer() -> bytes:
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers: the extra 'text'")
    words = tokenizers.models.WordLevel({word: row for row, word in enumerate(TABLE)}, unk_token="[UNK]")
    made = tokenizers.Tokenizer(words)
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.enable_padding(pad_id=list(TABLE).index("[PAD]"), pad_token="[PAD]")
    return made.to_str().encode()


@pytest.fixture
def open_bundle(tmp_path, toy_model, spec_maker, toy_vocabulary, tokenizer):
    extras = {GRAPH: make_graph(), TOKENIZER: tokenizer}
    return write_bundle(tmp_path / "open", toy_model, spec_maker(), toy_vocabulary, extras)


def test_unknown_names_are_no_error(open_bundle):
    segmenter = Segmenter(open_bundle, device="cpu")
    segmenter.warm_up()
    query = segmenter.query("tower: summit, floor, handle")
    np.testing.assert_allclose(query.embeddings, [[0, 0, 1, 0], [0, 0, -1, 0], [0, 0, 0, 1]])
    points = np.random.default_rng(0).normal(size=(3000, 3)).astype(np.float32)
    (labels,) = segmenter.segment([points], "tower: summit, floor", [(0, 0, 1)])
    assert ((labels.labels == 0) == (points[:, 2] > 0)).mean() > 0.95


def test_known_names_come_from_the_vocabulary(open_bundle):
    vocabulary = Bundle.load(open_bundle).vocabulary
    assert vocabulary.embed(["lid"])[0] == pytest.approx([0, 0, 0.96, 0.28])


def test_names_are_cleaned_and_batched(tokenizer):
    encoder = OnnxTextEncoder(make_graph(), tokenizer, 4)
    assert encoder.encode([" Summit\n", "FLOOR"]).tolist() == [[0, 0, 1, 0], [0, 0, -1, 0]]
    many = encoder.encode(["summit", "floor_handle"] * 100)
    assert many.shape == (200, 4) and many[199] == pytest.approx([0, 0, -(0.5**0.5), 0.5**0.5])


def test_another_encoder_comes_first(open_bundle):
    class Other:
        def encode(self, names):
            return np.tile(np.array([1, 0, 0, 0], np.float32), (len(names), 1))

    assert Bundle.load(open_bundle, encoder=Other()).vocabulary.embed(["summit"]).tolist() == [[1, 0, 0, 0]]


@pytest.mark.parametrize("name", [GRAPH, TOKENIZER])
def test_damaged_files_are_refused_at_once(open_bundle, name):
    (open_bundle / name).write_bytes(b"junk")
    with pytest.raises(PartDistillError, match=f"{name} does not have the sha256"):
        Bundle.load(open_bundle)
    (open_bundle / name).unlink()
    with pytest.raises(PartDistillError, match=f"{name} cannot be read"):
        Bundle.load(open_bundle)


def test_a_missing_checksum_of_the_tokenizer_is_told(open_bundle):
    manifest = json.loads((open_bundle / "bundle.json").read_text())
    del manifest["files"][TOKENIZER]
    (open_bundle / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(PartDistillError, match="no sha256 for tokenizer.json"):
        Bundle.load(open_bundle)


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (b"junk", "here/text_encoder.onnx is not an ONNX model"),
        (make_graph(ids="tokens"), "no input 'input_ids'"),
        (make_graph(kind=TensorProto.INT32), "no input 'input_ids'"),
        (make_graph(dim=6), "embeddings of 6 numbers, the bundle has 4"),
    ],
)
def test_graphs_that_do_not_fit_are_refused(graph, reason):
    with pytest.raises(PartDistillError, match=reason):
        OnnxTextEncoder(graph, b"{}", 4, "here/")


def test_a_tokenizer_that_does_not_load_is_told(toy_vocabulary):
    pytest.importorskip("tokenizers", reason="tokenizers: the extra 'text'")
    vocabulary = replace(toy_vocabulary, encoder=OnnxTextEncoder(make_graph(), b"{}", 4))
    with pytest.raises(PartDistillError, match="does not load"):
        vocabulary.embed(["summit"])


def test_without_tokenizers_known_names_still_work(open_bundle, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    segmenter = Segmenter(open_bundle, device="cpu")
    segmenter.warm_up()
    assert segmenter.query("top, bottom").names == ("top", "bottom")
    with pytest.raises(MissingDependencyError, match=r"partdistill_ros\[text\]"):
        segmenter.query("summit, floor")


def test_a_new_name_needs_no_torch(open_bundle):
    code = f"""
import sys
from partdistill_ros.inference.segmenter import Segmenter
Segmenter({str(open_bundle)!r}, device="cpu").query("summit, floor")
assert not {{"torch", "transformers", "sentence_transformers", "huggingface_hub"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
