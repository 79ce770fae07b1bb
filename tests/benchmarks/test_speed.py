# SPDX-License-Identifier: Apache-2.0
"""The table of the benchmark of speed, and what it measures with."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("torch", reason="torch is not installed: the extra 'train'")


def test_conversions_beside_their_floor(load_benchmark):
    speed = load_benchmark("speed")
    rows = list(speed.conversions(2_000, speed.Machine(bytes_ms=1e6, flops_ms=1e6), repeats=1))
    assert [row.step for row in rows] == [
        "cloud in, 2,000 points", "depth image in, 640 x 480", "labeled cloud out, 2,000 points",
    ]  # fmt: skip
    assert rows[0].floor_ms == pytest.approx(0.064) and all(row.ms > 0 for row in rows)
    text = speed.table([*rows, speed.Row("cut", 2.0, 0.5, "another", 8.0)])
    assert text.splitlines()[-1] == "| cut | 2 | 0.5 | 4 | another | 8 |"
    assert text.splitlines()[-2].endswith("| - | - |")


def test_growth_has_a_time_for_each_doubling(load_benchmark):
    speed = load_benchmark("speed")
    grown = speed.growth(2, repeats=1)
    assert all(len(took) == 2 and min(took) > 0 for took, _ in grown.values())
    assert speed.growth_text({"objects": ([1.0, 2.0], 1.0)}).endswith("objects: 1 2; exponent 1.00")


def test_time_of_sleep_is_nobodys(load_benchmark):
    assert load_benchmark("speed").processor_ms(lambda: time.sleep(0.05), 2) < 25
