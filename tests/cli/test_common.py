# SPDX-License-Identifier: Apache-2.0
"""Checks before any work."""

import pytest

from partdistill_ros.cli.common import check_folder, check_inputs, check_output, positive
from partdistill_ros.errors import PartDistillError


def test_outputs_that_cannot_be_written_are_refused(tmp_path):
    cloud = tmp_path / "cloud.ply"
    cloud.touch()
    check_output(tmp_path / "new.PLY", (".npz", ".ply"), [cloud])
    with pytest.raises(PartDistillError, match="ends in .npz or .ply"):
        check_output(tmp_path / "new.txt", (".npz", ".ply"))
    with pytest.raises(PartDistillError, match="is the input itself"):
        check_output(cloud, (".ply",), [cloud])
    (tmp_path / "folder.ply").mkdir()
    with pytest.raises(PartDistillError, match="it is a folder"):
        check_output(tmp_path / "folder.ply", (".ply",))
    check_folder(tmp_path / "new")
    with pytest.raises(PartDistillError, match="is a file"):
        check_folder(cloud)
    with pytest.raises(PartDistillError, match="missing.ply does not exist"):
        check_inputs([cloud, tmp_path / "missing.ply"])


def test_whole_numbers_from_one():
    assert positive("3") == 3
    for wrong in ("0", "-1", "two", "1.5"):
        with pytest.raises(ValueError):
            positive(wrong)
