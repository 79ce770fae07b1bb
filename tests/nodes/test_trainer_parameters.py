# SPDX-License-Identifier: Apache-2.0
"""What the trainer is told, and what is refused."""

from __future__ import annotations

import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.nodes.trainer_parameters import TrainerParameters
from partdistill_ros.options import updated


@pytest.mark.parametrize("name, value", [("niceness", 20), ("threads", -1), ("device", "tpu"), ("learn_timeout", 0.0)])
def test_what_is_out_of_range_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(PartDistillError, match=f"'{name}'"):
        updated(TrainerParameters(), {name: value})
