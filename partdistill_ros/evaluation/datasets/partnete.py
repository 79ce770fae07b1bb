# SPDX-License-Identifier: Apache-2.0
"""PartNet-Ensembled (PartSLIP, Liu et al., CVPR 2023): colored clouds of 45 categories, 8 shapes each for few-shot
learning (the split `train` here) and 1,906 for the test, as they are downloaded:

PartNetE_meta.json and, in the folder itself or in data/, SPLIT/CATEGORY/ID/ with pc.ply and label.npy; SPLIT is test or
few_shot; label.npy holds `semantic_seg [N]`, indices into the category's names in PartNetE_meta.json, -1 for none.
split/test.txt and split/few-shot.txt, a shape a line (the last word of its path is ID), tell whether any is missing.

Up is +y: PartSLIP renders these clouds by pytorch3d's `look_at_view_transform` with its default up. Part names are the
file's own. The paper's mIoU is the mean over parts of the `parts` that `evaluate` gives, not of its `categories`.
"""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.load import load_scan
from partdistill_ros.pointcloud.frames import parse_up
from partdistill_ros.pointcloud.scan import Scan

META = "PartNetE_meta.json"
FOLDERS = {"train": "few_shot", "test": "test"}
LISTS = {"train": "few-shot.txt", "test": "test.txt"}
DOWNLOAD = "https://huggingface.co/datasets/minghua/PartSLIP"
UP = "y"


def is_partnete(folder: Path) -> bool:
    """Whether the folder holds the data set."""
    return (folder / META).is_file()


def partnete_parts(folder: Path) -> dict[str, tuple[str, ...]]:
    """Categories in plain words (`folding chair`), with their part names. Raises PartDistillError for a broken file."""
    return {_plain(name): tuple(parts) for name, parts in _meta(folder).items()}


def read_partnete(folder: Path, split: str = "test", categories: Sequence[str] = ()) -> list[Scan]:
    """The labeled clouds of a split, all of them or those of some categories, by category and name.

    Raises PartDistillError, with what to download, for a split that there is not, missing or broken files and an
    unknown category.
    """
    if split not in FOLDERS:
        raise PartDistillError(f"PartNetE has no split '{split}': choose train (its few-shot shapes) or test")
    meta = _meta(folder)
    known = {_plain(name): name for name in meta}
    unknown = [name for name in categories if _plain(name) not in known]
    if unknown:
        raise PartDistillError(f"PartNetE has no category '{unknown[0]}': choose among {', '.join(known)}")
    home = next((place for place in (folder / "data", folder) if (place / FOLDERS[split]).is_dir()), None)
    if home is None:
        raise PartDistillError(
            f"{folder} has no data/{FOLDERS[split]}/: download {FOLDERS[split]} from {DOWNLOAD} and unpack it there"
        )
    _check_whole(folder / "split" / LISTS[split], home / FOLDERS[split])
    wanted = [known[_plain(name)] for name in categories] or list(meta)
    scans = []
    for name in sorted(wanted):
        shapes = sorted(path for path in (home / FOLDERS[split] / name).glob("*") if path.is_dir())
        scans += [_read_shape(path, _plain(name), tuple(meta[name])) for path in shapes]
    if not scans:
        raise PartDistillError(f"{home / FOLDERS[split]} holds no shape of {', '.join(wanted)}: unpack it again")
    return scans


def _check_whole(path: Path, home: Path) -> None:
    """Raises PartDistillError where a shape of the list at `path`, if there is one, is not below `home`."""
    if path.is_file():
        listed = {line.strip().rstrip("/").split("/")[-1] for line in path.read_text().splitlines() if line.strip()}
        missing = sorted(listed - {shape.name for shape in home.glob("*/*")})
        if missing:
            raise PartDistillError(
                f"{home} lacks {len(missing)} of the {len(listed)} shapes of {path}, such as {missing[0]}: download it "
                f"again from {DOWNLOAD}"
            )


def _meta(folder: Path) -> dict[str, list[str]]:
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        if not all(isinstance(part, str) for parts in meta.values() for part in parts):
            raise ValueError("part names are not text")
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise PartDistillError(f"{folder / META} cannot be read ({error}): download it from {DOWNLOAD}") from error
    return dict(meta)


def _plain(name: str) -> str:
    """`FoldingChair` as `folding chair`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def _read_shape(path: Path, category: str, parts: tuple[str, ...]) -> Scan:
    missing = [name for name in ("pc.ply", "label.npy") if not (path / name).is_file()]
    if missing:
        raise PartDistillError(f"{path} has no {missing[0]}: download it again from {DOWNLOAD}")
    cloud = load_scan(path / "pc.ply")
    labels = _labels(path / "label.npy")
    if labels.shape != (len(cloud.points),) or labels.min(initial=0) < -1 or labels.max(initial=-1) >= len(parts):
        raise PartDistillError(
            f"{path}: labels {labels.shape} up to {labels.max(initial=-1)} for {len(cloud.points)} points and "
            f"{len(parts)} parts of {category}: the download is damaged"
        )
    name = f"{category.replace(' ', '_')}_{path.name}"
    up = parse_up(UP)
    return cloud.with_(point_labels=labels.astype(np.int16), parts=parts, category=category, up=up, name=name)


class _ArraysOnly(pickle.Unpickler):
    """Reads pickled numpy arrays, and refuses whatever else a file from the network may name."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = name in ("_reconstruct", "ndarray", "dtype", "scalar", "_frombuffer")
        if allowed and module in ("numpy", *(f"numpy.{core}.{end}" for core in ("core", "_core") for end in PICKLING)):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}")


PICKLING = ("multiarray", "numeric")


def _labels(path: Path) -> NDArray[np.integer]:
    """`semantic_seg` of a file that numpy wrote from a dictionary, which it pickles."""
    try:
        with open(path, "rb") as file:
            version = np.lib.format.read_magic(file)
            header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
            header(file)
            content = _ArraysOnly(file).load()
        return np.asarray(content.item()["semantic_seg"]).astype(np.int64)
    except Exception as error:  # whatever a broken pickle raises
        raise PartDistillError(f"{path} holds no labels ({error}): download it again from {DOWNLOAD}") from error
