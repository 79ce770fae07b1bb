# SPDX-License-Identifier: Apache-2.0
"""Objects in clutter: how many of them come out whole, how fast, and what `mug: handle, cup` labels.

    python benchmarks/clutter.py [--method learned convex clusters] [--simulated 40] [--shuffled] [--join-parts]
                                 [--skip-query]

real: the given scenes of the Object Segmentation Database (PARTDISTILL_DATA/osd), by kind. F is the overlap of objects
with the true ones after the best one-to-one matching, as in Xie et al. (UOIS-Net, 2021); found is the share of true
objects with an IoU of 0.75 or more. Constants were chosen on learn scenes of even number; odd ones and the test scenes
check them.  simulated: clutter of boxes, books, cans, tins, bowls, pots and families that no network was trained on.
arranged: a shelf, a tray, things in bowls, over the table's edge, without a table.
join-parts: after pieces that are missing parts of a mug have joined it.
shuffled: all once more without rows and columns, their points in no order and the camera's place unknown.
query: mugs, told apart by eye, and the share of the other objects' points that get a label.
Times are of the whole extraction, plane included, in processor time of one thread and by the clock.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.joining import join_missing_parts
from partdistill_ros.inference.scene import SceneOptions, label_scene
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.objects.extract import extract_objects
from partdistill_ros.objects.params import METHODS, TabletopParams
from partdistill_ros.pointcloud.scan import Mesh, Scan
from partdistill_ros.synthetic.arranged_scenes import ARRANGEMENTS, FURNITURE, arranged
from partdistill_ros.synthetic.clutter_scene import make_clutter
from partdistill_ros.synthetic.depth_camera import DepthCamera, camera_pose, capture
from partdistill_ros.synthetic.families import generate
from partdistill_ros.synthetic.table_scene import table_top

FOCAL, CX, CY = 525.0, 319.5, 239.5
FOUND, WITH_HANDLE = 0.75, 0.95
KINDS = {"boxes": range(17), "stacked": range(17, 25), "occluded": range(25, 33), "cylindric": range(33, 45)}
TEST_KINDS = {"test43": "mixed", "test44": "mixed", "test55": "complex", "test64": "complex"}
# Numbers of the objects that are mugs, by eye; those of learn38 stand upside down, and most hide their handles.
MUGS = {"learn33": (5, 6), "learn38": (2, 3), "learn39": (3, 4), "learn44": (4,), "test64": (3,)}
HELD_OUT = ("kettle", "laptop", "hammer", "mug")


@dataclass(frozen=True)
class Scene:
    """A cloud with the number `[N]` of the true object of each point, 0 for none."""

    scan: Scan
    truth: NDArray[np.int64]
    kind: str


@dataclass(frozen=True)
class Score:
    """Overlap F in per cent, true objects found and there, milliseconds of processor and clock, and of each true
    object the best IoU."""

    scene: Scene
    f: float
    found: int
    objects: int
    processor: float
    clock: float
    best: dict[int, float]


def read_scene(path: Path) -> Scene:
    """A scene of the Object Segmentation Database."""
    with np.load(path, allow_pickle=False) as data:
        depth, label = data["depth_mm"].astype(np.float32) / 1000, data["label"].astype(int)
    depth[depth == 0] = np.nan
    row, column = np.indices(depth.shape, np.float32)
    points = np.stack([(column - CX) * depth / FOCAL, (row - CY) * depth / FOCAL, depth], -1).reshape(-1, 3)
    scan = Scan(points, grid=depth.shape, viewpoint=np.zeros(3, np.float32), name=path.stem)
    return Scene(scan, np.where(label >= 20, label // 10, 0).ravel(), _kind(path.stem))


def _kind(name: str) -> str:
    if name in TEST_KINDS:
        return TEST_KINDS[name]
    return next(kind for kind, numbers in KINDS.items() if int(name.removeprefix("learn")) in numbers)


def simulated(count: int) -> Iterable[Scene]:
    """Made-up clutter of families that the network was not trained on, and of mugs."""
    for seed in range(count):
        scene = make_clutter(seed, HELD_OUT)
        yield Scene(scene.scan, np.maximum(scene.object_index, 0).astype(np.int64), "simulated")


def by_hand() -> Iterable[Scene]:
    """The arranged scenes; furniture is no thing."""
    for name in ARRANGEMENTS:
        scan = arranged(name)
        assert scan.point_labels is not None
        truth = np.where(np.isin(scan.point_labels, FURNITURE.get(name, ())), 0, scan.point_labels)
        yield Scene(scan, truth.clip(0).astype(np.int64), name)


def shuffled(scenes: Sequence[Scene]) -> list[Scene]:
    """The scenes as clouds without order, missing points and a known viewpoint."""
    found = []
    for number, scene in enumerate(scenes):
        index = np.random.default_rng(number).permutation(np.flatnonzero(scene.scan.finite()))
        scan = scene.scan.select(index).with_(grid=None, viewpoint=None)
        found.append(Scene(scan, scene.truth[index], scene.kind))
    return found


def lone() -> Iterable[Scene]:
    """Three mugs, each alone on a table and seen from twelve sides by a camera of 320 x 240 at 0.7 m."""
    camera = DepthCamera(width=320, height=240, fx=262.5, fy=262.5, cx=159.5, cy=119.5)
    for seed in (3, 5, 8):
        mug, rng = generate("mug", seed).mesh, np.random.default_rng(seed)
        assert mug is not None
        standing = Mesh(mug.vertices - [0, 0, mug.vertices[:, 2].min()], mug.faces, mug.face_labels)
        table = table_top(rng)
        for around in np.radians(np.arange(0, 360, 30)):
            eye = (0.57 * np.cos(around), 0.57 * np.sin(around), 0.4)
            scan = capture([standing, table], camera_pose(eye, (0, 0, 0.04)), rng, camera, parts=("handle", "cup"))
            assert scan.point_labels is not None
            truth = (scan.point_labels >= 0).astype(np.int64)
            yield Scene(scan.with_(up=None), truth, "lone mugs")  # as of a camera that does not know


def score(scene: Scene, params: TabletopParams, joins: Segmenter | None = None) -> Score:
    """Extract the objects of a scene and compare them with the truth over its points with depth.

    joins: a student that says which pieces are missing parts of mugs.
    """
    begin = time.thread_time(), time.perf_counter()
    try:
        extracted = extract_objects(scene.scan, params)
        objects = extracted.objects
        if joins is not None and extracted.up is not None:
            query = joins.query("mug: handle, cup", reject_unknown=True)
            objects = tuple(join_missing_parts(joins, query, scene.scan.points, objects, extracted.up))
    except PartDistillError:
        objects = ()
    processor, clock = time.thread_time() - begin[0], time.perf_counter() - begin[1]
    predicted = np.zeros(len(scene.truth), int)
    for number, index in enumerate(objects):
        predicted[index] = number + 1
    valid = scene.scan.finite()
    predicted, truth = predicted[valid], scene.truth[valid]
    numbers, truth = np.unique(truth, return_inverse=True)
    shared = np.zeros((len(objects) + 1, len(numbers)))
    np.add.at(shared, (predicted, truth), 1)
    sizes, true_sizes = shared.sum(1)[1:, None], shared.sum(0)[numbers > 0][None]
    shared = shared[1:][:, numbers > 0]
    iou = shared / np.maximum(sizes + true_sizes - shared, 1)
    one, other = linear_sum_assignment(-2 * shared / np.maximum(sizes + true_sizes, 1))
    hits = shared[one, other].sum()
    f = 200 * hits / max(sizes.sum() + true_sizes.sum(), 1)
    best = dict(zip(numbers[numbers > 0].tolist(), iou.max(0, initial=0).tolist(), strict=True))
    found = int((iou[one, other] >= FOUND).sum())
    return Score(scene, f, found, len(best), 1e3 * processor, 1e3 * clock, best)


def table(scores: Sequence[Score]) -> None:
    """Print F and found by kind, and the times."""
    groups: list[tuple[str, Callable[[Score], bool]]] = [
        (kind, lambda one, kind=kind: one.scene.kind == kind) for kind in dict.fromkeys(s.scene.kind for s in scores)
    ]
    names = [s.scene.scan.name for s in scores]
    if any(name.startswith("learn") for name in names):
        groups += [
            ("mixed+complex", lambda one: one.scene.kind in ("mixed", "complex")),
            ("learn, even", lambda one: _parity(one.scene.scan.name) == 0),
            ("learn, odd", lambda one: _parity(one.scene.scan.name) == 1),
            ("all", lambda one: True),
        ]
    for name, chosen in groups:
        some = [one for one in scores if chosen(one)]
        found, objects = sum(one.found for one in some), sum(one.objects for one in some)
        print(
            f"  {name:22s} {len(some):3d} scenes  F {np.mean([one.f for one in some]):5.1f}  found {found:3d} of "
            f"{objects:3d} ({100 * found / max(objects, 1):5.1f} %)"
        )
        if name == "lone mugs":
            whole = sum(max(one.best.values(), default=0.0) >= WITH_HANDLE for one in some)
            print(f"  {'with their handle':22s} {whole} of {len(some)} (IoU >= {WITH_HANDLE})")
    processor, clock = np.array([(one.processor, one.clock) for one in scores]).T
    print(f"  ms a cloud: processor median {np.median(processor):.0f}, clock median {np.median(clock):.0f}, most "
          f"{clock.max():.0f}")  # fmt: skip


def _parity(name: str) -> int | None:
    return int(name.removeprefix("learn")) % 2 if name.startswith("learn") else None


def query_mugs(scenes: Sequence[Scene], method: str, join_parts: bool) -> None:
    """Print how many mugs are labeled, and how much else is, for `mug: handle, cup`."""
    segmenter = Segmenter("default", threads=2)
    query = segmenter.query("mug: handle, cup", reject_unknown=True)
    options = SceneOptions("tabletop", tabletop=TabletopParams(method=method), max_objects=32, join_parts=join_parts)
    labeled, mugs, wrong, others = 0, 0, 0, 0
    for scene in scenes:
        answer = label_scene(segmenter, query, scene.scan, options).labels >= 0
        mine = np.isin(scene.truth, MUGS.get(scene.scan.name, ()))
        for number in MUGS.get(scene.scan.name, ()):
            mugs += 1
            labeled += int(answer[scene.truth == number].mean() > 0.5)
        other = (scene.truth > 0) & ~mine
        wrong, others = wrong + int(answer[other].sum()), others + int(other.sum())
        if answer[other].sum() > 300:
            kinds = [n for n in np.unique(scene.truth[other]) if answer[scene.truth == n].mean() > 0.3]
            print(f"    {scene.scan.name}: labeled too: objects {[int(n) for n in kinds]}")
    print(f"  mug: handle, cup: {labeled} of {mugs} mugs labeled, {100 * wrong / others:.1f} % of other things' points")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--method", nargs="+", choices=METHODS, default=["auto", "convex", "clusters"])
    parser.add_argument("--simulated", type=int, default=40, metavar="N", help="made-up scenes")
    parser.add_argument("--shuffled", action="store_true", help="also without rows and columns")
    parser.add_argument("--join-parts", action="store_true", help="join missing parts of mugs to them")
    parser.add_argument("--skip-query", action="store_true")
    arguments = parser.parse_args()
    folder = Path(os.environ.get("PARTDISTILL_DATA", "../shared/data")) / "osd"
    real = [read_scene(path) for path in sorted(folder.glob("*.npz"))]
    made_up, by_hands, alone = list(simulated(arguments.simulated)), list(by_hand()), list(lone())
    for method in arguments.method:
        params = TabletopParams(method=method)
        print(f"method {method}")
        joins = Segmenter("default", threads=2) if arguments.join_parts else None
        for scenes in (real, made_up, by_hands, alone):
            if scenes:
                scores = [score(scene, params, joins) for scene in scenes]
                table(scores)
                if arguments.shuffled:
                    print("  without rows and columns:")
                    table([score(scene, params) for scene in shuffled(scenes)])
        if real:
            again = [score(scene, params, joins) for scene in real if scene.scan.name in MUGS]
            whole = [one.best[number] for one in again for number in MUGS[one.scene.scan.name]]
            print(f"  mugs: {sum(iou >= 0.85 for iou in whole)} of {len(whole)} whole (IoU >= 0.85)")
        if real and not arguments.skip_query:
            query_mugs(real, method, arguments.join_parts)


if __name__ == "__main__":
    main()
