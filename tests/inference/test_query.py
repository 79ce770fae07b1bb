# SPDX-License-Identifier: Apache-2.0
"""Queries in words: groups, distractors, limits and errors that help."""

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.query import PartGroup, parse_query
from partdistill_ros.inference.vocabulary import Vocabulary


def test_plain_names(toy_vocabulary):
    query = parse_query("top, bottom", toy_vocabulary)
    assert query.groups == (PartGroup(None, ("top", "bottom")),)
    assert query.names == ("top", "bottom") and query.distractors == ()
    assert query.embeddings.tolist() == [[0, 0, 1, 0], [0, 0, -1, 0]]


def test_case_spaces_repetition_and_stray_separators(toy_vocabulary):
    query = parse_query("  Post :  TOP ,bottom,, top ;; ", toy_vocabulary)
    assert query.groups == (PartGroup("post", ("top", "bottom")),)
    assert query.text == "post : top ,bottom,, top ;;"


def test_names_of_several_words():
    vocabulary = Vocabulary(("seat back", "leg"), np.eye(2, dtype=np.float32))
    assert parse_query("Seat \t\n Back, leg", vocabulary).names == ("seat back", "leg")


def test_groups_share_names(toy_vocabulary):
    query = parse_query("post: top, bottom; bar: left, right; stool: top, left", toy_vocabulary)
    assert query.names == ("top", "bottom", "left", "right")
    assert [group.category for group in query.groups] == ["post", "bar", "stool"]
    assert query.columns(query.groups[2]).tolist() == [0, 2]


def test_one_name_competes_with_the_rest_of_its_category(toy_vocabulary):
    query = parse_query("bar: left", toy_vocabulary)
    assert query.groups == (PartGroup("bar", ("left",), ("right", "nothing")),)
    assert query.names == ("left",) and query.distractors == ("right", "nothing")
    assert query.embeddings.shape == (3, 4)
    assert query.columns(query.groups[0]).tolist() == [0, 1, 2]


def test_one_name_stands_for_every_category_that_has_it(toy_vocabulary):
    query = parse_query("bottom", toy_vocabulary)
    assert query.groups == (PartGroup("post", ("bottom",), ("top",)), PartGroup("pot", ("bottom",), ("lid",)))


def test_a_synonym_does_not_compete_with_the_part_it_means(toy_vocabulary):
    assert parse_query("post: lid", toy_vocabulary).groups == (PartGroup("post", ("lid",), ("bottom",)),)


def test_one_name_of_an_unknown_category_stands_alone(toy_vocabulary):
    assert parse_query("tower: top", toy_vocabulary).groups == (PartGroup("tower", ("top",)),)
    lonely = Vocabulary(("top",), np.ones((1, 1), np.float32))
    assert parse_query("top", lonely).groups == (PartGroup(None, ("top",)),)
    for query in (parse_query("tower: top", toy_vocabulary), parse_query("top", lonely)):
        assert query.remarks == ("nothing competes with 'top', every point gets it: name the object's other parts too",)
    assert parse_query("tower: top, left", toy_vocabulary).remarks == parse_query("bar: left", toy_vocabulary).remarks


def test_rivals_that_are_asked_for_in_another_group_are_not_doubled(toy_vocabulary):
    query = parse_query("post: top; pot: bottom, lid", toy_vocabulary)
    assert query.names == ("top", "bottom", "lid") and query.distractors == ()
    assert query.groups[0].distractors == ("bottom",)
    assert query.columns(query.groups[0]).tolist() == [0, 1]


@pytest.mark.parametrize("text", ["", "   ", ";", " ; \n ;"])
def test_empty_query(toy_vocabulary, text):
    with pytest.raises(PartDistillError, match="the query is empty: name the parts"):
        parse_query(text, toy_vocabulary)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("post:", "'post:' names no parts"),
        (",", "names no parts"),
        (": top", "needs one category before the colon"),
        ("a, b: top", "needs one category before the colon"),
        ("post: top: bottom", "two colons"),
        ("top, ??", r"unknown part name '\?\?'"),
    ],
)
def test_malformed_queries(toy_vocabulary, text, match):
    with pytest.raises(PartDistillError, match=match):
        parse_query(text, toy_vocabulary)


def test_length_limit(toy_vocabulary):
    assert parse_query("top," * 499 + "top", toy_vocabulary).names == ("top",)
    with pytest.raises(PartDistillError, match="10,000 characters, at most 2,000"):
        parse_query("x" * 10_000, toy_vocabulary)


def test_name_limit():
    names = tuple(f"p{number}" for number in range(65))
    vocabulary = Vocabulary(names, np.eye(65, dtype=np.float32))
    assert len(parse_query(",".join(names[:64]), vocabulary).names) == 64
    with pytest.raises(PartDistillError, match="65 names, at most 64"):
        parse_query(",".join(names), vocabulary)


def test_an_encoder_opens_the_vocabulary(toy_vocabulary):
    from dataclasses import replace

    class Encoder:
        def encode(self, names):
            return np.tile(np.array([0, 0, 1, 0], np.float32), (len(names), 1))

    query = parse_query("post: summit", replace(toy_vocabulary, encoder=Encoder()))
    assert query.groups == (PartGroup("post", ("summit",), ("bottom",)),)


def test_open_set_rejection_lets_every_other_category_compete(toy_vocabulary):
    query = parse_query("post: top", toy_vocabulary, reject_unknown=True)
    assert query.groups == (PartGroup("post", ("top",), ("bottom",)),) and query.names == ("top",)
    assert query.others == (PartGroup("bar", ("left", "right", "nothing")), PartGroup("pot", ("lid", "bottom")))
    assert query.distractors == ("bottom", "left", "right", "nothing", "lid") and len(query.embeddings) == 6
    assert parse_query("post: top", toy_vocabulary).others == ()


def test_parts_that_were_not_asked_for_tell_the_category_and_take_no_points(toy_vocabulary):
    query = parse_query("bar: left, right", toy_vocabulary, reject_unknown=True)
    bar = query.groups[0]
    assert bar.evidence == ("nothing",)
    assert len(query.columns(bar)) == 2 and len(query.evidence(bar)) == 3


def test_open_set_rejection_needs_categories_to_tell(toy_vocabulary):
    for text in ("top, bottom", "post: top, bottom; left, right"):
        query = parse_query(text, toy_vocabulary, reject_unknown=True)
        assert query.others == () and query.distractors == ()


def test_a_category_by_another_word_is_no_rival_of_itself(toy_vocabulary):
    others = parse_query("jar: lid, top", toy_vocabulary, reject_unknown=True).others
    assert [other.category for other in others] == ["bar"]


@pytest.mark.parametrize("text", ["\x00", "handle\x1b[2J, cup", "mug: han\u202edle", "handle\ud800"])
def test_what_is_no_text_is_refused_though_every_word_may_be_known(toy_vocabulary, text):
    with pytest.raises(PartDistillError, match="the query has control characters"):
        parse_query(text, toy_vocabulary)
