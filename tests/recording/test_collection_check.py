# SPDX-License-Identifier: Apache-2.0
"""What is sound, what is damaged, and what of some paths a trainer may use."""

from __future__ import annotations

import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.recording.collection import Collection
from partdistill_ros.recording.collection_check import check, sound_scans


def test_every_damaged_member_is_found(damaged_collection) -> None:
    collection, damaged = damaged_collection
    (collection.folder / ".cup.00.tmp").mkdir()
    found = check(collection.folder)
    assert found.sound == ["sound_0", "sound_1", "sound_2"] and found.damaged.keys() == damaged.keys()
    assert all(words in found.damaged[name] for name, words in damaged.items())
    assert found.unfinished == [".cup.00.tmp"]


def test_collections_become_their_sound_members_and_other_paths_stay(damaged_collection, tmp_path) -> None:
    collection, damaged = damaged_collection
    paths, problems = sound_scans([tmp_path / "other.ply", collection.folder])
    assert paths == [tmp_path / "other.ply", *(collection.folder / f"sound_{number}" for number in range(3))]
    assert problems.keys() == {str(collection.folder / name) for name in damaged}


def test_nothing_sound_is_an_error(tmp_path) -> None:
    with pytest.raises(PartDistillError, match="holds no sound scan; see"):
        sound_scans([Collection.create(tmp_path / "empty").folder])
