# SPDX-License-Identifier: Apache-2.0
"""Objects of an organized cloud, touching ones too: patches of the surface, joined where they meet convexly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.objects.affinity import NETWORK_WEIGHT, learned_scores
from partdistill_ros.objects.contacts import Contacts, PatchShapes, contacts_of
from partdistill_ros.objects.merging import join, join_thin
from partdistill_ros.objects.patches import Patches, patches_of, picture_border, picture_shapes
from partdistill_ros.objects.surface import Mask, Surface, spread_to_cloud, surface_of
from partdistill_ros.pointcloud.scan import Scan


@dataclass(frozen=True)
class MeasuredPatches:
    """The patches of a cloud, and what is measured of each and of each pair that may be one object."""

    surface: Surface
    patches: Patches
    shapes: PatchShapes
    contacts: Contacts


def measure_patches(scan: Scan, usable: Mask, plane: NDArray[np.float64]) -> MeasuredPatches | None:
    """The patches of an organized cloud, None where there is none; arguments and errors as `convex_objects`."""
    assert scan.grid is not None and scan.viewpoint is not None
    if not usable.any():
        return None
    surface = surface_of(scan, usable.reshape(scan.grid))
    if not surface.raw.any():  # only pixels of the last rows or columns, which make no whole block, are usable
        return None
    patches = patches_of(surface)
    if not patches.count:
        return None
    up, offset = (surface.rotation @ plane[:3]).astype(np.float32), float(plane[:3] @ scan.viewpoint + plane[3])
    shapes = picture_shapes(surface, patches, up, offset)
    contacts = contacts_of(picture_border(surface, patches), shapes, up, offset)
    return MeasuredPatches(surface, patches, shapes, contacts)


def convex_objects(scan: Scan, usable: Mask, plane: NDArray[np.float64], method: str = "learned") -> NDArray[np.int32]:
    """Object `[N]` of each point of an organized cloud, from 1; 0 for none.

    usable: `[N]`, what may belong to objects.  plane: `[4]` that they stand on.
    method: `convex` scores pairs of patches by the shape of their edge; others by that and a small network.
    Raises NotAPicture for clouds that are not a pinhole camera's picture.
    """
    measured = measure_patches(scan, usable, plane)
    if measured is None:
        return np.zeros(len(usable), np.int32)
    patches, shapes, contacts = measured.patches, measured.shapes, measured.contacts
    scores = learned_scores(contacts, 0.0 if method == "convex" else NETWORK_WEIGHT)
    objects = join_thin(join(patches.count, contacts, scores), contacts, shapes)
    label = np.append(0, objects + 1).astype(np.int32)[patches.label]
    assert scan.grid is not None
    return spread_to_cloud(measured.surface, label, scan.grid).ravel()
