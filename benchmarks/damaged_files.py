# SPDX-License-Identifier: Apache-2.0
"""Damaged files of every format: each is read, or refused in one sentence, in bounded time and memory.

    python benchmarks/damaged_files.py [--files 20000] [--bags 2000] [--seed 0] [--only ply npz ...] [--json]

Small whole files of each format are cut, spliced, overwritten and given numbers and names that nobody means; file
`number` of a format is the same for the same seed. They are read in a process of its own, so that a crash or a hang is
counted and the rest goes on. Counted as failures: an exception that is no PartDistillError, a sentence without the
file's name or longer than a screen, a process that dies, more than 10 s, more than 500 MB.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from partdistill_ros.errors import PartDistillError
from partdistill_ros.visualization.tables import aligned

SECONDS = 10.0
MEGABYTES = 500.0
SENTENCE = 1000  # characters
IMPORTS = 120.0  # seconds that the libraries of a format may take to be imported
BAGS = ("mcap", "db3", "metadata")
TOKENS = (
    b"1e999", b"-1e999", b"NaN", b"inf", b"-1", b"0", b"2147483648", b"4294967295", b"99999999999", b"50000000",
    b"-9223372036854775809", b"1e308", b"0.5", b"7" * 400, b"[" * 20_000, b'{"a":' * 20_000, b"null", b"true", b'""',
    b"[]", b"{}", b"\x00", b"\xff\xfe", b"../../etc/passwd", b"x", b"y", b"parts", b"points", b"schema", b"list",
    b"float", b"double", b"int", b"\n", b" ", b",",
)  # fmt: skip


# --- whole files ------------------------------------------------------------------------------------------------------


def write_seeds(folder: Path) -> dict[str, list[Path]]:
    """Small whole files of each format by its name; of bundles, recorded scans and bags, their folders."""
    import trimesh

    from partdistill_ros.inference.bundle import DEFAULT_PATH
    from partdistill_ros.io.save import save_scan
    from partdistill_ros.pointcloud.scan import Mesh, Scan
    from partdistill_ros.recording.collection import Collection

    rng = np.random.default_rng(0)
    points = rng.normal(0, 0.1, (60, 3)).astype(np.float32)
    points[7] = np.nan
    cloud = Scan(
        points,
        colors=rng.integers(0, 256, (60, 3), dtype=np.uint8),
        normals=points,
        point_labels=(np.arange(60) % 3 - 1).astype(np.int16),
        parts=("handle", "cup"),
        category="mug",
        up=np.array([0, 0, 1], np.float32),
        viewpoint=np.zeros(3, np.float32),
        grid=(6, 10),
        name="cloud",
    )
    box = trimesh.creation.box()
    faces = np.asarray(box.faces, np.int32)
    mesh = Mesh(np.asarray(box.vertices, np.float32), faces, (np.arange(12) % 2).astype(np.int16))
    shape = Scan(mesh.vertices, parts=("handle", "cup"), mesh=mesh)
    for name, scan in {"cloud.npz": cloud, "shape.npz": shape, "cloud.ply": cloud, "shape.ply": shape}.items():
        save_scan(folder / name, scan)
    save_scan(folder / "binary.pcd", cloud)
    (folder / "text.ply").write_text(_text_ply())
    (folder / "text.pcd").write_text(_pcd_header("ascii") + "\n".join(f"{i} 0.5 {i}e-1 {i}" for i in range(12)) + "\n")
    packed = _literal_lzf(np.arange(48, dtype="<f4").tobytes())
    sizes = np.array([len(packed), 192], "<u4").tobytes()
    (folder / "packed.pcd").write_bytes(_pcd_header("binary_compressed").encode() + sizes + packed)
    for suffix in ("obj", "stl", "glb"):
        box.export(folder / f"shape.{suffix}")
    (folder / "text.stl").write_text(trimesh.exchange.stl.export_stl_ascii(box))
    (folder / "materials.obj").write_text("mtllib shape.mtl\nusemtl red\n" + (folder / "shape.obj").read_text())
    (folder / "shape.mtl").write_text("newmtl red\nKd 1 0 0\nmap_Kd red.png\n")
    for number, boxes in enumerate(_boxes()):
        (folder / f"boxes{number}.json").write_text(json.dumps(boxes, indent=number))
    Collection.create(folder / "mugs").add(cloud.with_(name="mug"), source={"bag": "a"})
    shutil.copytree(DEFAULT_PATH, folder / "bundle", ignore=shutil.ignore_patterns("*.pt"))
    bags = _write_bags(folder, cloud)
    return {
        "npz": [folder / "cloud.npz", folder / "shape.npz"],
        "ply": [folder / "cloud.ply", folder / "shape.ply", folder / "text.ply"],
        "pcd": [folder / "binary.pcd", folder / "text.pcd", folder / "packed.pcd"],
        "obj": [folder / "shape.obj", folder / "materials.obj"],
        "stl": [folder / "shape.stl", folder / "text.stl"],
        "glb": [folder / "shape.glb"],
        "boxes": [folder / "boxes0.json", folder / "boxes1.json"],
        "bundle": [folder / "bundle"],
        "h5": _write_h5(folder),
        "recorded scan": [folder / "mugs" / "mug"],
        **bags,
    }


def _text_ply() -> str:
    """A mesh of polygons as text, with elements and lists that nobody asked for."""
    lines = ["ply", "format ascii 1.0", 'comment partdistill {"parts": ["a", "b"], "up": [0, 0, 1], "grid": [1, 5]}']
    lines += ["element vertex 5", *(f"property float {axis}" for axis in "xyz"), "property int label"]
    lines += ["element face 2", "property list uchar int vertex_indices", "property list uchar float texcoord"]
    lines += ["end_header", "0 0 0 0", "1 0 0 1", "0 1 0 -1", "0 0 1 0", "nan 1 1 0"]
    lines += ["3 0 1 2 2 0.5 0.5", "4 0 1 2 3 0"]
    return "\n".join([*lines, ""])


def _pcd_header(encoding: str) -> str:
    return (
        "# .PCD v0.7\nVERSION 0.7\nFIELDS x y z label\nSIZE 4 4 4 4\nTYPE F F F F\nCOUNT 1 1 1 1\nWIDTH 4\nHEIGHT 3\n"
        f"VIEWPOINT 0 0 0 1 0 0 0\nPOINTS 12\nDATA {encoding}\n"
    )


def _literal_lzf(content: bytes) -> bytes:
    runs = [content[at : at + 32] for at in range(0, len(content), 32)]
    return b"".join(bytes([len(run) - 1]) + run for run in runs)


def _boxes() -> list[Any]:
    rows = [{"image_id": view, "category_id": 1, "bbox": [1, 2, 30.5, 40], "score": 0.5} for view in range(3)]
    images = [{"id": view, "file_name": f"mug/view_{view:02d}.png", "width": 100, "height": 80} for view in range(3)]
    return [rows, {"images": images, "categories": [{"id": 1, "name": "handle"}], "annotations": rows}]


def _write_h5(folder: Path) -> list[Path]:
    """A shape as the authors of PartDistill prepared it; none where h5py is not installed."""
    try:
        import h5py
    except ImportError:
        return []
    confidence = np.zeros((20, 2, 2))
    confidence[:9, 0, 1] = confidence[5:, 1, 0] = 0.5
    arrays = {
        "xyz": np.random.default_rng(0).random((20, 3)),
        "cls_bbox": np.array([[1, 0]]),
        "conf_bbox": confidence,
        "cls_view": np.zeros((1, 20, 2), np.int64) + [1, 0],
        "conf_view": confidence[None],
    }
    for name, options in (("plain", {}), ("packed", {"compression": "gzip", "chunks": True})):
        with h5py.File(folder / f"{name}.h5", "w") as file:
            for key, values in arrays.items():
                file.create_dataset(key, data=values, **options)
    return [folder / "plain.h5", folder / "packed.h5"]


def _write_bags(folder: Path, cloud: Any) -> dict[str, list[Path]]:
    from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore

    from partdistill_ros.pointcloud.layout import encode

    store = get_typestore(Stores.ROS2_JAZZY)
    packed, types = encode(cloud.points), store.types
    header = types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](1, 2), "camera")
    fields = [types["sensor_msgs/msg/PointField"](*one) for one in packed.fields]
    step, data = packed.point_step, np.frombuffer(packed.data, np.uint8)
    kind = "sensor_msgs/msg/PointCloud2"
    message = types[kind](header, 6, 10, fields, False, step, 10 * step, data, False)
    tf = "tf2_msgs/msg/TFMessage"
    vector, turn = types["geometry_msgs/msg/Vector3"](0, 0, 1), types["geometry_msgs/msg/Quaternion"](0, 0, 0, 1)
    moved = types["geometry_msgs/msg/Transform"](vector, turn)
    transforms = types[tf]([types["geometry_msgs/msg/TransformStamped"](header, "object", moved)])
    found: dict[str, list[Path]] = {name: [] for name in BAGS}
    for name, plugin in (("mcap", StoragePlugin.MCAP), ("db3", StoragePlugin.SQLITE3)):
        for mode in (CompressionMode.NONE, CompressionMode.MESSAGE):
            bag = folder / f"{name}_{mode.name.lower()}"
            writer = Writer(bag, version=9, storage_plugin=plugin)
            if mode is not CompressionMode.NONE:
                writer.set_compression(mode, CompressionFormat.ZSTD)
            with writer:
                points = writer.add_connection("/points", kind, typestore=store)
                frames = writer.add_connection("/tf", tf, typestore=store)
                for number in range(3):
                    writer.write(points, number * 10**9, store.serialize_cdr(message, kind))
                    writer.write(frames, number * 10**9, store.serialize_cdr(transforms, tf))
            found[name].append(bag)
    found["metadata"] = [bag for bags in found.values() for bag in bags]
    return found


# --- damage -----------------------------------------------------------------------------------------------------------


def damage(content: bytes, rng: np.random.Generator, others: Sequence[bytes]) -> bytes:
    """One to three kinds of damage, one after the other; most files have one."""
    kinds = (_cut, _change_bits, _change_run, _insert_token, _replace_number, _double, _drop, _splice, _swap_words)
    for _ in range(rng.choice([1, 2, 3], p=[0.6, 0.25, 0.15])):
        content = kinds[rng.integers(len(kinds))](content, rng, others)
    return content


def _at(content: bytes, rng: np.random.Generator) -> int:
    """A place; headers, which decide the most, come first in a file and are as likely as all the rest."""
    limit = len(content) if rng.random() < 0.5 else min(len(content), 600)
    return int(rng.integers(limit + 1))


def _cut(content: bytes, rng: np.random.Generator, _: Sequence[bytes]) -> bytes:
    return content[: _at(content, rng)]


def _change_bits(content: bytes, rng: np.random.Generator, _: Sequence[bytes]) -> bytes:
    changed = bytearray(content)
    for _unused in range(rng.integers(1, 9)):
        at = min(_at(content, rng), len(content) - 1)
        if at >= 0:
            changed[at] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _change_run(content: bytes, rng: np.random.Generator, _: Sequence[bytes]) -> bytes:
    at, length = _at(content, rng), int(rng.choice([1, 2, 4, 8, 64, 512]))
    run = rng.bytes(length) if rng.random() < 0.5 else bytes([int(rng.choice([0, 255, 127, 128]))]) * length
    return content[:at] + run + content[at + length :]


def _insert_token(content: bytes, rng: np.random.Generator, _: Sequence[bytes]) -> bytes:
    at = _at(content, rng)
    return content[:at] + TOKENS[rng.integers(len(TOKENS))] + content[at:]


def _replace_number(content: bytes, rng: np.random.Generator, _: Sequence[bytes]) -> bytes:
    """A number that is written in digits becomes another, or no number."""
    import re

    numbers = list(re.finditer(rb"-?\d+(\.\d+)?", content[:20_000]))
    if not numbers:
        return content
    chosen = numbers[rng.integers(len(numbers))]
    return content[: chosen.start()] + TOKENS[rng.integers(len(TOKENS))] + content[chosen.end() :]


def _double(content: bytes, rng: np.random.Generator, _: Sequence[bytes]) -> bytes:
    at, length = _at(content, rng), int(rng.integers(1, 200))
    return content[:at] + content[at : at + length] * int(rng.choice([2, 3, 50])) + content[at + length :]


def _drop(content: bytes, rng: np.random.Generator, _: Sequence[bytes]) -> bytes:
    at = _at(content, rng)
    return content[:at] + content[at + int(rng.choice([1, 2, 16, 100])) :]


def _splice(content: bytes, rng: np.random.Generator, others: Sequence[bytes]) -> bytes:
    other = others[rng.integers(len(others))]
    return content[: _at(content, rng)] + other[_at(other, rng) :]


def _swap_words(content: bytes, rng: np.random.Generator, _: Sequence[bytes]) -> bytes:
    words = content.split(b" ")
    if len(words) < 3:
        return content
    first, second = rng.integers(len(words), size=2)
    words[first], words[second] = words[second], words[first]
    return b" ".join(words)


# --- reading ----------------------------------------------------------------------------------------------------------


def _read_scan(path: Path) -> None:
    from partdistill_ros.io.load import load_scan

    load_scan(path)


def _read_boxes(path: Path) -> None:
    from partdistill_ros.teachers.boxes import BoxFileTeacher

    BoxFileTeacher.load(path)


def _read_bundle(path: Path) -> None:
    from partdistill_ros.inference.segmenter import Segmenter

    Segmenter(path, "cpu", 1)


def _read_h5(path: Path) -> None:
    from partdistill_ros.distillation.import_h5 import read_preprocess

    read_preprocess(path, ("handle", "cup"))


def _read_bag(path: Path) -> None:
    from partdistill_ros.io.readers.bag import read_bag, read_transforms

    list(read_bag(path, on_skip=lambda *_: None))
    list(read_transforms(path))


READERS: dict[str, Callable[[Path], None]] = {
    **dict.fromkeys(("npz", "ply", "pcd", "obj", "stl", "glb", "recorded scan"), _read_scan),
    "boxes": _read_boxes,
    "bundle": _read_bundle,
    "h5": _read_h5,
    **dict.fromkeys(BAGS, _read_bag),
}


def make(kind: str, number: int, seed: int, seeds: dict[str, list[Path]], room: Path) -> Path:
    """Damaged file `number` of a kind, in the empty folder `room`."""
    rng = np.random.default_rng([seed, number, *kind.encode()])
    whole = seeds[kind][rng.integers(len(seeds[kind]))]
    others = [path.read_bytes() for paths in seeds.values() for path in paths if path.is_file()]
    if whole.is_file():
        path = room / f"damaged{whole.suffix}"
        path.write_bytes(damage(whole.read_bytes(), rng, others))
        if whole.with_suffix(".mtl").is_file() or kind == "obj":
            mtl = (whole.parent / "shape.mtl").read_bytes()
            (room / "shape.mtl").write_bytes(damage(mtl, rng, others) if rng.random() < 0.5 else mtl)
        return path
    folder = room / "damaged"
    shutil.copytree(whole, folder, copy_function=os.link)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".png", ".txt"))
    if kind == "metadata":
        files = [folder / "metadata.yaml"]
    chosen = files[rng.integers(len(files))]
    content = damage(chosen.read_bytes(), rng, others)
    chosen.unlink()
    chosen.write_bytes(content)
    if rng.random() < 0.7:  # else checksums tell at once
        _sign(folder, chosen)
    return folder


def _sign(folder: Path, changed: Path) -> None:
    """Checksums of the changed file, so that what comes after them is reached."""
    digest = hashlib.sha256(changed.read_bytes()).hexdigest()
    for name in ("bundle.json", "scan.json"):
        path = folder / name
        if not path.is_file() or path == changed:
            continue
        content = json.loads(path.read_text())
        if name == "scan.json":
            content["sha256"] = digest
        elif changed.name in content["files"]:
            content["files"][changed.name]["sha256"] = digest
        path.unlink()
        path.write_text(json.dumps(content))


@dataclass
class Counts:
    """What became of the files of a kind."""

    files: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    largest: float = 0.0
    failures: list[str] = field(default_factory=list)


def read_one(kind: str, path: Path) -> tuple[str, str]:
    """`read`, `sentence` or what went wrong, and the words for it."""
    try:
        READERS[kind](path)
    except PartDistillError as error:
        text = str(error)
        named = "damaged" in text
        return ("sentence", "") if named and len(text) <= SENTENCE else ("no good sentence", text[:300])
    except Exception as error:  # noqa: BLE001 - what is looked for
        return "raw exception", f"{type(error).__name__}: {error}"[:300]
    return "read", ""


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


Job = tuple[str, int]
"""Format and number of a file."""


def _work(pipe: Connection, jobs: Sequence[Job], seed: int, seeds: dict[str, list[Path]]) -> None:
    """The reading process: a result for each file to the other end of the pipe."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    base: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, number in jobs:
            if kind not in base:  # imports, and what a whole file takes, count for nothing
                pipe.send(IMPORTS)
                read_one(kind, seeds[kind][0])
                base[kind] = _peak_megabytes()
                pipe.send(SECONDS)
            with tempfile.TemporaryDirectory(dir=folder) as room:
                path = make(kind, number, seed, seeds, Path(room))
                start = time.perf_counter()
                outcome, words = read_one(kind, path)
                pipe.send((outcome, words, time.perf_counter() - start, _peak_megabytes() - base[kind]))


def examine(jobs: Sequence[Job], seed: int, seeds: dict[str, list[Path]]) -> dict[str, Counts]:
    """Read damaged files; after a crash or a hang a new process goes on behind it."""
    found = {kind: Counts() for kind, _ in jobs}
    context, done = multiprocessing.get_context("spawn"), 0
    while done < len(jobs):
        own, other = context.Pipe(duplex=False)
        worker = context.Process(target=_work, args=(other, jobs[done:], seed, seeds), daemon=True)
        worker.start()
        other.close()
        for outcome, words, seconds, megabytes in _results(own, worker, len(jobs) - done):
            kind, number = jobs[done]
            counts = found[kind]
            if outcome in ("read", "sentence") and megabytes > MEGABYTES:
                outcome, words = "too much memory", f"{megabytes:.0f} MB"
            if outcome not in ("read", "sentence"):
                counts.failures.append(f"{kind} {number}: {outcome}: {words}")
            counts.files += 1
            counts.outcomes[outcome] += 1
            counts.slowest, counts.largest = max(counts.slowest, seconds), max(counts.largest, megabytes)
            done += 1
            if outcome == "too much memory":
                break  # its peak would count against the files after it
        worker.kill()
        worker.join()
    return found


def _results(pipe: Connection, worker: Any, count: int) -> Iterator[tuple[str, str, float, float]]:
    limit = IMPORTS
    while count:
        if not pipe.poll(limit):
            yield "too slow", f"more than {SECONDS:g} s", SECONDS, 0.0
            return
        try:
            result = pipe.recv()
        except EOFError:
            worker.join()
            yield "crash", f"the process ended with {worker.exitcode}", 0.0, 0.0
            return
        if isinstance(result, float):  # how long the next one may take
            limit = result
            continue
        count -= 1
        yield ("too slow", f"{result[2]:.1f} s", *result[2:]) if result[2] > SECONDS else result


def run(files: int, bags: int, seed: int, only: Sequence[str] | None = None) -> dict[str, Counts]:
    """Damaged files, spread evenly over the formats, and bags over theirs; counts by format."""
    with tempfile.TemporaryDirectory(prefix="partdistill_damaged_") as folder:
        seeds = {kind: paths for kind, paths in write_seeds(Path(folder)).items() if paths}
        kinds = [kind for kind in seeds if only is None or kind in only]
        jobs = [*_jobs(files, [kind for kind in kinds if kind not in BAGS])]
        jobs += _jobs(bags, [kind for kind in kinds if kind in BAGS])
        return examine(jobs, seed, seeds)


def _jobs(total: int, kinds: Sequence[str]) -> list[Job]:
    shares = {kind: total // len(kinds) + (place < total % len(kinds)) for place, kind in enumerate(kinds)}
    return [(kind, number) for kind in kinds for number in range(shares[kind])]


def table(found: dict[str, Counts]) -> str:
    """A line a format."""
    outcomes = ["read", "sentence"]
    outcomes += sorted({name for counts in found.values() for name in counts.outcomes} - set(outcomes))
    rows = [("format", "files", *outcomes, "slowest", "memory")]
    for kind, counts in found.items():
        numbers = [f"{counts.outcomes[name]:,}" for name in outcomes]
        rows.append((kind, f"{counts.files:,}", *numbers, f"{counts.slowest:.2f} s", f"{counts.largest:.0f} MB"))
    total = [f"{sum(counts.outcomes[name] for counts in found.values()):,}" for name in outcomes]
    slowest, largest = (max(getattr(counts, name) for counts in found.values()) for name in ("slowest", "largest"))
    files = sum(counts.files for counts in found.values())
    return aligned([*rows, ("all", f"{files:,}", *total, f"{slowest:.2f} s", f"{largest:.0f} MB")])


def main() -> int:
    """Exit code 1 where anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--bags", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=tuple(READERS), metavar="FORMAT")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = run(arguments.files, arguments.bags, arguments.seed, arguments.only)
    failures = [failure for counts in found.values() for failure in counts.failures]
    if arguments.json:
        print(json.dumps({kind: asdict(counts) for kind, counts in found.items()}))
    else:
        print(table(found), *failures[:50], sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
