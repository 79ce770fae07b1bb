# SPDX-License-Identifier: Apache-2.0
"""Options of a dataclass (see `partdistill_ros.options`) as parameters of a node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_parameters

from partdistill_ros.errors import PartDistillError, describe, printable
from partdistill_ros.options import KINDS, Option, options_of, updated

Parameters = TypeVar("Parameters")


def declare(node: Node, defaults: Parameters) -> Parameters:
    """Declares every parameter on the node and returns the values given (launch file, YAML, command line); warns of
    those that it does not have, which ROS would pass over in silence.

    Raises PartDistillError for a value of the wrong type or outside its range.
    """
    for described in options_of(defaults):
        try:
            if not node.has_parameter(described.name):
                node.declare_parameter(described.name, described.default, _descriptor(described))
        except ParameterException as error:
            constraint = described.constraint() or f"a {KINDS[type(described.default)]}"
            raise PartDistillError(f"parameter '{described.name}' must be {constraint}: {error}") from error
    for name in getattr(node, "_parameter_overrides", ()):
        if not node.has_parameter(name) and not name.startswith("qos_overrides."):
            node.get_logger().warning(printable(f"there is no parameter '{name}': what was given for it is ignored"))
    return read(node, defaults)


def read(node: Node, defaults: Parameters) -> Parameters:
    """The values of declared parameters, as a dataclass like `defaults`."""
    names = [described.name for described in options_of(defaults)]
    values = {name: node.get_parameter(name).value for name in names}
    return updated(defaults, values)


def on_change(node: Node, take: Callable[[Mapping[str, object]], None]) -> None:
    """Has `take` called with the values, by name, that somebody sets together; what it raises refuses them all."""

    def change(parameters: Sequence[Parameter[Any]]) -> SetParametersResult:
        try:
            take({one.name: one.value for one in parameters if one.name != "use_sim_time"})
        except Exception as error:
            return SetParametersResult(successful=False, reason=describe(error))
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(change)


def serve_changes(node: Node, apply: Callable[[list[Parameter[Any]]], Awaitable[SetParametersResult]]) -> None:
    """Has the node's services that set parameters await `apply`, instead of holding up the executor meanwhile."""
    group = MutuallyExclusiveCallbackGroup()

    async def one_by_one(request: Any, response: Any) -> Any:
        for message in request.parameters:
            response.results.append(await apply([Parameter.from_parameter_msg(message)]))
        return response

    async def together(request: Any, response: Any) -> Any:
        response.result = await apply([Parameter.from_parameter_msg(message) for message in request.parameters])
        return response

    for kind, name, callback in (
        (SetParameters, "set_parameters", one_by_one),
        (SetParametersAtomically, "set_parameters_atomically", together),
    ):
        for service in [one for one in node.services if one.srv_name.split("/")[-1] == name]:
            node.destroy_service(service)
        node.create_service(kind, f"~/{name}", callback, qos_profile=qos_profile_parameters, callback_group=group)


def _descriptor(described: Option) -> ParameterDescriptor:
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
