# SPDX-License-Identifier: Apache-2.0
"""Vectors of pieces are learned from the names that they make up."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.inference.token_table import TokenTable  # noqa: E402
from partdistill_ros.text.tokens import learn, phrases, quantized  # noqa: E402


def test_learned_sums_point_where_names_are_wanted():
    pieces, rng = ["pot", "lid", "##s", "ring"], np.random.default_rng(0)
    truth = rng.normal(size=(4, 8)).astype(np.float32)
    texts = ["pot", "lid", "ring", "pots", "lids", "pot lid", "ring of pot", "lid ring"]
    start = TokenTable(pieces, *quantized(truth), 2.0)
    wanted = start.encode(texts)
    first = truth + rng.normal(0, 0.8, truth.shape).astype(np.float32)
    before = (TokenTable(pieces, *quantized(first), 1.5).encode(texts) * wanted).sum(1).mean()
    learned, head = learn(start, first, texts, wanted, 150, 0)
    after = (TokenTable(pieces, *quantized(learned), head).encode(texts) * wanted).sum(1).mean()
    assert after > 0.97 > before and head > 1


def test_quantized_vectors_differ_by_half_a_step():
    vectors = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    values, scales = quantized(vectors)
    assert values.dtype == np.int8 and np.abs(values * scales[:, None] - vectors).max() <= scales.max() * 0.51


def test_phrases_are_what_users_write():
    found = phrases(np.random.default_rng(0), ["blue", "garden"], 200)
    assert found == phrases(np.random.default_rng(0), ["blue", "garden"], 200)
    assert any(" of a " in text for text in found) and any(text.startswith("the ") for text in found)
