# SPDX-License-Identifier: Apache-2.0
"""The most frequent part is counted over all shapes of a category."""

from partdistill_ros.evaluation.methods.constant import Constant
from partdistill_ros.evaluation.shapes import prepare


def test_the_most_frequent_part_of_each_category(make_post):
    shapes = prepare(
        [
            make_post("a", 0.2, points=4000),
            make_post("b", 0.3, points=4000),
            make_post("c", 0.7, points=4000),  # the majority of its own points loses against the category's
            make_post("d", 0.9, points=4000, category="lamp"),
        ]
    )
    method = Constant.of(shapes)
    assert method.most_frequent == {"lamp": 0, "post": 1}
    answers = list(method.answer([shape.question for shape in shapes]))
    assert [set(answer.tolist()) for answer in answers] == [{0}, {1}, {1}, {1}]
    assert all(len(answer) == 2048 for answer in answers)
