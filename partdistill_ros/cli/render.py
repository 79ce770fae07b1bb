# SPDX-License-Identifier: Apache-2.0
"""`partdistill render`: pictures and index maps of a shape, as distillation shows it to a teacher."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from partdistill_ros.cli.common import (
    AXES,
    DEVICES,
    Answer,
    LeftOut,
    check_folder,
    check_inputs,
    choose_device,
    positive,
)
from partdistill_ros.cli.progress import progress
from partdistill_ros.errors import PartDistillError
from partdistill_ros.text.space import split_names

if TYPE_CHECKING:
    from partdistill_ros.pointcloud.scan import Scan
    from partdistill_ros.rendering.cameras import Views

SUMMARY = "views, index maps and a manifest for an outside detector"
DESCRIPTION = """\
Write the views that distillation shows to a teacher: view_00.png ..., maps.npz (which point or face
each pixel shows) and manifest.json (a COCO image list with the cameras). Detections on these
pictures, as a COCO-style JSON file, are what `distill --teacher boxes:FILE` reads.

A whole object gets ten views, a scan from one side seven near its viewpoint. Several scans get a
folder each, and one manifest.json above them whose image ids are unique; one that cannot be read is left out."""
EXAMPLES = """\
  partdistill render mug.ply --out views/
  partdistill render mugs/ --out views/ --parts "handle, cup"
  partdistill render shapes/*.npz --out views/ --parts "handle, cup" --size 224"""

LARGEST = 4096


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "scans", nargs="+", type=Path, metavar="SCAN", help="collection, scan, mesh, bag, or folder of them"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    parser.add_argument(
        "--size", type=positive, default=800, metavar="PX", help="side of a picture (800, as box models like it)"
    )
    parser.add_argument("--parts", metavar="NAMES", help="part names: the categories of the manifest, ids from 1")
    parser.add_argument(
        "--up", choices=AXES, help="axis that points up, whatever the file tells; give `distill` the same"
    )
    parser.add_argument("--renderer", choices=("zbuffer", "pytorch3d"), default="zbuffer", help="rasterizer")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where to render")


def run(arguments: Namespace) -> Answer:
    """Render and write each scan."""
    check_inputs(arguments.scans)
    check_folder(arguments.out)
    if not 16 <= arguments.size <= LARGEST:
        raise PartDistillError(f"--size is {arguments.size}: choose 16 to {LARGEST} pixels")
    parts = () if arguments.parts is None else split_names(arguments.parts)
    device = choose_device(arguments.device, "rendering")
    from partdistill_ros.io.load import expand, is_bag, load_scans
    from partdistill_ros.io.readers.bag import bag_name
    from partdistill_ros.rendering.rasterize import load_backend, render_scan
    from partdistill_ros.rendering.save import write_collection, write_views

    files = expand(arguments.scans)
    names = [bag_name(path) if is_bag(path) else path.name if path.is_dir() else path.stem for path in files]
    if len(set(names)) < len(names):
        raise PartDistillError("two scans have the same name and would share a folder: render them one by one")
    many, left_out = len(files) > 1 or any(map(is_bag, files)), LeftOut()
    backend = load_backend(arguments.renderer, device)
    written = []
    for loaded in progress(load_scans(files, up=arguments.up, on_skip=left_out), "render"):
        try:
            scan, views = as_distilled(loaded)
        except PartDistillError as error:
            left_out(loaded.name, error)
            continue
        rendering = render_scan(scan, views, arguments.size, device=device, backend=backend)
        manifest = write_views(arguments.out / scan.name if many else arguments.out, rendering, views, parts)
        written.append({"scan": scan.name, "manifest": str(manifest), "views": len(rendering), "of": rendering.of})
    if not written:
        raise PartDistillError(f"no scan could be rendered: {left_out.reasons[0]}")
    if many:
        write_collection(arguments.out, [Path(str(one["manifest"])) for one in written], parts)
    record = {"out": str(arguments.out), "size": arguments.size, "renderer": arguments.renderer, "scans": written}
    lines = [f"{one['scan']}: {one['views']} views, {one['manifest']}" for one in written]
    return Answer({**record, "left_out": left_out.reasons}, "\n".join(lines))


def as_distilled(scan: Scan) -> tuple[Scan, Views]:
    """The scan upright in the unit ball and the views, both exactly as distillation has them."""
    from partdistill_ros.distillation.posing import views_of_file

    pose, views = views_of_file(scan)
    return pose.apply(scan), views
