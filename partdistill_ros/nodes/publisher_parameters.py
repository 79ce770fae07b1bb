# SPDX-License-Identifier: Apache-2.0
"""Every parameter of the `scan_publisher` node, with its meaning, default and valid values."""

from __future__ import annotations

from dataclasses import dataclass, field

from partdistill_ros.nodes.qos import OutputQos
from partdistill_ros.options import option


@dataclass(frozen=True)
class PublisherQos:
    """Transport of the clouds."""

    points: OutputQos = field(default=OutputQos())


@dataclass(frozen=True)
class PublisherParameters:
    """The parameters of `scan_publisher`."""

    source: str = option("", "What to play: a scan file, a folder of scans, or a recording.", read_only=True)
    topic: str = option("", "Topic of the recording, of clouds or depth images; empty: its only one.", read_only=True)
    rate: float = option(2.0, "Clouds a second.", minimum=0.01, maximum=100.0)
    loop: bool = option(True, "Begin again at the end; false: end the node after the last cloud.", read_only=True)
    frame_id: str = option("camera", "Frame the clouds are said to be in.")
    samples: int = option(
        20_000,
        "Points drawn on the surface of a mesh; clouds are played as they are.",
        minimum=100,
        maximum=1_000_000,
        read_only=True,
    )
    wait_for_subscribers: int = option(
        0, "Publish nothing before so many subscribers are there.", minimum=0, maximum=100, read_only=True
    )
    qos: PublisherQos = field(default=PublisherQos())
