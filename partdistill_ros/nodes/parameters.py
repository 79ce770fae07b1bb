# SPDX-License-Identifier: Apache-2.0
"""Node parameters held in one frozen dataclass that declares, reads and validates itself.

    @dataclass(frozen=True)
    class Parameters:
        rate: float = setting(10.0, "Clouds a second.", minimum=0.1, maximum=100.0)

A field that is itself such a dataclass becomes a group: its parameters are named `group.name`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from partdistill_ros.errors import PartDistillError

if TYPE_CHECKING:
    from rcl_interfaces.msg import ParameterDescriptor
    from rclpy.node import Node

Parameters = TypeVar("Parameters")
Value = bool | int | float | str


@dataclass(frozen=True)
class Setting:
    """One parameter: what it is called, means and may be."""

    name: str
    default: Value
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    read_only: bool = False

    def constraint(self) -> str:
        """The lawful values in words, empty where any value of the type is."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.minimum is None:
            return ""
        return f"{self.minimum} to {self.maximum}"

    def checked(self, value: object) -> Value:
        """`value`, or PartDistillError that names the parameter and what it may be."""
        kind = type(self.default)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise PartDistillError(f"parameter '{self.name}' is {value!r}; it must be a {_KINDS[kind]}")
        lawful = value in self.choices if self.choices else self._within(value)
        if not lawful:
            raise PartDistillError(f"parameter '{self.name}' is {value!r}; it must be {self.constraint()}")
        return value

    def _within(self, value: object) -> bool:
        if self.minimum is None or self.maximum is None:
            return True
        return self.minimum <= cast(float, value) <= self.maximum


_KINDS = {bool: "bool (true or false)", int: "whole number", float: "number", str: "text"}


def setting(
    default: Value,
    description: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    read_only: bool = False,
) -> Any:
    """A dataclass field that is a parameter; numbers are bounded by both `minimum` and `maximum`."""
    described = Setting("", default, description, minimum, maximum, choices, read_only)
    return field(default=default, metadata={"setting": described})


def settings(parameters: object) -> tuple[Setting, ...]:
    """All parameters of a dataclass instance, groups flattened, with the instance's values as defaults."""
    return tuple(_walk(parameters, ""))


def _walk(parameters: object, prefix: str) -> Iterator[Setting]:
    for member in fields(cast(Any, parameters)):
        value = getattr(parameters, member.name)
        if is_dataclass(value):
            yield from _walk(value, f"{prefix}{member.name}.")
        else:
            yield replace(member.metadata["setting"], name=prefix + member.name, default=value)


def updated(parameters: Parameters, changes: Mapping[str, object]) -> Parameters:
    """The parameters with `changes` by (dotted) name, all checked.

    Raises PartDistillError for a name that does not exist or a value that is not lawful.
    """
    known = {known.name: known for known in settings(parameters)}
    for name in changes:
        if name not in known:
            raise PartDistillError(f"there is no parameter '{name}'; the parameters are: {', '.join(known)}")
    return _rebuild(parameters, {name: known[name].checked(value) for name, value in changes.items()})


def _rebuild(parameters: Parameters, changes: Mapping[str, Value]) -> Parameters:
    own: dict[str, Any] = {}
    for member in fields(cast(Any, parameters)):
        value = getattr(parameters, member.name)
        if is_dataclass(value):
            inner = {name.split(".", 1)[1]: v for name, v in changes.items() if name.startswith(member.name + ".")}
            own[member.name] = _rebuild(value, inner) if inner else value
        elif member.name in changes:
            own[member.name] = changes[member.name]
    return cast(Parameters, replace(cast(Any, parameters), **own))


def declare(node: Node, defaults: Parameters) -> Parameters:
    """Declares every parameter on the node and returns those in force (launch file, YAML, command line).

    Raises PartDistillError for a value of the wrong type or outside its range.
    """
    from rclpy.exceptions import ParameterException

    for described in settings(defaults):
        try:
            if not node.has_parameter(described.name):
                node.declare_parameter(described.name, described.default, _descriptor(described))
        except ParameterException as error:
            constraint = described.constraint() or f"a {_KINDS[type(described.default)]}"
            raise PartDistillError(f"parameter '{described.name}' must be {constraint}: {error}") from error
    return read(node, defaults)


def read(node: Node, defaults: Parameters) -> Parameters:
    """The values of declared parameters, as a dataclass like `defaults`."""
    names = [described.name for described in settings(defaults)]
    values = {name: node.get_parameter(name).value for name in names}
    return updated(defaults, values)


def _descriptor(described: Setting) -> ParameterDescriptor:
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


def from_text(parameters: object, texts: Mapping[str, str]) -> dict[str, Value]:
    """Values by name from launch arguments; empty texts are left out.

    Raises PartDistillError for a text that is no lawful value.
    """
    known = {known.name: known for known in settings(parameters)}
    return {name: known[name].checked(_parse(known[name], text)) for name, text in texts.items() if text}


def _parse(described: Setting, text: str) -> object:
    kind = type(described.default)
    try:
        return {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        raise PartDistillError(f"'{described.name}' is '{text}'; it must be a {_KINDS[kind]}") from None


def documented_yaml(parameters: object, heading: str) -> str:
    """A parameter file with every parameter, its default, meaning and lawful values."""
    lines = [f"# {line}" for line in heading.splitlines()] + ["/**:", "  ros__parameters:"]
    groups: list[str] = []
    for described in settings(parameters):
        *path, name = described.name.split(".")
        shared = sum(1 for here, there in zip(path, groups, strict=False) if here == there)
        lines += [f"{_indent(depth)}{path[depth]}:" for depth in range(shared, len(path))]
        groups = path
        indent = _indent(len(path))
        lines += [f"{indent}# {line}" for line in textwrap.wrap(_meaning(described), 110 - len(indent))]
        lines.append(f"{indent}{name}: {_yaml(described.default)}")
    return "\n".join(lines) + "\n"


def documented_table(parameters: object) -> str:
    """The same for people: a Markdown table of every parameter."""
    rows = [
        (
            f"`{described.name}`",
            f"`{_yaml(described.default)}`",
            described.constraint() or _KINDS[type(described.default)],
            described.description + (" *Read at the start only.*" if described.read_only else ""),
        )
        for described in settings(parameters)
    ]
    head = [("parameter", "default", "lawful", "meaning"), ("---",) * 4]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in head + rows) + "\n"


def _indent(depth: int) -> str:
    return "  " * (depth + 2)


def _meaning(described: Setting) -> str:
    constraint = f" Lawful: {described.constraint()}." if described.constraint() else ""
    return described.description + constraint + (" Read at the start only." if described.read_only else "")


def _yaml(value: Value) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
