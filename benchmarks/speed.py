# SPDX-License-Identifier: Apache-2.0
"""What each step of the live node costs, beside its floor on this machine and beside a peer that does the same.

    python benchmarks/speed.py [--points 300000] [--repeats 20] [--json]

Milliseconds of processor time on one thread, the median: other programs on the machine hardly change them. The floor of
a conversion is its bytes, read and written once, over what a plain copy reaches here; that of a network its operations
over what a matrix product of 1,024 reaches. Peers: the teacher's vote for each cloud (no student), torch on the same
student, a PointNet++ of the published sizes (one scale, sampled outside of the graph) in the same runtime, and
for the cutting DBSCAN of Open3D or, where that is not installed, clusters by distance as PCL makes them (k-d tree of
SciPy), which are given the objects' points alone.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from student_latency import default_query, make_cloud
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from partdistill_ros.inference.bundle import Bundle
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.inference.session import CPU, StudentSession, open_session
from partdistill_ros.objects.extract import extract_objects
from partdistill_ros.objects.params import TabletopParams
from partdistill_ros.pointcloud.depth import depth_scan
from partdistill_ros.pointcloud.frames import center_max_radius
from partdistill_ros.pointcloud.layout import CloudLayout, encode, encode_labeled
from partdistill_ros.pointcloud.sampling import farthest_points
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.rendering.cameras import ten_views
from partdistill_ros.rendering.rasterize import render_scan
from partdistill_ros.students.build import load_student
from partdistill_ros.synthetic.clutter_scene import make_clutter
from partdistill_ros.teachers.registry import load_teacher

SEEDS = 3
GAP = 0.015  # meters between things that the peers tell apart, as one to two cells are


@dataclass(frozen=True)
class Row:
    """A step: processor milliseconds, its floor's (NaN where there is none to state), and what a peer takes."""

    step: str
    ms: float
    floor_ms: float = float("nan")
    peer: str = ""
    peer_ms: float = float("nan")


def processor_ms(run: Callable[[], object], repeats: int) -> float:
    """Median of the processor time of a run, after one that does not count."""
    run()
    took = []
    for _ in range(repeats):
        begin = time.process_time()
        run()
        took.append(time.process_time() - begin)
    return 1e3 * float(np.median(took))


@dataclass(frozen=True)
class Machine:
    """bytes_ms: bytes that a copy reads and writes in a millisecond.  flops_ms: operations of a matrix product."""

    bytes_ms: float
    flops_ms: float

    @classmethod
    def measured(cls, repeats: int) -> Machine:
        """On one thread."""
        source = np.zeros(64 << 20, np.uint8)
        target = np.ones_like(source)
        square = torch.rand(1024, 1024)
        copy = processor_ms(lambda: np.copyto(target, source), repeats)
        product = processor_ms(lambda: square @ square, repeats)
        return cls(2 * source.nbytes / copy, 2 * 1024**3 / product)


class SetAbstraction(nn.Module):
    """Points and features of groups `[B, G, K, C]` to a feature each `[B, G, D]`: a shared MLP, then the maximum."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        pairs = zip(widths, widths[1:], strict=False)
        self.mlp = nn.Sequential(*[layer for a, b in pairs for layer in (nn.Linear(a, b), nn.ReLU())])

    def forward(self, groups: Tensor) -> Tensor:
        return self.mlp(groups).amax(dim=2)


class PointNet2(nn.Module):
    """Part segmentation of PointNet++ (Qi et al., NeurIPS 2017), single scale: 512 groups of 32, 128 of 64, all;
    features go back to the points by given neighbors (of 3, their mean)."""

    def __init__(self, names: int) -> None:
        super().__init__()
        self.first, self.second = SetAbstraction(3, 64, 64, 128), SetAbstraction(131, 128, 128, 256)
        self.third = SetAbstraction(259, 256, 512, 1024)
        self.back = nn.ModuleList([SetAbstraction(1280, 256, 256), SetAbstraction(384, 256, 128),
                                   SetAbstraction(131, 128, 128, 128)])  # fmt: skip
        self.head = nn.Linear(128, names)

    def forward(self, points: Tensor, near1: Tensor, near2: Tensor, up1: Tensor, up2: Tensor) -> Tensor:
        """Logits `[N, P]` of `points [N, 3]`; near1 `[512, 32]`, near2 `[128, 64]`, up1 `[N, 3]`, up2 `[512, 3]`."""
        middle1 = points[near1[:, 0]]
        one = self.first((points[near1] - middle1[:, None])[None])[0]
        middle2 = middle1[near2[:, 0]]
        two = self.second(torch.cat([middle1[near2] - middle2[:, None], one[near2]], -1)[None])[0]
        whole = self.third(torch.cat([middle2, two], -1)[None, None])[0]
        back = self.back[0](torch.cat([two, whole.expand(len(two), -1)], -1)[None, :, None])[0]
        back = self.back[1](torch.cat([one, back[up2].mean(1)], -1)[None, :, None])[0]
        back = self.back[2](torch.cat([points, back[up1].mean(1)], -1)[None, :, None])[0]
        return self.head(back)


def conversions(count: int, machine: Machine, repeats: int) -> Iterator[Row]:
    """Messages in and out."""
    rng = np.random.default_rng(0)
    points, colors = rng.random((count, 3), np.float32), rng.integers(0, 2**24, count).astype(np.uint32)
    packed = encode(points, colors)
    layout = CloudLayout(packed.fields, 1, count, packed.point_step, packed.point_step * count)
    read = processor_ms(lambda: (layout.points(packed.data), layout.packed_colors(packed.data)), repeats)
    yield Row(f"cloud in, {count:,} points", read, 2 * 16 * count / machine.bytes_ms)
    depth, info = _depth_image(rng)
    seen = processor_ms(lambda: depth_scan(depth, info, "depth"), repeats)
    yield Row("depth image in, 640 x 480", seen, (2 + 12) * 640 * 480 / machine.bytes_ms)
    labels, sure = rng.integers(-1, 4, count).astype(np.int16), rng.random(count, np.float32)
    wrote = processor_ms(lambda: encode_labeled(points, colors, labels, sure), repeats)
    yield Row(f"labeled cloud out, {count:,} points", wrote, (22 + 24) * count / machine.bytes_ms)


def _depth_image(rng: np.random.Generator) -> tuple[Any, Any]:
    header = SimpleNamespace(frame_id="camera")
    pixels = rng.integers(0, 3000, (480, 640)).astype("<u2")
    depth = SimpleNamespace(header=header, width=640, height=480, encoding="16UC1", step=1280, is_bigendian=0,
                            data=pixels.tobytes())  # fmt: skip
    roi = SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0)
    info = SimpleNamespace(header=header, width=640, height=480, binning_x=0, binning_y=0, roi=roi, k=[0] * 9)
    info.p = [525.0, 0, 319.5, 0, 0, 525.0, 239.5, 0, 0, 0, 1, 0]
    return depth, info


def network(machine: Machine, repeats: int) -> Iterator[Row]:
    """The student on one cloud, and its peers on the same."""
    bundle = Bundle.load("default")
    cloud = center_max_radius(make_cloud(bundle.points, 0)).astype(np.float32)
    centers = farthest_points(cloud, bundle.centers)[None]
    text = np.ascontiguousarray(bundle.vocabulary.embeddings[:4])
    session, student = StudentSession(bundle.model, "cpu", 1), load_student(bundle.path).eval()
    tensors = [torch.from_numpy(np.asarray(one)) for one in (cloud[None], centers, text)]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        student(*tensors)
    own = processor_ms(lambda: session.run(cloud[None], centers, text), repeats)
    floor = counter.get_total_flops() / machine.flops_ms
    with torch.no_grad():
        eager = processor_ms(lambda: student(*tensors), repeats)
    yield Row("student, one cloud", own, floor, "torch, the same student", eager)
    yield Row("student, one cloud", own, floor, "PointNet++ in ONNX Runtime", _pointnet2(cloud, repeats))
    teacher, views = load_teacher("mini"), ten_views()
    words = tuple(default_query(SimpleNamespace(bundle=bundle)).split(", "))  # type: ignore[arg-type]

    def vote() -> object:
        return teacher.answer(render_scan(Scan(cloud), views, teacher.size), words, "mug")

    with torch.no_grad():
        voted = processor_ms(vote, max(1, repeats // 10))
    yield Row("student, one cloud", own, floor, "vote of the teacher mini", voted)


def _pointnet2(cloud: np.ndarray, repeats: int) -> float:
    def nearest(of: np.ndarray, among: np.ndarray, count: int) -> np.ndarray:
        return np.linalg.norm(of[:, None] - among[None], axis=-1).argsort(axis=1)[:, :count]

    one = cloud[farthest_points(cloud, 512)]
    two = one[farthest_points(one, 128)]
    index = [nearest(one, cloud, 32), nearest(two, one, 64), nearest(cloud, one, 3), nearest(one, two, 3)]
    inputs = (torch.from_numpy(cloud), *(torch.from_numpy(each) for each in index))
    graph, names = io.BytesIO(), ["points", "near1", "near2", "up1", "up2"]
    torch.onnx.export(PointNet2(4).eval(), inputs, graph, input_names=names, dynamo=False)
    session = open_session(graph.getvalue(), [CPU], 1)
    feed = {name: value.numpy() for name, value in zip(names, inputs, strict=True)}
    return processor_ms(lambda: session.run(None, feed), repeats)


def cutting(repeats: int) -> Iterator[Row]:
    """Objects out of simulated clutter, 640 x 480."""
    scenes = [make_clutter(seed).scan for seed in range(SEEDS)]
    peer, cluster = _clustering()
    standing = [np.concatenate(extract_objects(scan, TabletopParams(method="clusters")).objects) for scan in scenes]
    peers = [partial(cluster, scan.points[index].astype(float)) for scan, index in zip(scenes, standing, strict=True)]
    peer_ms = float(np.median([processor_ms(one, max(1, repeats // 10)) for one in peers]))
    for method in ("auto", "clusters"):
        cut = [partial(extract_objects, scan, TabletopParams(method=method)) for scan in scenes]
        took = float(np.median([processor_ms(one, max(1, repeats // 4)) for one in cut]))
        yield Row(f"objects cut, {method}", took, peer=peer, peer_ms=peer_ms)


def _clustering() -> tuple[str, Callable[[np.ndarray], object]]:
    try:
        import open3d
    except ImportError:

        def euclidean(points: np.ndarray) -> object:
            pairs = cKDTree(points).query_pairs(GAP, output_type="ndarray")
            ones = np.ones(len(pairs), bool)
            return connected_components(coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), [len(points)] * 2), False)

        return "Euclidean clustering, k-d tree of SciPy", euclidean

    def dbscan(points: np.ndarray) -> object:
        return open3d.geometry.PointCloud(open3d.utility.Vector3dVector(points)).cluster_dbscan(GAP, 5)

    return "DBSCAN of Open3D", dbscan


def growth(most: int, repeats: int) -> dict[str, tuple[list[float], float]]:
    """How the student's processor time grows with points, objects and names, 1 to `most` times as many: milliseconds,
    and the exponent of a power fitted to them (1: linear)."""
    segmenter = Segmenter("default", "auto", 1)
    up, names = (0, 0, 1), segmenter.bundle.vocabulary.names[:most]
    query, cloud = segmenter.query("mug: handle, cup"), make_cloud(2048, 0)
    times = [2**power for power in range(most.bit_length())]
    runs: dict[str, Callable[[int], Callable[[], object]]] = {
        "points, of 4,096": lambda k: partial(segmenter.segment, [make_cloud(4096 * k, 0)], query, [up]),
        "objects": lambda k: partial(segmenter.segment, [cloud] * k, query, [up] * k),
        "names": lambda k: partial(segmenter.segment, [cloud], segmenter.query(", ".join(names[:k])), [up]),
    }
    result = {}
    for what, made in runs.items():
        took = [processor_ms(made(k), max(1, repeats // (5 * k))) for k in times]
        result[what] = took, float(np.polyfit(np.log(times), np.log(took), 1)[0])
    return result


def growth_text(found: dict[str, tuple[list[float], float]]) -> str:
    """A line for each of what grows."""
    return "\n".join(
        f"ms for 1, 2, 4, ... times the {what}: {' '.join(map(_number, took))}; exponent {power:.2f}"
        for what, (took, power) in found.items()
    )


def table(rows: list[Row]) -> str:
    """The rows in Markdown; times over the floor as a factor."""
    lines = ["| step | ms | floor ms | times floor | peer | peer ms |", "|---|---|---|---|---|---|"]
    for row in rows:
        cells = [row.step, *(_number(one) for one in (row.ms, row.floor_ms, row.ms / row.floor_ms))]
        lines.append("| " + " | ".join([*cells, row.peer or "-", _number(row.peer_ms)]) + " |")
    return "\n".join(lines)


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3g}"


def main(arguments: list[str] | None = None) -> int:
    """Print the table (or JSON)."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--points", type=int, default=300_000, help="of the cloud that is converted")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    machine = Machine.measured(options.repeats)
    rows = [*conversions(options.points, machine, options.repeats), *network(machine, options.repeats),
            *cutting(options.repeats)]  # fmt: skip
    grown = growth(64, options.repeats)
    if options.json:
        print(json.dumps({"machine": vars(machine), "rows": [vars(row) for row in rows], "growth": grown}))
        return 0
    print(f"a copy: {machine.bytes_ms / 1e6:.1f} GB/s, a matrix product: {machine.flops_ms / 1e6:.0f} GFLOP/s")
    print(table(rows), growth_text(grown), sep="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
