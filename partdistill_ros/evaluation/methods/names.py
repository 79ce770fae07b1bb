# SPDX-License-Identifier: Apache-2.0
"""What is known of the methods without loading torch: their names and what each can be told."""

from __future__ import annotations

from partdistill_ros.errors import PartDistillError

METHODS = {
    "constant": "the category's most frequent part everywhere: the answer to beat",
    "vote": "the teacher alone, its answers about ten views voted onto the points (PointCLIP V2)",
    "mesh-scores": "the same answers gathered face by face over the mesh (SATR)",
    "features": "a student of the teacher's dense features, classified by text (OpenScene)",
    "forward": "a student of the teacher's units, forward distillation alone",
    "backward": "forward, then backward distillation (PartDistill)",
    "supervised": "the same student trained on true labels: the ceiling",
}
PROCEDURAL = "procedural"  # `procedural:N` in the place of a path: N shapes of each category's family
TRAINED = ("features", "forward", "backward", "supervised")


def parse_methods(text: str) -> tuple[str, ...]:
    """Method names separated by commas. Raises PartDistillError for one that is unknown or comes twice."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in METHODS]
    if unknown or not names:
        raise PartDistillError(f"--method {text}: choose among {', '.join(METHODS)}, several separated by commas")
    if len(set(names)) < len(names):
        raise PartDistillError(f"--method {text}: a method is named twice")
    return names
