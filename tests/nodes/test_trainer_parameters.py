# SPDX-License-Identifier: Apache-2.0
"""The parameter file that ships says what the node does."""

from __future__ import annotations

import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.nodes.trainer_parameters import YAML_HEADING, TrainerParameters
from partdistill_ros.options import documented_yaml, updated


def test_the_shipped_file_is_the_defaults(repository) -> None:
    expected = "# SPDX-License-Identifier: Apache-2.0\n" + documented_yaml(TrainerParameters(), YAML_HEADING)
    assert (repository / "config" / "distill.yaml").read_text() == expected


@pytest.mark.parametrize("name, value", [("niceness", 20), ("threads", -1), ("device", "tpu"), ("learn_timeout", 0.0)])
def test_what_is_out_of_range_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(PartDistillError, match=f"'{name}'"):
        updated(TrainerParameters(), {name: value})
