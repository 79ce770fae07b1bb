# SPDX-License-Identifier: Apache-2.0
"""Shapes are drawn once, and no training sees those that are held out."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.synthetic.training.everyday_shapes import (  # noqa: E402
    EVERYTHING,
    HELD_OUT,
    draw_shapes,
    load_categories,
    load_shapes,
    save_shapes,
    trained_categories,
)


def test_ten_categories_are_held_out():
    assert len(set(HELD_OUT)) >= 10 and set(HELD_OUT) <= set(EVERYTHING)
    assert not set(HELD_OUT) & set(trained_categories()) and len(trained_categories()) > 100


def test_shapes_are_kept_as_they_were_drawn(tmp_path):
    drawn = draw_shapes(EVERYTHING["bucket"], 2, 0, 600)
    assert drawn.points.shape == (2, 600, 3) and drawn.seen.shape[::2] == (2, 600)
    assert np.abs(drawn.points).max() <= 1 and set(np.unique(drawn.labels)) == {0, 1}
    assert 0.05 < drawn.seen.mean() < 0.9
    save_shapes(tmp_path / "bucket.npz", drawn)
    loaded = load_shapes(tmp_path / "bucket.npz")
    np.testing.assert_array_equal(loaded.points, drawn.points)
    np.testing.assert_array_equal(loaded.seen, drawn.seen)


def test_shapes_of_several_folders_are_one_collection(tmp_path):
    for folder, seed in (("a", 0), ("b", 7)):
        (tmp_path / folder).mkdir()
        save_shapes(tmp_path / folder / "bucket.npz", draw_shapes(EVERYTHING["bucket"], 1, seed, 300))
    found = load_categories([tmp_path / "a", tmp_path / "b"])
    assert list(found) == ["bucket"] and found["bucket"].points.shape == (2, 300, 3)
    assert not np.array_equal(found["bucket"].points[0], found["bucket"].points[1])
