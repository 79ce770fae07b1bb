# SPDX-License-Identifier: Apache-2.0
"""Known names are embedded without a model, unknown ones are explained or go to an encoder."""

from dataclasses import replace

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.vocabulary import Vocabulary


class Encoder:
    def __init__(self, dim):
        self.dim, self.asked = dim, []

    def encode(self, names):
        self.asked.append(tuple(names))
        return np.full((len(names), self.dim), 0.5)


def test_embed_keeps_the_order_asked(toy_vocabulary):
    embeddings = toy_vocabulary.embed(["left", "top"])
    assert embeddings.dtype == np.float32
    assert embeddings.tolist() == [[-1, 0, 0, 0], [0, 0, 1, 0]]


def test_unknown_name_lists_the_nearest(toy_vocabulary):
    with pytest.raises(PartDistillError, match="unknown part name 'botom'; nearest known: bottom"):
        toy_vocabulary.embed(["top", "botom"])


def test_unknown_name_with_nothing_near_lists_parts_of_categories(toy_vocabulary):
    with pytest.raises(PartDistillError, match="nearest known: top, bottom, left, right"):
        toy_vocabulary.embed(["xyzzy"])


def test_all_unknown_names_are_reported_at_once_and_long_ones_shortened(toy_vocabulary):
    with pytest.raises(PartDistillError) as error:
        toy_vocabulary.embed(["topp", "q" * 1500])
    assert "'topp'" in str(error.value) and len(str(error.value)) < 500


def test_words_inside_a_longer_name_are_near():
    vocabulary = Vocabulary(("handle", "cup"), np.eye(2, dtype=np.float32))
    assert vocabulary.nearest("handle of the jug")[0] == "handle"


def test_encoder_gets_unknown_names_only(toy_vocabulary):
    encoder = Encoder(4)
    embeddings = replace(toy_vocabulary, encoder=encoder).embed(["gizmo", "top", "widget"])
    assert encoder.asked == [("gizmo", "widget")]
    assert embeddings.tolist() == [[0.5] * 4, [0, 0, 1, 0], [0.5] * 4]


def test_encoder_of_another_space_is_refused(toy_vocabulary):
    with pytest.raises(PartDistillError, match="text space has 4 dimensions"):
        replace(toy_vocabulary, encoder=Encoder(7)).embed(["gizmo"])
