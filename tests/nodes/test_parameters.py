# SPDX-License-Identifier: Apache-2.0
"""What holds for the parameters of every node."""

from __future__ import annotations

import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.nodes.publisher_parameters import PublisherParameters
from partdistill_ros.nodes.recorder_parameters import RecorderParameters
from partdistill_ros.nodes.segmenter_parameters import SegmenterParameters
from partdistill_ros.nodes.trainer_parameters import TrainerParameters
from partdistill_ros.options import options_of, updated


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    "parameters", [SegmenterParameters(), PublisherParameters(), RecorderParameters(), TrainerParameters()]
)
def test_no_number_is_nan_or_infinite(parameters, value):
    numbers = [one.name for one in options_of(parameters) if one.kind in (int, float)]
    assert numbers
    for name in numbers:
        with pytest.raises(PartDistillError, match=f"'{name}' is -?(nan|inf); it must be a"):
            updated(parameters, {name: value})


@pytest.mark.ros
def test_no_node_starts_on_nan(run_node):
    parameters = {
        "part_segmenter": "memory.smoothing",
        "scan_publisher": "rate",
        "scan_recorder": "crop.max_x",
        "distill_trainer": "learn_timeout",
    }
    nodes = {name: run_node(name, **{parameter: float("nan")}) for name, parameter in parameters.items()}
    for name, node in nodes.items():
        assert node.process.wait(90) == 1
        assert f"error: parameter '{parameters[name]}' must be " in node.output() and "nan" in node.output()
        assert "Traceback" not in node.output()


@pytest.mark.ros
def test_a_parameter_that_there_is_not_is_told_at_the_start(run_node, tmp_path):
    node = run_node("scan_recorder", collection=str(tmp_path / "scans"), colection="typed too fast")
    node.wait_for("ready")
    assert node.end() == 0
    assert "there is no parameter 'colection': what was given for it is ignored" in node.output()
    assert node.output().count("there is no parameter") == 1
