# SPDX-License-Identifier: Apache-2.0
"""Options of a dataclass (see `partdistill_ros.options`) as parameters of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from rclpy.exceptions import ParameterException

from partdistill_ros.errors import PartDistillError
from partdistill_ros.options import KINDS, Option, options_of, updated

if TYPE_CHECKING:
    from rcl_interfaces.msg import ParameterDescriptor
    from rclpy.node import Node

Parameters = TypeVar("Parameters")


def declare(node: Node, defaults: Parameters) -> Parameters:
    """Declares every parameter on the node and returns those in force (launch file, YAML, command line).

    Raises PartDistillError for a value of the wrong type or outside its range.
    """
    for described in options_of(defaults):
        try:
            if not node.has_parameter(described.name):
                node.declare_parameter(described.name, described.default, _descriptor(described))
        except ParameterException as error:
            constraint = described.constraint() or f"a {KINDS[type(described.default)]}"
            raise PartDistillError(f"parameter '{described.name}' must be {constraint}: {error}") from error
    return read(node, defaults)


def read(node: Node, defaults: Parameters) -> Parameters:
    """The values of declared parameters, as a dataclass like `defaults`."""
    names = [described.name for described in options_of(defaults)]
    values = {name: node.get_parameter(name).value for name in names}
    return updated(defaults, values)


def _descriptor(described: Option) -> ParameterDescriptor:
    from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

    descriptor = ParameterDescriptor(
        description=described.description, additional_constraints=described.constraint(), read_only=described.read_only
    )
    low, high = described.minimum, described.maximum
    if low is not None and high is not None:
        if isinstance(described.default, int):
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
        else:
            descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
    return descriptor
