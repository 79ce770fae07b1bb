# SPDX-License-Identifier: Apache-2.0
"""Frames lie on their surface; every stand reaches from the floor to the plate."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.synthetic.archetypes.frames import ENDS, STANDS, Board, Deck, build_frame, ends, stroke
from partdistill_ros.synthetic.drawing.primitives import circle


def deck(seed: int) -> Deck:
    rng = np.random.default_rng(seed)
    return Deck(circle(0.5, 48, 8.0) * rng.uniform(0.4, 1.0, 2), rng.uniform(0.3, 0.7), 0.05, 0.02, 2.0)


def reaches(plate: Deck, solids) -> None:
    z = np.concatenate([vertices[np.unique(faces)] for vertices, faces in solids])[:, 2]
    assert abs(z.min()) < 0.06 and plate.under - 0.01 <= z.max() <= plate.under + plate.thick


@pytest.mark.parametrize("name", STANDS)
def test_a_stand_reaches_from_the_floor_into_the_plate(name):
    for seed in range(6):
        reaches(deck(seed), STANDS[name](deck(seed), np.random.default_rng(seed)))


@pytest.mark.parametrize("kind", ENDS)
def test_so_does_what_stands_at_both_ends(kind):
    reaches(deck(1), ends(deck(1), np.random.default_rng(1), kind))


def flat(u, v):
    return np.stack([u, 0 * u, v], -1)


def test_a_row_is_spread_and_a_twin_is_at_the_other_side():
    rng = np.random.default_rng(0)
    bars = build_frame((stroke((0, 0), (0, 1), row=(4, 4)),), [flat], 0.01, 2.0, rng)
    np.testing.assert_allclose([vertices[:, 0].mean() for vertices, _ in bars], np.linspace(-0.85, 0.85, 4), atol=1e-3)
    left, right = build_frame((stroke((0.5, 0), (0.5, 1), twin=True),), [flat], 0.01, 2.0, rng)
    assert left[0][:, 0].min() > 0.4 and right[0][:, 0].max() < -0.4


def test_a_board_fills_its_field_and_a_wide_bar_is_thin():
    rng = np.random.default_rng(0)
    (board,) = build_frame((Board(0.2, 0.8, (0.5, 0.5)),), [flat], 0.01, 2.0, rng)
    np.testing.assert_allclose(np.ptp(board[0], axis=0), [1.0, 0.02, 0.6], atol=0.05)
    (slat,) = build_frame((stroke((0, 0), (0, 1), wide=5.0),), [flat], 0.01, 2.0, rng)
    assert np.ptp(slat[0][:, 0]) > 4 * np.ptp(slat[0][:, 1])
