# SPDX-License-Identifier: Apache-2.0
"""Windows cover the picture, and blending them gives back what a local network finds in the whole."""

import pytest

torch = pytest.importorskip("torch", reason="torch: the extra 'train'")
import torch.nn.functional as F  # noqa: E402

from partdistill_ros.teachers.windows import sliding_windows  # noqa: E402


@pytest.mark.parametrize("scale", [1, 1.3, 2, 3.5])
@pytest.mark.parametrize("overlap", [0, 0.5, 0.8])
def test_tiles_that_cover_the_picture_change_nothing(scale, overlap):
    windows = sliding_windows(scale, 64, 16, overlap)
    pictures = torch.rand(2, 3, windows.side, windows.side)

    def local(seen):  # each patch by itself
        return F.avg_pool2d(seen, 16) * 2 + F.max_pool2d(seen, 16)

    torch.testing.assert_close(windows.blend(local(windows.cut(pictures))), local(pictures))


def test_one_window_is_the_picture():
    windows = sliding_windows(1, 64, 16)
    assert windows.side == 64 and windows.corners == ((0, 0),)


def test_neighbors_overlap_as_asked_and_lie_on_patches():
    windows = sliding_windows(2, 64, 16, 0.5)
    assert windows.side == 128 and len(windows.corners) == 9
    assert {row for row, _ in windows.corners} == {0, 32, 64}
    assert len(sliding_windows(2, 64, 16, 0).corners) == 4


def test_where_windows_overlap_their_mean_counts():
    windows = sliding_windows(1.5, 32, 16, 0.5)
    assert windows.corners == ((0, 0), (0, 16), (16, 0), (16, 16))
    maps = torch.arange(4.0).view(4, 1, 1, 1).expand(-1, -1, 2, 2)
    assert windows.blend(maps)[0, 0].tolist() == [[0, 0.5, 1], [1, 1.5, 2], [2, 2.5, 3]]
