# SPDX-License-Identifier: Apache-2.0
"""What every test shares: a ROS domain of its own, and the folder of evaluation data where there is one."""

from __future__ import annotations

import os
from pathlib import Path

# Before numpy and torch read them, here and in processes of tests: threads that wait must not spin, and networks of a
# test's size are slower on two. A training of 100 steps took 41 s of processor time on a busy machine, now 3.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import pytest  # noqa: E402

from partdistill_ros.pointcloud.scan import Scan  # noqa: E402
from partdistill_ros.text.build import fitting_names  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[1]

# Before any test imports rclpy: runs side by side on one machine or network must not hear each other.
# Domains above 101 collide with the ephemeral ports of Linux.
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 101))
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


OTHERS = [
    "", " ", "?", "poignée de la tasse", "der Henkel", "杯子的把手", "取っ手", "ручка кружки", "η λαβή", "المقبض",
    "손잡이", "ด้ามจับ", "a\u0301 combining", "🙂☕", "x" * 400, "word " * 600, "a, b; c: d", "ﬁne", "\u200b",
]  # fmt: skip
LETTERS = (
    "abcdefghijklmnopqrstuvwxyz äéñøßçğş абвгдежзиклмнопрст αβγδεζηθικλμνξο ابتثجحدرزسشع אבגדהוזחטיכל कखगघचछजटठडत "
    "กขคงจฉช 把手杯子椅背轮胎灯罩 とってのカップ 손잡이컵의자 0123456789.,;:-()/"
).split()


def made_up(count: int) -> list[str]:
    """One or two words of one to five letters, a script after the other."""
    rng = np.random.default_rng(0)

    def word(letters: str) -> str:
        return "".join(rng.choice(list(letters), rng.integers(1, 6)))

    return [" ".join(word(LETTERS[i % len(LETTERS)]) for _ in range(rng.integers(1, 3))) for i in range(count)]


@pytest.fixture(scope="session")
def thousand_strings() -> list[str]:
    """What a text encoder may be asked: names, nonsense in eleven scripts, empty and endless strings; the shortest
    first, so that the longest fill up only their own batch."""
    known = fitting_names()[:200]
    return sorted([*OTHERS, *known, *made_up(1000 - len(OTHERS) - len(known))], key=len)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the source checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with `shapes/` and `scans/`: PARTDISTILL_DATA, else ../shared/data beside the checkout."""
    folder = Path(os.environ.get("PARTDISTILL_DATA") or REPOSITORY.parent / "shared" / "data")
    if not (folder / "shapes").is_dir():
        pytest.skip(f"no evaluation data in {folder} (PARTDISTILL_DATA names another folder)")
    return folder


@pytest.fixture(scope="session")
def table_scene() -> Scan:
    """Two posts on a table seen from above and in front, 160 x 120, NaN around the table; z up."""
    rng = np.random.default_rng(0)
    height, width = 120, 160
    spots = rng.uniform((-0.5, 0.6), (0.5, 1.4), (height * width, 2))
    level = rng.normal(0, 0.001, len(spots))
    for number, center in enumerate(((-0.2, 0.9), (0.25, 1.1))):
        post = slice(number * 1500, (number + 1) * 1500)
        angle = rng.uniform(0, 2 * np.pi, 1500)
        spots[post] = center + 0.05 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        level[post] = rng.uniform(0, 0.2, 1500)
    points = np.column_stack([spots, level - 0.5]).astype(np.float32)
    points[rng.random(len(points)) < 0.1] = np.nan
    colors = rng.integers(0, 256, (len(points), 3), dtype=np.uint8)
    return Scan(points, colors, grid=(height, width), viewpoint=np.zeros(3, np.float32), name="posts")
