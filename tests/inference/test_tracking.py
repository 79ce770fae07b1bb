# SPDX-License-Identifier: Apache-2.0
"""What stands still keeps its answer and is asked about in turn; what moves or is new is asked about at once."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.segmenter import Prediction
from partdistill_ros.inference.tracking import ObjectTracker, TrackingOptions

ABOUT = (object(), object())
UP = np.array([0.0, 0.0, 1.0])


def ball(x: float, seed: int, noise: float = 0.0005) -> np.ndarray:
    """5,000 points of a ball of 5 cm radius around (x, 0, 1), with noise of half a millimeter."""
    rng = np.random.default_rng(seed)
    way = rng.normal(size=(5_000, 3))
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    return (way * (0.05 + noise * rng.normal(size=(5_000, 1))) + (x, 0, 1)).astype(np.float32)


class Student:
    """Gives every object the same probability of the first name, and remembers what it was asked about."""

    def __init__(self, clouds, first=0.9):
        self.clouds, self.first, self.asked = clouds, first, []

    def __call__(self, numbers):
        self.asked += numbers
        probability = np.float32([self.first, 1 - self.first])
        return [Prediction(self.clouds[n][:2048], np.tile(probability, (2048, 1)), probability, UP) for n in numbers]


def tell(memory, clouds, options=None, about=ABOUT, first=0.9, pose=None):
    """The predictions of one cloud, and the numbers of the objects that were asked about."""
    student = Student(clouds, first)
    return memory.predictions(about, clouds, student, options or TrackingOptions(refresh=1), pose), student.asked


def row(seed, *places):
    return [ball(x, seed + number) for number, x in enumerate(places)]


def test_still_objects_are_asked_about_in_turn():
    memory = ObjectTracker()
    asked = [tell(memory, row(seed, 0.0, 0.2, 0.4))[1] for seed in range(0, 50, 10)]
    assert asked == [[0, 1, 2], [0], [1], [2], [0]]
    assert memory.num_predicted == 1


def test_where_clouds_come_late_still_objects_are_asked_about_in_every_fourth():
    memory = ObjectTracker()
    tell(memory, row(0, 0.0, 0.2))
    memory.late = True
    asked = [tell(memory, row(seed, 0.0, 0.2))[1] for seed in range(10, 90, 10)]
    assert asked == [[], [], [], [0], [], [], [], [1]]
    assert tell(memory, row(90, 0.0, 0.3))[1] == [1]  # one that moved, at once
    assert tell(memory, row(100, 0.0, 0.3), TrackingOptions(refresh=0, smoothing=0.5))[1] == [0, 1]


def test_a_still_object_keeps_its_answer():
    memory = ObjectTracker()
    first, _ = tell(memory, row(0, 0.0, 0.2), first=0.9)
    second, asked = tell(memory, row(10, 0.0, 0.2), first=0.4)
    assert asked == [0]
    assert second[1] is first[1]
    assert second[0].probability[0, 0] == pytest.approx(0.4)


@pytest.mark.parametrize("refresh", [0, 2, 9])
def test_all_are_asked_about_where_nothing_is_to_be_kept(refresh):
    memory = ObjectTracker()
    for seed in (0, 10):
        _, asked = tell(memory, row(seed, 0.0, 0.2), TrackingOptions(refresh=refresh))
    assert asked == [0, 1]


@pytest.mark.parametrize("shift", [0.02, 0.5])
def test_what_moved_is_asked_about_at_once(shift):
    memory = ObjectTracker()
    options = TrackingOptions(refresh=1, smoothing=0.9)
    tell(memory, row(0, 0.0, 0.2, 0.4), options)
    predictions, asked = tell(memory, row(10, 0.0, 0.2, 0.4 + shift), options, first=0.1)
    assert asked == [0, 2]
    np.testing.assert_allclose(predictions[2].probability[:, 0], 0.1, atol=1e-6)


def test_a_part_that_moved_counts_as_well():
    memory = ObjectTracker()
    knob = np.random.default_rng(5).normal(scale=0.004, size=(400, 3)).astype(np.float32)
    left, right = (np.vstack([ball(0.0, seed), knob + (x, 0, 1)]) for seed, x in ((0, -0.08), (1, 0.08)))
    memory_of_ball = ball(0.4, 3)
    tell(memory, [left, memory_of_ball])
    _, asked = tell(memory, [right, memory_of_ball])
    assert asked == [0, 1]  # the ball's turn, and the one whose knob went to the other side


def test_what_vanished_is_seen_to_be_gone():
    memory = ObjectTracker()
    whole = ball(0.0, 0)
    tell(memory, [ball(0.4, 3), whole])
    half = whole[whole[:, 0] > -0.02]
    assert tell(memory, [ball(0.4, 4), half])[1] == [0, 1]


def test_another_query_or_student_begins_anew():
    memory = ObjectTracker()
    tell(memory, row(0, 0.0, 0.2))
    assert tell(memory, row(10, 0.0, 0.2), about=(ABOUT[0], object()))[1] == [0, 1]
    assert tell(memory, row(20, 0.0, 0.2), about=(object(), ABOUT[1]))[1] == [0, 1]
    memory.clear()
    assert tell(memory, row(30, 0.0, 0.2), about=(object(), ABOUT[1]))[1] == [0, 1]


def test_objects_out_of_sight_are_forgotten():
    memory = ObjectTracker()
    options = TrackingOptions(refresh=1, forget=2)
    tell(memory, row(0, 0.0, 0.2, 0.4), options)
    for seed in (10, 20):
        tell(memory, row(seed, 0.0, 0.2), options)
    assert tell(memory, row(30, 0.0, 0.2, 0.4), options)[1] == [2]  # known still, and the longest unasked
    for seed in (40, 50, 60):
        tell(memory, row(seed, 0.0, 0.2), options)
    assert tell(memory, row(70, 0.0, 0.2, 0.4), options)[1] == [1, 2]


def test_smoothing_averages_what_is_believed_of_a_place():
    memory = ObjectTracker()
    options = TrackingOptions(refresh=0, smoothing=0.75)
    tell(memory, row(0, 0.0), options, first=1.0)
    for seed, wanted in ((10, 0.75), (20, 0.75**2)):
        (prediction,), _ = tell(memory, row(seed, 0.0), options, first=0.0)
        np.testing.assert_allclose(prediction.probability[:, 0], wanted, atol=1e-6)
        np.testing.assert_allclose(prediction.probability.sum(axis=1), 1, atol=1e-6)
        np.testing.assert_allclose(prediction.scores, (wanted, 1 - wanted), atol=1e-6)


def test_a_moving_camera_whose_pose_is_known_changes_nothing():
    turned = np.array([[0.0, -1, 0, 0.3], [1, 0, 0, -0.1], [0, 0, 1, 0.2], [0, 0, 0, 1]])
    back = np.linalg.inv(turned)

    def seen(seed):
        return [(cloud @ back[:3, :3].T + back[:3, 3]).astype(np.float32) for cloud in row(seed, 0.0, 0.2, 0.4)]

    memory, lost = ObjectTracker(), ObjectTracker()
    tell(memory, row(0, 0.0, 0.2, 0.4), pose=np.eye(4))
    predictions, asked = tell(memory, seen(10), pose=turned)
    assert asked == [0]
    for prediction, cloud in zip(predictions, seen(10), strict=True):
        np.testing.assert_allclose(prediction.points.mean(axis=0), cloud.mean(axis=0), atol=0.003)
        np.testing.assert_allclose(prediction.up, UP)
    tell(lost, row(0, 0.0, 0.2, 0.4))
    assert tell(lost, seen(10))[1] == [0, 1, 2]


def test_an_object_without_an_answer_is_asked_about_each_time():
    memory = ObjectTracker()
    for _ in range(2):
        asked = []
        predictions = memory.predictions(
            ABOUT, row(0, 0.0), lambda n, seen=asked: seen.extend(n) or [None], TrackingOptions()
        )
        assert predictions == [None] and asked == [0]


def test_an_object_that_lost_its_answer_holds_up_no_other():
    memory = ObjectTracker()
    tell(memory, row(0, 0.0, 0.2, 0.4))
    asked = []
    for seed in range(10, 50, 10):
        clouds = row(seed, 0.0, 0.2, 0.4)

        def student(numbers, clouds=clouds):
            asked.append(numbers)
            return [None if n == 0 else Student(clouds)([n])[0] for n in numbers]

        assert memory.predictions(ABOUT, clouds, student, TrackingOptions(refresh=1))[0] is None
    assert asked == [[0], [0, 1], [0, 2], [0, 1]]


def numbers(tracker, clouds, **how):
    tell(tracker, clouds, **how)
    return tracker.numbers


@pytest.mark.parametrize("options", [None, TrackingOptions(refresh=1), TrackingOptions(refresh=0, smoothing=0.5)])
def test_objects_keep_their_numbers_in_whatever_order_they_come(options):
    tracker = ObjectTracker()
    first, second, third = row(0, 0.0, 0.2, 0.4)

    def ask(clouds):
        predictions = tracker.predictions(ABOUT, clouds, Student(clouds), options)
        return tracker.numbers, len(predictions)

    assert ask([first, second, third]) == ([1, 2, 3], 3)
    assert ask([third, first, second]) == ([3, 1, 2], 3)


def test_a_number_outlives_a_push_an_occlusion_and_another_query():
    tracker = ObjectTracker()
    assert numbers(tracker, row(0, 0.0, 0.2)) == [1, 2]
    assert numbers(tracker, row(10, 0.0, 0.23)) == [1, 2]
    for seed in range(20, 40):  # longer than predictions are kept
        assert numbers(tracker, row(seed, 0.0)) == [1]
    assert numbers(tracker, row(50, 0.0, 0.23), about=(object(), object())) == [1, 2]


def test_a_number_ends_with_a_leap_or_a_hundred_clouds_out_of_sight():
    tracker = ObjectTracker()
    assert numbers(tracker, row(0, 0.0, 0.2)) == [1, 2]
    assert numbers(tracker, row(10, 0.0, 0.4)) == [1, 3]
    small = [ball(0.0, 1)[:200]]
    for _ in range(101):
        numbers(tracker, small)
    assert numbers(tracker, row(20, 0.0, 0.4)) == [1, 4]


def test_a_row_does_not_move_up_where_one_is_taken_away_and_one_is_added():
    tracker = ObjectTracker()
    assert numbers(tracker, row(0, 0.0, 0.04, 0.08)) == [1, 2, 3]
    assert numbers(tracker, row(10, 0.04, 0.08, 0.12)) == [2, 3, 4]


def test_numbers_follow_the_frame_that_stands_still():
    tracker, lost = ObjectTracker(), ObjectTracker()
    pose = np.eye(4)
    for step in range(3):
        pose[:3, 3] = (0.1 * step, 0, 0)
        seen = row(10 * step, 0.3 - 0.1 * step, 0.0 - 0.1 * step)
        assert numbers(tracker, seen, pose=pose.copy()) == [1, 2]
        numbers(lost, seen)
    assert lost.numbers == [5, 6]


def test_the_greatest_coordinates_are_numbered_as_well():
    far = np.full((20, 3), 3e38, np.float32)
    tracker = ObjectTracker()
    for clouds, number in (([far], 1), ([-far], 2), ([far], 1)):
        tracker.predictions(ABOUT, clouds, lambda indices: [None])
        assert tracker.numbers == [number]


@pytest.mark.parametrize(("change", "words"), [
    ({"refresh": -1}, "refresh must be a number of objects"),
    ({"smoothing": 1.0}, "smoothing must be from 0"),
    ({"smoothing": -0.1}, "smoothing must be from 0"),
    ({"tolerance": 0.0}, "tolerance must be above zero"),
    ({"moved": 1.0}, "moved between 0 and 1"),
    ({"forget": -1}, "forget not negative"),
])  # fmt: skip
def test_options_out_of_range_are_refused(change, words):
    with pytest.raises(PartDistillError, match=words):
        TrackingOptions(**change)
