# SPDX-License-Identifier: Apache-2.0
"""Cases: fronts at -y that close the case or stand open, handles before them, drawers that come straight out."""

from dataclasses import replace

import numpy as np
import pytest

from partdistill_ros.synthetic.archetypes.fronts import Case, build_case

PARTS = ("body", "door", "drawer", "window", "handle", "knob", "button", "leg")


def part_points(case, part, seed):
    mesh = build_case(case, PARTS, np.random.default_rng(seed)).build()
    return mesh.triangles()[mesh.face_labels == PARTS.index(part)].reshape(-1, 3)


@pytest.mark.parametrize("seed", range(5))
def test_closed_doors_lie_before_the_case_and_handles_before_them(seed):
    case = Case(open=0.0)
    body, door, handle = (part_points(case, part, seed) for part in ("body", "door", "handle"))
    assert door[:, 1].max() <= body[:, 1].min() + 1e-6 and np.ptp(door[:, 1]) < 0.05
    assert handle[:, 1].min() < door[:, 1].min()
    assert np.abs(door[:, 0]).max() <= 0.5 and door[:, 2].min() >= 0


@pytest.mark.parametrize("seed", range(5))
def test_an_open_door_swings_outward_and_a_drawer_slides(seed):
    doors = Case(open=1.0)
    assert (
        part_points(doors, "door", seed)[:, 1].min() < part_points(replace(doors, open=0.0), "door", seed)[:, 1].min()
    )
    drawers = Case(door=0, drawer=1, open=1.0)
    drawer = part_points(drawers, "drawer", seed)
    assert drawer[:, 1].min() < part_points(drawers, "body", seed)[:, 1].min() - 0.03
    assert np.abs(drawer[:, 0]).max() <= 0.5


def test_tall_fronts_are_doors():
    case = Case((1.0, 1.0), rows=(1, 1), door=1e-9, drawer=1)
    assert len(part_points(case, "drawer", 0)) == 0 and len(part_points(case, "door", 0)) > 0


@pytest.mark.parametrize("side_panel", [False, True])
def test_controls_are_on_their_strip(side_panel):
    case = Case(
        (1.0, 1.0),
        rows=(1, 1),
        columns=(1, 1),
        panel=(0.2, 0.2),
        side_panel=side_panel,
        knobs=(2, 2),
        buttons=(3, 3),
        open=0.0,
    )
    controls = np.concatenate([part_points(case, part, 1) for part in ("knob", "button")])
    door = part_points(case, "door", 1)
    axis = 0 if side_panel else 2
    assert controls[:, axis].min() > door[:, axis].max() - 0.02


@pytest.mark.parametrize("seed", range(3))
def test_flush_doors_lie_in_the_opening_of_the_case(seed):
    case = Case(open=0.0, handles=0.0, flush=1.0)
    body, door = part_points(case, "body", seed), part_points(case, "door", seed)
    assert abs(door[:, 1].min() - body[:, 1].min()) < 0.01
    assert np.abs(door[:, 0]).max() < np.abs(body[:, 0]).max()
