# SPDX-License-Identifier: Apache-2.0
"""The ONNX header reader agrees with the onnx package and survives damaged files."""

import numpy as np
import onnx
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.onnx_header import FLOAT, INT64, TensorSpec, read_header


def test_reads_names_types_axes_and_opset(toy_model):
    header = read_header(toy_model)
    assert header.inputs == {
        "points": TensorSpec(FLOAT, (None, 2048, 3)),
        "centers": TensorSpec(INT64, (None, 128)),
        "text": TensorSpec(FLOAT, (None, 4)),
    }
    assert header.outputs == {"logits": TensorSpec(FLOAT, (None, 2048, None))}
    assert header.opset == 17


def test_initializers_listed_as_inputs_are_left_out(toy_model):
    model = onnx.load_from_string(toy_model)
    listed = onnx.helper.make_tensor_value_info("sharpness", onnx.TensorProto.FLOAT, [1])
    model.graph.input.append(listed)
    assert "sharpness" not in read_header(model.SerializeToString()).inputs


def test_an_output_without_shape(toy_model):
    model = onnx.load_from_string(toy_model)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    assert read_header(model.SerializeToString()).outputs["logits"] == TensorSpec(FLOAT, None)


def test_shape_in_words():
    assert str(TensorSpec(FLOAT, (None, 2048, 3))) == "float32 [free, 2048, 3]"


def test_damaged_models_give_our_error_only(toy_model):
    rng = np.random.default_rng(0)
    refused = 0
    for size in rng.integers(0, len(toy_model), 100):
        damaged = bytearray(toy_model[:size])
        if size > 10:
            damaged[rng.integers(size)] = rng.integers(256)
        try:
            read_header(bytes(damaged))
        except PartDistillError:
            refused += 1
    assert refused > 60


@pytest.mark.parametrize(
    "content", [b"", b"not a model", b"\xff" * 40, b"version https://git-lfs.github.com/spec/v1\n"]
)
def test_other_files_are_refused(content):
    with pytest.raises(PartDistillError, match=r"student\.onnx is not an ONNX model"):
        read_header(content)
