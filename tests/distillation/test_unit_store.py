# SPDX-License-Identifier: Apache-2.0
"""The store: what comes back, what names an entry, what happens to a damaged one."""

import numpy as np
import pytest

from partdistill_ros.distillation.unit_store import KnowledgeStore, knowledge_key, recorded_scan_stores
from partdistill_ros.distillation.units import KnowledgeUnits
from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.scan import Mesh, Scan
from partdistill_ros.rendering.cameras import ten_views


def some_units(score=0.5):
    return KnowledgeUnits(
        np.array([0, 1], np.int16),
        np.array([score, 1], np.float32),
        np.array([3, 9], np.int16),
        np.array([0, 2, 3], np.int64),
        np.array([4, 5, 0], np.int32),
        7,
        ("handle", "Körper"),
    )


def assert_same(first, second):
    assert first is not None and (first.n_points, first.parts) == (second.n_points, second.parts)
    for name in ("part", "score", "view", "indptr", "indices"):
        one, other = getattr(first, name), getattr(second, name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_units_come_back(tmp_path):
    store = KnowledgeStore(tmp_path / "new")
    assert store.load("a") is None and "a" not in store
    store.save("a", some_units())
    assert "a" in store and [path.name for path in (tmp_path / "new").iterdir()] == ["a.npz"]
    assert_same(store.load("a"), some_units())


def test_a_second_run_resumes(tmp_path):
    made = []

    def make():
        made.append(1)
        return some_units()

    for _ in range(2):
        assert_same(KnowledgeStore(tmp_path).get("a", make), some_units())
    assert len(made) == 1


@pytest.mark.parametrize("damage", [b"", b"not a zip", "truncate", "flip", "foreign"])
def test_a_damaged_entry_is_made_anew(tmp_path, damage, caplog):
    store = KnowledgeStore(tmp_path)
    store.save("a", some_units(0.1))
    whole = store.path("a").read_bytes()
    if damage == "truncate":
        damage = whole[: len(whole) // 2]
    elif damage == "flip":
        damage = bytearray(whole)
        damage[60:64] = b"\xff\xff\xff\xff"
    if damage == "foreign":
        np.savez(store.path("a"), something=np.zeros(3))
    else:
        store.path("a").write_bytes(damage)
    assert_same(store.get("a", lambda: some_units(0.9)), some_units(0.9))
    assert "made anew" in caplog.text
    assert_same(store.load("a"), some_units(0.9))


def test_no_altered_bytes_get_through_or_raise(tmp_path):
    """The check sums of the npz catch what reading does not; both kinds of error were seen here."""
    store, rng = KnowledgeStore(tmp_path), np.random.default_rng(0)
    store.save("a", some_units())
    whole = store.path("a").read_bytes()
    lost = 0
    for _ in range(300):
        altered = bytearray(whole)
        altered[rng.integers(len(altered))] ^= int(rng.integers(1, 256))
        store.path("a").write_bytes(altered)
        units = store.load("a")
        lost += units is None
        if units is not None:
            assert_same(units, some_units())
    assert lost > 100


def test_arrays_that_contradict_each_other_count_as_damaged(tmp_path):
    store = KnowledgeStore(tmp_path)
    good = some_units()
    arrays = {name: getattr(good, name) for name in ("part", "score", "view", "indptr")}
    np.savez(store.path("a"), **arrays, indices=np.array([4, 5, 99]), n_points=7, parts=good.parts, schema=1)
    assert store.load("a") is None


def test_nothing_is_left_when_making_fails(tmp_path):
    def fail():
        raise PartDistillError("the teacher stumbled")

    with pytest.raises(PartDistillError, match="stumbled"):
        KnowledgeStore(tmp_path).get("a", fail)
    assert list(tmp_path.iterdir()) == []


POINTS = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
SCAN = Scan(POINTS, category="mug", name="mug_1")


def key(scan=SCAN, views=None, size=128, teacher="mini-1", parts=("handle", "cup"), renderer="zbuffer"):
    return knowledge_key(scan, ten_views() if views is None else views, size, teacher, parts, renderer)


def test_the_key_depends_on_everything_that_makes_the_units():
    mesh = Mesh(POINTS, np.array([[0, 1, 2]], np.int32))
    moved = POINTS.copy()
    moved[3, 1] += 1e-4
    others = [
        key(SCAN.with_(points=moved)),
        key(SCAN.with_(colors=np.zeros((20, 3), np.uint8))),
        key(SCAN.with_(mesh=mesh)),
        key(SCAN.with_(category="cup")),
        key(views=ten_views(distance=3)),
        key(size=224),
        key(teacher="mini-2"),
        key(parts=("cup", "handle")),
        key(parts=("handlecup",)),
        key(renderer="pytorch3d"),
    ]
    assert len({key(), *others}) == 1 + len(others)
    assert key() == key(SCAN.with_(points=POINTS.copy()))


def test_labels_do_not_enter_the_key():
    assert key(SCAN.with_(point_labels=np.ones(20, np.int16))) == key()


def test_members_of_collections_keep_their_own_knowledge(tmp_path):
    from partdistill_ros.recording.collection import Collection

    paths = []
    for folder, names in (("one", ("a", "b")), ("two", ("b", "c"))):
        collection = Collection.create(tmp_path / folder)
        paths += [collection.add(Scan(np.eye(3, dtype=np.float32), name=name)).folder for name in names]
    stores = recorded_scan_stores([*paths, tmp_path / "scan.ply"])
    assert {name: store.folder for name, store in stores.items()} == {
        "a": tmp_path / "one" / "a" / "knowledge", "c": tmp_path / "two" / "c" / "knowledge",
    }  # fmt: skip
