# SPDX-License-Identifier: Apache-2.0
"""Every word has an embedding, near that of what it means, with numpy alone."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest

from partdistill_ros.inference.bundle import Bundle
from partdistill_ros.inference.query import parse_query
from partdistill_ros.inference.token_table import TokenTable, head_word, shipped_table

TOY = TokenTable(
    ["pot", "lid", "screw", "##driver", "e"],
    np.array([[100, 0], [0, 100], [50, 0], [0, 50], [-1, 0]], np.int8),
    np.full(5, 0.01, np.float32),
    head_weight=3.0,
)


@pytest.mark.parametrize(
    ("phrase", "head"),
    [("drawer handle", 1), ("handle of the drawer", 0), ("lid", 0), ("part of a mug", 3), ("knob on top", 0)],
)
def test_the_head_word_of_a_phrase(phrase, head):
    assert head_word(phrase.split()) == head


def test_a_name_is_the_sum_of_its_pieces_its_head_word_first():
    pot, lid, of_pot, compound, accented = TOY.encode(["pot", "pot lid", "lid of pot", "screwdriver", "Pôt"])
    assert pot.tolist() == [1, 0] == accented.tolist()
    np.testing.assert_allclose(lid, np.array([1, 3]) / 10**0.5, atol=1e-6)
    np.testing.assert_allclose(of_pot, lid)
    np.testing.assert_allclose(compound, [0.5**0.5] * 2, atol=1e-6)
    assert TOY.is_word("Lid") and not TOY.is_word("screwdriver")


def test_a_name_of_a_thing_is_known_as_a_whole_alone_in_a_phrase_and_in_plural():
    more = np.array([[-100, 0], [0, -100]], np.int8)
    table = TokenTable(
        ["pot", "lid"], np.concatenate([[[100, 0], [0, 100]], more]).astype(np.int8), np.full(4, 0.01, np.float32), 3.0,
        names=["pot lid", "haft"],
    )  # fmt: skip
    whole, plural, phrase, bare = table.encode(["pot lid", "pot lids", "haft of a pot", "pot"])
    assert whole.tolist() == [-1, 0] == plural.tolist() and bare.tolist() == [1, 0]
    np.testing.assert_allclose(phrase, np.array([1, -3]) / 10**0.5, atol=1e-6)
    assert table.is_word("Hafts") and not table.is_word("hass")
    np.testing.assert_allclose(table.without_names().encode(["pot lid"])[0], np.array([1, 3]) / 10**0.5, atol=1e-6)


def test_what_has_no_known_letter_still_answers_and_always_the_same():
    first, second = TOY.encode(["??", "??"])
    assert np.linalg.norm(first) == pytest.approx(1) and first.tolist() == second.tolist()


def test_words_that_mean_alike_lie_close():
    table = shipped_table()
    near = {
        "torso": ("trunk", "keyboard"),
        "rack": ("shelf", "ear"),
        "palm": ("hand", "engine"),
        "hilt": ("handle", "tail"),
    }
    for word, (alike, other) in near.items():
        asked, close, far = table.encode([word, alike, other])
        assert asked @ close > asked @ far + 0.1, word
    assert (table.encode(["drawer handle"]) @ table.encode(["handle"]).T).item() > 0.6


def test_the_shipped_bundle_refuses_no_name_and_tells_of_strange_ones():
    vocabulary = Bundle.load().vocabulary
    query = parse_query("torso, xqzzt, hamndle", vocabulary)
    assert query.names == ("torso", "xqzzt", "hamndle") and np.isfinite(query.embeddings).all()
    assert (
        len(query.remarks) == 2 and "'xqzzt' is no common word" in query.remarks[0] and "'handle'" in query.remarks[1]
    )
    known = vocabulary.embed(["handle"])[0]
    np.testing.assert_array_equal(known, vocabulary.embeddings[vocabulary.names.index("handle")])
    assert parse_query("mug: handle, cup", vocabulary).remarks == ()


def test_signs_between_words_are_not_told_of():
    vocabulary = Bundle.load().vocabulary
    assert parse_query("t-shirt, drawer's knob, handle (left)", vocabulary).remarks == ()
    assert "'??' is taken for" in parse_query("??", vocabulary).remarks[0]


def test_a_word_as_long_as_a_query_costs_little_more_than_its_letters():
    table, letters = shipped_table(), "qzxjkvwb" * 240
    start = time.process_time()
    for at in range(0, len(letters), 20):
        table.rows(letters[at : at + 20])
    short = time.process_time() - start
    start = time.process_time()
    table.rows(letters)
    assert time.process_time() - start < 10 * short  # it was a hundred times


def test_a_new_word_needs_no_torch():
    code = """
import sys
from partdistill_ros.inference.bundle import Bundle
Bundle.load().vocabulary.embed(["gargoyle"])
assert not {"torch", "transformers", "tokenizers"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
