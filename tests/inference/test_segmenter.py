# SPDX-License-Identifier: Apache-2.0
"""What comes back fits what went in: every point, its order, its frame, its object, its name."""

import time
from dataclasses import replace

import numpy as np
import pytest
from python_steps import python_steps

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.segmenter import Segmenter, confidences
from partdistill_ros.pointcloud.frames import rotation_to_z

TOP, BOTTOM = 0, 1


@pytest.fixture
def segmenter(toy_bundle):
    return Segmenter(toy_bundle, device="cpu", threads=1)


def block(count=3_000, size=(0.2, 0.2, 1.0), seed=0):
    """A filled block standing on z, centered on the origin, with two corners so that its box is exact."""
    points = (np.random.default_rng(seed).random((count, 3)) - 0.5) * size
    points[0], points[1] = np.array(size) / 2, -np.array(size) / 2
    return points.astype(np.float32)


def agreement(labels, expected):
    return (labels == expected).mean()


def by_height(points):
    return np.where(points[:, 2] > 0, TOP, BOTTOM)


def test_labels_follow_the_points_in_their_order(segmenter):
    points = block()
    labels = segmenter.segment([points], "top, bottom", [(0, 0, 1)])[0]
    assert labels.labels.dtype == np.int16 and labels.confidence.dtype == np.float32
    assert labels.parts == ("top", "bottom") and labels.problem is None and labels.category is None
    assert agreement(labels.labels, by_height(points)) > 0.97
    order = np.random.default_rng(1).permutation(len(points))
    shuffled = segmenter.segment([points[order]], "top, bottom", [(0, 0, 1)])[0]
    assert agreement(shuffled.labels, labels.labels[order]) > 0.97


def test_embeddings_are_those_that_names_are_compared_with(segmenter):
    points, embeddings = segmenter.embed(block(2048), (0, 0, 1))
    np.testing.assert_array_equal(points, block(2048))
    toward = points / np.linalg.norm(points, axis=1, keepdims=True)
    np.testing.assert_allclose(embeddings, np.pad(toward, ((0, 0), (0, 1))), atol=1e-4)
    with pytest.raises(PartDistillError, match=r"^cup: 3 of 3 points are finite, fewer than the \d+ of a patch"):
        segmenter.embed(np.eye(3), (0, 0, 1), "cup")


def test_exactly_the_networks_number_of_points_is_answered_exactly(segmenter):
    points = block(2048)
    labels = segmenter.segment([points], "top, bottom", [(0, 0, 1)])[0]
    assert np.array_equal(labels.labels, by_height(points))
    radius = np.linalg.norm(points, axis=1).max()
    assert np.allclose(labels.confidence, 1 / (1 + np.exp(-16 * np.abs(points[:, 2]) / radius)), atol=1e-4)


def test_the_order_of_names_decides_the_index_only(segmenter):
    points = block(2048)
    ups = [(0, 0, 1)]
    swapped = segmenter.segment([points], "bottom, top", ups)[0]
    assert swapped.parts == ("bottom", "top")
    assert np.array_equal(1 - swapped.labels, segmenter.segment([points], "top, bottom", ups)[0].labels)


@pytest.mark.parametrize("up", [(0, 0, -1), (0, -1, 0), (1, 0, 0), (0.3, -0.5, 0.8)])
def test_up_turns_the_cloud(segmenter, up):
    points = block(2048)
    turned = points @ rotation_to_z(up)
    labels = segmenter.segment([turned + [5, 6, 7]], "top, bottom", [up])[0]
    assert agreement(labels.labels, by_height(points)) > 0.995
    assert np.allclose(labels.up, up)


@pytest.fixture
def guessed(monkeypatch):
    """Sets what is guessed about up."""

    def guess(ups, probability):
        answer = np.array(ups, float), np.array(probability)
        monkeypatch.setattr("partdistill_ros.inference.segmenter.likely_ups", lambda points: answer)

    return guess


def test_of_two_guesses_at_up_the_surer_answer_decides(segmenter, guessed):
    points = block(2048) @ rotation_to_z((0, 1, 0))
    guessed([(1, 0, 0), (0, 1, 0)], [0.5, 0.5])
    labels = segmenter.segment([points], "top, bottom", None)[0]
    assert labels.up.tolist() == [0, 1, 0]
    assert agreement(labels.labels, np.where(points[:, 1] > 0, TOP, BOTTOM)) > 0.99


def test_a_certain_up_is_not_questioned(segmenter, guessed):
    points = block(2048) @ rotation_to_z((0, 1, 0))
    guessed([(1, 0, 0), (0, 1, 0)], [0.97, 0.03])
    assert segmenter.segment([points], "top, bottom", None)[0].up.tolist() == [1, 0, 0]


def test_unknown_up_of_one_cloud_beside_a_known_one(segmenter, guessed):
    points = block(2048)
    guessed([(1, 0, 0)], [1.0])
    known, unknown = segmenter.segment([points, points @ rotation_to_z((1, 0, 0))], "top, bottom", [(0, 0, 1), None])
    assert np.array_equal(known.labels, by_height(points)) and known.up.tolist() == [0, 0, 1]
    assert unknown.up.tolist() == [1, 0, 0]


def test_invalid_points_are_unlabeled_and_the_rest_is_not_moved(segmenter):
    points = block(4_000)
    clean = segmenter.segment([points], "top, bottom", [(0, 0, 1)])[0]
    holes = np.insert(points, np.arange(0, 4_000, 4), np.nan, axis=0)
    holes[0, 1] = 0
    labels = segmenter.segment([holes], "top, bottom", [(0, 0, 1)])[0]
    invalid = ~np.isfinite(holes).all(axis=1)
    assert (labels.labels[invalid] == -1).all() and (labels.confidence[invalid] == 0).all()
    assert np.array_equal(labels.labels[~invalid], clean.labels)


def test_a_batch_answers_like_single_clouds(segmenter):
    clouds = [block(count, seed=count) for count in (40, 500, 2048, 9_000)] * 5
    ups = [(0, 0, 1), (0, 1, 0), (0, 0, -1), (1, 0, 0)] * 5
    together = segmenter.segment(clouds, "top, bottom", ups)
    for cloud, up, labels in zip(clouds, ups, together, strict=True):
        single = segmenter.segment([cloud], "top, bottom", [up])[0]
        assert np.array_equal(single.labels, labels.labels)
        assert np.allclose(single.confidence, labels.confidence, atol=1e-5)


def test_small_cloud_is_repeated_to_fill_the_network_and_predicted_once(segmenter):
    points, query = block(40), segmenter.query("top, bottom")
    (prediction,) = segmenter.predict([points], query, [(0, 0, 1)])
    assert np.array_equal(prediction.points, points) and prediction.probability.shape == (40, 2)
    assert np.array_equal(segmenter.assign_labels(points, prediction, query).labels, by_height(points))


@pytest.mark.parametrize(
    "cloud",
    [
        np.zeros((0, 3), np.float32),
        [],
        np.full((5_000, 3), np.nan, np.float32),
        block(31),
        np.concatenate([block(31), np.full((900, 3), np.inf)]),
    ],
)
def test_too_few_points_say_so_and_do_not_stop_the_others(segmenter, cloud):
    empty, good = segmenter.segment([cloud, block(2048)], "top, bottom", None)
    assert len(empty.labels) == len(cloud) and (empty.labels == -1).all() and (empty.confidence == 0).all()
    assert "points are finite, fewer than the 32 of a patch" in empty.problem and empty.up is None
    assert good.problem is None and (good.labels >= 0).all()


def test_no_clouds(segmenter):
    assert segmenter.segment([], "top, bottom") == []


@pytest.mark.parametrize(
    "cloud",
    [
        np.zeros((500, 3), np.float32),
        np.full((500, 3), 1e30, np.float32),
        np.resize(np.eye(3, dtype=np.float32) * 3e38, (40_000, 3)),
        np.concatenate([block(5_000), [[1e20, 0, 0]]]).astype(np.float32),
    ],
)
def test_degenerate_clouds_are_answered(segmenter, cloud):
    labels = segmenter.segment([cloud], "top, bottom", None)[0]
    assert len(labels.labels) == len(cloud) and np.isfinite(labels.confidence).all() and (labels.labels >= 0).all()


def test_a_million_points_cost_no_more_steps_of_python_than_a_few_thousand(segmenter):
    points = block(1_000_000)
    points[::7] = np.nan
    answers = []
    steps = python_steps(lambda: answers.extend(segmenter.segment([points], "top, bottom", [(0, 0, 1)])))
    assert steps < 3000
    labels = answers[0]
    valid = np.isfinite(points[:, 0])
    assert agreement(labels.labels[valid], by_height(points)[valid]) > 0.97


def test_the_group_that_fits_an_object_wins(segmenter):
    query = "post: top, bottom; bar: left, right"
    post, bar = segmenter.segment([block(), block(size=(1.0, 0.2, 0.2))], query, [(0, 0, 1)] * 2)
    assert (post.category, bar.category) == ("post", "bar")
    assert post.parts == bar.parts == ("top", "bottom", "left", "right")
    assert set(np.unique(post.labels)) == {0, 1} and set(np.unique(bar.labels)) == {2, 3}
    assert agreement(bar.labels, np.where(block(size=(1.0, 0.2, 0.2))[:, 0] > 0, 3, 2)) > 0.97


def test_an_object_that_fits_no_group_asked_for_stays_unlabeled(segmenter):
    standing, lying = block(), block(size=(1.0, 0.2, 0.2))
    query = segmenter.query("post: top, bottom", reject_unknown=True)
    post, bar = segmenter.segment([standing, lying], query, [(0, 0, 1)] * 2)
    assert post.category == "post" and agreement(post.labels, by_height(standing)) > 0.97
    assert bar.category == "bar" and (bar.labels == -1).all() and bar.problem is None
    every_object = segmenter.segment([lying], "post: top, bottom", [(0, 0, 1)])[0]
    assert every_object.category == "post" and (every_object.labels >= 0).all()


def test_what_was_asked_for_is_turned_down_only_beyond_its_margin(toy_bundle, segmenter):
    query = segmenter.query("post: top, bottom", reject_unknown=True)
    nearly = block(size=(1.0, 0.2, 0.9))
    strict = segmenter.predict([nearly], query, [(0, 0, 1)])[0].scores
    assert 0.02 < strict[1] - strict[0] < 0.2
    wide = Segmenter(replace(toy_bundle, margins={"post": 0.2, "bar": 0.9}))
    (labels,) = wide.segment([nearly], query, [(0, 0, 1)])
    assert labels.category == "post" and (labels.labels >= 0).all()
    narrow = Segmenter(replace(toy_bundle, margins={"post": 0.01, "bar": 0.9}))
    assert narrow.segment([nearly], query, [(0, 0, 1)])[0].category == "bar"
    both = segmenter.query("post: top, bottom; bar: left, right", reject_unknown=True)  # these compete as equals
    assert wide.segment([nearly], both, [(0, 0, 1)])[0].category == "bar"


def test_one_name_does_not_take_every_point(segmenter):
    points = block(2048)
    labels = segmenter.segment([points], "post: top", [(0, 0, 1)])[0]
    assert labels.parts == ("top",) and labels.category == "post"
    assert np.array_equal(labels.labels, np.where(points[:, 2] > 0, 0, -1))


def test_low_confidence_is_unlabeled_but_told(segmenter):
    points = block(2048)
    every = segmenter.segment([points], "top, bottom", [(0, 0, 1)])[0]
    sure = segmenter.segment([points], "top, bottom", [(0, 0, 1)], min_confidence=0.9)[0]
    assert np.array_equal(sure.confidence, every.confidence)
    assert np.array_equal(sure.labels == -1, every.confidence < 0.9)
    assert 0.1 < (sure.labels == -1).mean() < 0.9


def test_names_that_all_are_impossible_beside_others_share_the_confidence():
    probability = np.array([[0, 0], [0.2, 0.6]], np.float32)
    np.testing.assert_allclose(confidences(probability, 1.0), [[0.5, 0.5], [0.25, 0.75]], rtol=1e-6)
    root = np.sqrt(3)
    np.testing.assert_allclose(confidences(probability, 2.0)[1], [1 / (1 + root), root / (1 + root)], rtol=1e-6)


@pytest.fixture
def seen(segmenter, monkeypatch):
    """What the network gets, points, centers and names' embeddings for each turned cloud."""
    found, run_each = [], segmenter._session.run_each

    def noted(clouds, text):
        found.append([(points, centers, text) for points, centers in clouds])
        return run_each([cloud[:2] for cloud in found[-1]], text)

    monkeypatch.setattr(segmenter._session, "run_each", noted)
    return found


def test_votes_average_over_turns_about_the_vertical(segmenter, seen):
    points = block(2048, size=(1.0, 0.2, 0.2))
    single = segmenter.segment([points], "left, right", [(0, 0, 1)])[0]
    voted = segmenter.segment([points], "left, right", [(0, 0, 1)], votes=4)[0]
    assert [len(clouds) for clouds in seen] == [1, 4]
    assert np.allclose(seen[1][1][0][:, 1], seen[1][0][0][:, 0], atol=1e-6)  # a quarter turn: x goes to y
    assert single.confidence.mean() > 0.9
    assert np.allclose(voted.confidence, 0.5, atol=1e-3)  # the toy's left and right cancel over a full turn
    height = segmenter.segment([points], "top, bottom", [(0, 0, 1)], votes=3)[0]
    assert np.array_equal(height.labels, by_height(points))


def test_a_belief_labels_another_recording_of_the_same_thing(segmenter):
    query = segmenter.query("post: top, bottom")
    (prediction,) = segmenter.predict([block(5_000)], query, [(0, 0, 1)])
    assert prediction.points.shape == (2048, 3) and np.allclose(prediction.probability.sum(axis=1), 1, atol=1e-5)
    again = np.vstack([block(4_000, seed=1), np.full((1, 3), np.nan)]).astype(np.float32)
    labels = segmenter.assign_labels(again, prediction, query)
    assert agreement(labels.labels[:-1], by_height(again[:-1])) > 0.97 and labels.labels[-1] == -1
    assert labels.category == "post" and np.array_equal(labels.up, (0, 0, 1))


def test_the_network_gets_what_the_contract_says(segmenter, seen):
    segmenter.segment([block(5_000) * 30 + 8], "top, bottom", [(0, 1, 0)])
    points, centers, text = seen[0][0]
    assert (points.shape, points.dtype) == ((2048, 3), np.float32)
    assert (centers.shape, centers.dtype) == ((128,), np.int64) and len(np.unique(centers)) == 128
    assert (text.shape, text.dtype) == ((2, 4), np.float32)
    assert np.allclose(points.min(0) + points.max(0), 0, atol=1e-5)
    assert np.linalg.norm(points, axis=1).max() == pytest.approx(1)


def test_timings_by_stage(segmenter):
    assert segmenter.timings.total == 0
    start = time.perf_counter()
    segmenter.segment([block(20_000)], "top, bottom", [(0, 0, 1)])
    wall = time.perf_counter() - start
    timings = segmenter.timings
    assert min(timings.sample, timings.network, timings.spread) > 0
    assert timings.total <= wall


def test_wrong_arguments(segmenter):
    with pytest.raises(PartDistillError, match=r"a cloud must be \[N, 3\], got \(5, 4\)"):
        segmenter.segment([np.zeros((5, 4))], "top, bottom")
    with pytest.raises(PartDistillError, match="1 clouds with 2 ups"):
        segmenter.segment([block()], "top, bottom", [None, None])
    with pytest.raises(PartDistillError, match="0 votes"):
        segmenter.segment([block()], "top, bottom", votes=0)
    with pytest.raises(PartDistillError, match="the query must be text"):
        segmenter.segment([block()], None)
    with pytest.raises(PartDistillError, match="up must be three finite numbers, got 'z'"):
        segmenter.segment([block()], "top, bottom", ["z"])
    with pytest.raises(PartDistillError, match="up must be three finite numbers"):
        segmenter.segment([block()], "top, bottom", [(0, np.nan, 0)])
    with pytest.raises(PartDistillError, match="unknown part name 'handle'"):
        segmenter.segment([block()], "handle")


def test_a_bundle_is_given_by_path_too(toy_path):
    segmenter = Segmenter(toy_path, device="cpu", threads=1)
    segmenter.warm_up()
    assert (segmenter.provider, segmenter.provider_note) == ("cpu", "")
    assert segmenter.query("post: top, bottom").groups[0].category == "post"


def test_integers_and_lists_are_clouds_too(segmenter):
    points = (block(100) * 1000).astype(int)
    given, listed = segmenter.segment([points, points.tolist()], "top, bottom", [(0, 0, 1)] * 2)
    assert np.array_equal(given.labels, listed.labels)
