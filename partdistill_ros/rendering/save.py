# SPDX-License-Identifier: Apache-2.0
"""Views as files for an outside detector: pictures, index maps and a manifest."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from partdistill_ros.errors import MissingDependencyError
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.rendering.cameras import Views
from partdistill_ros.rendering.rasterize import Rendering

SCHEMA = 1
MANIFEST = "manifest.json"


def write_views(folder: str | os.PathLike[str], rendering: Rendering, views: Views, parts: Sequence[str] = ()) -> Path:
    """Write `view_00.png`..., `maps.npz` and `manifest.json` into `folder`; returns the manifest's path.

    `maps.npz` holds `index [V, H, W] i4`, `depth [V, H, W] f4` and, where points were located,
    `pixel [V, N] i4`, as in `Rendering`. The manifest is a COCO `images` list (id = number of the
    view) with each view's camera, and `parts` as its categories (ids from 1); detections on these ids
    are what the `boxes:FILE` teacher reads.
    Raises PartDistillError where the folder cannot be written.
    """
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise MissingDependencyError("pillow", "train", "writing pictures") from error
    target = Path(folder)
    names = [f"view_{number:02d}.png" for number in range(len(rendering))]
    for name, picture in zip(names, rendering.picture, strict=True):
        with atomic_path(target / name) as temporary:
            Image.fromarray(picture).save(temporary)
    maps: dict[str, Any] = {"index": rendering.index, "depth": rendering.depth}
    if rendering.pixel is not None:
        maps["pixel"] = rendering.pixel
    with atomic_path(target / "maps.npz") as temporary:
        np.savez_compressed(temporary, **maps)
    return _write_json(target / MANIFEST, {**_manifest(rendering, views, names), **_categories(parts)})


def write_collection(folder: str | os.PathLike[str], manifests: Sequence[Path], parts: Sequence[str] = ()) -> Path:
    """Write one `manifest.json` into `folder` for the scans whose manifests lie in folders of it: a COCO
    dataset whose image ids are unique and whose file names are such as `mug_01/view_03.png`."""
    images: list[dict[str, object]] = []
    for path in manifests:
        for image in json.loads(path.read_text())["images"]:
            name = f"{path.parent.name}/{image['file_name']}"
            images.append({**image, "id": len(images), "file_name": name})
    return _write_json(Path(folder) / MANIFEST, {"schema": SCHEMA, "images": images, **_categories(parts)})


def _write_json(path: Path, content: dict[str, object]) -> Path:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")
    return path


def _categories(parts: Sequence[str]) -> dict[str, object]:
    return {"categories": [{"id": number, "name": part} for number, part in enumerate(parts, 1)]} if parts else {}


def _manifest(rendering: Rendering, views: Views, names: list[str]) -> dict[str, object]:
    height, width = rendering.size
    images = [
        {
            "id": number,
            "file_name": name,
            "width": width,
            "height": height,
            "view": views.names[number] if views.names else str(number),
            "rotation": views.rotation[number].tolist(),
            "position": views.position[number].tolist(),
            "focal": float(views.focal[number]),
        }
        for number, name in enumerate(names)
    ]
    return {
        "schema": SCHEMA,
        "scan": rendering.name,
        "index_of": rendering.of,
        "maps": "maps.npz",
        "orthographic": views.orthographic,
        "images": images,
    }
