# SPDX-License-Identifier: Apache-2.0
"""Weights of 8 bits: the same network but for the rounding, and no other where nothing is wide."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.bundle import Bundle
from partdistill_ros.inference.session import StudentSession
from partdistill_ros.inference.vocabulary import Vocabulary
from partdistill_ros.students.eight_bits import AGREEMENT, agreement, eight_bit_graph
from partdistill_ros.students.patch_transformer import PatchTransformer
from tests.students.conftest import PATCHES, clouds


def test_it_answers_nearly_as_the_graph_and_is_smaller(patches: PatchTransformer) -> None:
    graph = patches.to_onnx()
    bytewise = eight_bit_graph(graph)
    points, centers = clouds(2)
    text = np.eye(PATCHES.dim, dtype=np.float32)
    feed = {"points": points.numpy(), "centers": centers.numpy(), "text": text}
    one, two = (
        onnxruntime.InferenceSession(each, providers=["CPUExecutionProvider"]).run(None, feed)[0]
        for each in (graph, bytewise)
    )
    assert len(bytewise) < len(graph)
    assert 0 < np.abs(one - two).max() < 0.1 * np.abs(one).max()


def test_agreement_is_whole_with_itself_and_counts_what_differs(patches: PatchTransformer) -> None:
    graph, words = patches.to_onnx(), ("handle", "cup", "lid")
    vocabulary = Vocabulary(words, np.eye(PATCHES.dim, dtype=np.float32)[:3], {"mug": words[:2]})
    assert agreement(graph, graph, PATCHES, vocabulary) == 1
    assert agreement(graph, PatchTransformer(PATCHES).to_onnx(), PATCHES, vocabulary) < AGREEMENT


def test_the_shipped_student_has_them_and_a_device_asks_for_them() -> None:
    bundle = Bundle.load("default")
    session = StudentSession(bundle.model, "cpu_int8", 1, model_int8=bundle.model_int8)
    assert session.provider == "cpu_int8"
    assert StudentSession(bundle.model, "cpu", 1, model_int8=bundle.model_int8).provider == "cpu"
    with pytest.raises(PartDistillError, match="no network with weights of 8 bits"):
        StudentSession(bundle.model, "cpu_int8", 1)
