# SPDX-License-Identifier: Apache-2.0
"""Poses between frames from tf2, which is asked for only where two frames differ."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import Header

from partdistill_ros.errors import PartDistillError

WAIT_SECONDS = 0.1
"""How long a cloud waits for the transform of its time, which is often published a little later."""


class Transforms:
    """Listens to tf from the first question on; `node` is spun elsewhere, or the answers stay out."""

    def __init__(self, node: Any) -> None:
        self._node = node
        self._buffer: Any = None
        self._listener: Any = None

    def pose(self, frame: str, header: Header, parameter: str) -> NDArray[np.float64] | None:
        """`[4, 4]` from the frame of a cloud with this header to `frame` at the cloud's time; None where they are
        the same or `frame` is empty.

        parameter: what names the frame, for messages to the user.
        Raises PartDistillError where tf2 is missing or does not know the way.
        """
        if not frame or frame == header.frame_id:
            return None
        if self._buffer is None:
            self._listen(frame, header.frame_id, parameter)
        from rclpy.duration import Duration
        from rclpy.time import Time

        try:
            found = self._buffer.lookup_transform(
                frame, header.frame_id, Time.from_msg(header.stamp), timeout=Duration(seconds=WAIT_SECONDS)
            )
        except Exception as error:  # tf2's exceptions share no base class that every distribution has
            raise PartDistillError(
                f"no transform from the cloud's frame '{header.frame_id}' to '{frame}' ({parameter}): {error}; "
                "publish it on /tf, or leave the parameter empty where the camera stands still"
            ) from None
        return _matrix(found.transform)

    def _listen(self, frame: str, own: str, parameter: str) -> None:
        try:
            from tf2_ros import Buffer, TransformListener
        except ImportError:
            raise PartDistillError(
                f"{parameter} is '{frame}', the clouds are in '{own}': between frames tf2_ros is needed, which is not "
                f"installed here; install your distribution's tf2-ros-py, or set {parameter} to '{own}' or ''"
            ) from None
        self._buffer = Buffer()
        self._listener = TransformListener(self._buffer, self._node)


def _matrix(transform: Any) -> NDArray[np.float64]:
    """A geometry_msgs/Transform as `[4, 4]`."""
    from scipy.spatial.transform import Rotation

    turn, shift = transform.rotation, transform.translation
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat([turn.x, turn.y, turn.z, turn.w]).as_matrix()
    matrix[:3, 3] = shift.x, shift.y, shift.z
    return matrix
