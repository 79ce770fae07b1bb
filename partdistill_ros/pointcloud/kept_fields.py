# SPDX-License-Identifier: Apache-2.0
"""The fields of a PointCloud2 that the labeled cloud has no place for, carried over as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.pointcloud.pointcloud2 import Buffer, CloudLayout, FieldTuple

SAME = ("x", "y", "z")
"""Written from the input anyway."""
OWN = ("rgb", "label", "confidence")
"""Written anew: the input's field of that name comes along as `input_<name>`."""


@dataclass(frozen=True)
class KeptFields:
    """fields: as they go out, packed, offsets from the first of them.  values: `[N]` structured
    view into the received buffer, one member a field, in its byte order."""

    fields: tuple[FieldTuple, ...]
    values: NDArray[np.void]

    @property
    def size(self) -> int:
        """Bytes a point."""
        return sum(kind.itemsize for kind in self._kinds())

    def write(self, points: NDArray[np.uint8], start: int) -> None:
        """Copies the values, little-endian, into `points [N, point_step]` from byte `start` on."""
        # Names by position: a driver may send two fields of one name, which a dtype may not have.
        names = [f"f{index}" for index in range(len(self.fields))]
        offsets = [start + offset for _, offset, _, _ in self.fields]
        structure = {"names": names, "formats": self._kinds(), "offsets": offsets, "itemsize": points.shape[1]}
        target = points.view(np.dtype(cast(Any, structure)))[:, 0]
        for name in names:
            target[name] = self.values[name]

    def _kinds(self) -> list[np.dtype[Any]]:
        return [self.values.dtype[index].newbyteorder("<") for index in range(len(self.fields))]


def kept_fields(layout: CloudLayout, data: Buffer) -> KeptFields | None:
    """Every field of the cloud but x, y and z; None where there is no other.

    Raises PartDistillError for a field of an unknown type, or one that reaches beyond the point.
    """
    taken = set(SAME + OWN)
    fields: list[FieldTuple] = []
    kinds, offsets, end = [], [], 0
    for name, offset, code, count in layout.fields:
        if name in SAME:
            continue
        kind = layout.dtype(name, offset, code, count)
        kinds.append(kind)
        offsets.append(offset)
        while name in taken:
            name = f"input_{name}"
        taken.add(name)
        fields.append((name, end, code, max(1, count)))
        end += kind.itemsize
    if not fields:
        return None
    names = [f"f{index}" for index in range(len(fields))]
    structure = {"names": names, "formats": kinds, "offsets": offsets, "itemsize": layout.point_step}
    return KeptFields(tuple(fields), layout.structured(data, np.dtype(cast(Any, structure))))
