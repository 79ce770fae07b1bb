# SPDX-License-Identifier: Apache-2.0
"""Unknown words of a query are taken for what suits the others; names that a student has learned stay as they are."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.bundle import Bundle
from partdistill_ros.inference.part_lists import PartLists, shipped_part_lists
from partdistill_ros.inference.query import parse_query
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.inference.token_table import TokenTable

PIECES = ["handle", "head", "lid", "hammer", "pot", "striker", "haft", "cover"]
VECTORS = np.eye(5, dtype=np.float32)[[0, 1, 2, 3, 4, 1, 2, 2]] * 100
VECTORS[6] = [45, 0, 55, 0, 0]  # a haft, which lies by a lid a little more than by a handle
TABLE = TokenTable(PIECES, VECTORS.astype(np.int8), np.full(8, 0.01, np.float32), 1.5)
LISTS = PartLists(
    {"hammer": {"handle": ([], []), "head": ([], [])}, "pot": {"handle": ([], []), "lid": (["cover"], ["haft cap"])}},
    TABLE,
)


def nearest(embedding):
    return PIECES[int((TABLE.encode(PIECES[:3]) @ embedding).argmax())]


def test_the_other_words_tell_what_a_word_means():
    alone, beside = (
        TABLE.encode(["haft"])[0],
        LISTS.in_context(TABLE.encode(["haft", "striker"]), np.array([True, False])),
    )
    assert nearest(alone) == "lid" and nearest(beside[0]) == "handle"
    np.testing.assert_allclose(np.linalg.norm(beside, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(beside[1], TABLE.encode(["striker"])[0])


def test_two_words_are_two_parts():
    words = LISTS.in_context(TABLE.encode(["haft", "cover"]), np.array([True, True]))
    assert [nearest(word) for word in words] == ["handle", "lid"]


def test_a_category_tells_too():
    word = TABLE.encode(["haft"])
    assert nearest(LISTS.in_context(word, np.array([True]), "hammer")[0]) == "handle"
    assert nearest(LISTS.in_context(word, np.array([True]), "pot")[0]) == "lid"


def test_more_words_than_any_object_has_parts():
    words = LISTS.in_context(TABLE.encode(["haft", "striker", "cover", "pot"]), np.ones(4, bool))
    assert np.isfinite(words).all() and LISTS.learned == {"handle", "head", "lid", "cover"}


def test_what_the_bundle_or_a_training_knows_stays_as_it_is():
    vocabulary = Bundle.load("default").vocabulary
    known, synonym = "handle", "hilt"
    assert known in vocabulary and synonym in shipped_part_lists().learned
    query = parse_query(f"sword: {known}, {synonym}, quillon", vocabulary)
    np.testing.assert_array_equal(query.embeddings[:2], vocabulary.embed([known, synonym]))
    assert np.abs(query.embeddings[2] - vocabulary.embed(["quillon"])[0]).max() > 0.01


def test_the_plural_of_a_known_name_stays_too():
    vocabulary = Bundle.load("default").vocabulary
    names = ["shelves", "hilts", "doors"]
    assert not {*names} & shipped_part_lists().learned and "shelves" not in vocabulary
    np.testing.assert_array_equal(parse_query(", ".join(names), vocabulary).embeddings, vocabulary.embed(names))


def test_the_first_new_words_find_the_lists_at_hand():
    shipped_part_lists.cache_clear()
    Segmenter("default", "cpu", 1).warm_up()
    assert shipped_part_lists.cache_info().currsize == 1


def test_one_word_alone_has_no_context():
    vocabulary = Bundle.load("default").vocabulary
    np.testing.assert_array_equal(parse_query("haft", vocabulary).embeddings[0], vocabulary.embed(["haft"])[0])


def test_lists_that_cannot_be_read_are_reported(tmp_path):
    with pytest.raises(PartDistillError, match="cannot read the lists of parts"):
        shipped_part_lists(tmp_path / "none.json")
