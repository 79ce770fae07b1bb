# SPDX-License-Identifier: Apache-2.0
"""Labeled shapes for `everyday.py` from OBJ files whose groups have names.

    python benchmarks/named_groups.py FOLDER OUT [TABLE]

TABLE (JSON): end of a file's path -> [category, {part: regular expression of group names}], the first that fits has the
group. Not scored: groups that fit none, parts of which a camera sees little, files of which little remains. Up is y.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from everyday import POINTS

from partdistill_ros.pointcloud.scan import Mesh, Scan
from partdistill_ros.synthetic.procedural import outer_cloud

FEWEST = 20  # points of the 4,096 seen ones; with fewer a part is not told from chance
LABELED = 0.6  # share of the seen points that must have a name
PRIMITIVE = re.compile(r"_(Cube|Plane|Cylinder|Circle|Sphere|Curve|Mesh|BezierCurve|Torus|Tube)[.\d]*")  # of Blender


def read_groups(lines: Iterable[str], patterns: list[str]) -> Mesh:
    """The mesh of an OBJ file, polygons cut into fans, its faces labeled by the pattern that fits the group."""
    vertices, faces, labels, label = [], [], [], -1
    for line in lines:
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append([float(number) for number in rest.split()[:3]])
        elif kind in ("g", "o"):
            name = PRIMITIVE.sub("", rest)
            label = next((i for i, pattern in enumerate(patterns) if re.search(pattern, name, re.IGNORECASE)), -1)
        elif kind == "f":
            corners = [int(corner.split("/")[0]) for corner in rest.split()]
            first, *others = (corner - 1 if corner > 0 else len(vertices) + corner for corner in corners)
            faces += [[first, *pair] for pair in zip(others, others[1:], strict=False)]
            labels += [label] * (len(corners) - 2)
    return Mesh(np.array(vertices, np.float32), np.array(faces, np.int32), np.array(labels, np.int16))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="OBJ files, at any depth")
    parser.add_argument("out", type=Path, help="folder for the .npz shapes")
    parser.add_argument("table", type=Path, nargs="?", default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    written = 0
    for end, (category, parts) in json.loads(options.table.read_text(encoding="utf-8")).items():
        for path in (path for path in options.folder.rglob(Path(end).name) if path.as_posix().endswith(end)):
            written += write_shape(options.out / f"{path.stem}.npz", path, category, parts)
    print(f"{options.out}: {written} shapes")
    return int(not written)


def write_shape(out: Path, path: Path, category: str, parts: dict[str, str]) -> bool:
    """Writes the labeled shape of an OBJ file; False where too little of it has a name."""
    mesh = read_groups(path.read_text(errors="replace").splitlines(), list(parts.values()))
    labels = np.asarray(mesh.face_labels)
    seen = np.asarray(outer_cloud(Scan(mesh.vertices, mesh=mesh), POINTS).point_labels)
    kept = [i for i in range(len(parts)) if np.count_nonzero(seen == i) >= FEWEST]
    if len(kept) < 2 or np.mean(seen >= 0) < LABELED or not set(range(len(parts))) <= {*labels.tolist()}:
        print(f"{path}: left out, {len(kept)} of {len(parts)} parts, {np.mean(seen >= 0):.0%} named")
        return False
    shape = {"vertices": mesh.vertices, "faces": mesh.faces, "up": np.array([0, 1, 0], np.float32)}
    shape["face_labels"] = np.where(np.isin(labels, kept), labels, -1).astype(np.int16)
    np.savez(out, parts=np.array(list(parts)), category=np.array(category), **shape)
    return True


if __name__ == "__main__":
    sys.exit(main())
