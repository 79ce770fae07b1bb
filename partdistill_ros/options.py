# SPDX-License-Identifier: Apache-2.0
"""An option is a field of a frozen dataclass: default, help and limits are declared there and nowhere else.

    @dataclass(frozen=True)
    class Options:
        rate: float = option(10.0, "Clouds a second.", minimum=0.1, maximum=100.0)

ROS parameters, command line arguments, parameter files and tables of the docs are made from it. A field that is itself
such a dataclass becomes a group: its options are named `group.name`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, TypeVar, cast

from partdistill_ros.errors import PartDistillError

Parameters = TypeVar("Parameters")
Value = bool | int | float | str


@dataclass(frozen=True)
class Option:
    """One parameter: what it is called, means and may be."""

    name: str
    default: Value
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    read_only: bool = False

    def constraint(self) -> str:
        """The valid values in words, empty where any value of the type is."""
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
            raise PartDistillError(f"parameter '{self.name}' is {value!r}; it must be a {KINDS[kind]}")
        valid = value in self.choices if self.choices else self._within(value)
        if not valid:
            raise PartDistillError(f"parameter '{self.name}' is {value!r}; it must be {self.constraint()}")
        return value

    def _within(self, value: object) -> bool:
        if self.minimum is None or self.maximum is None:
            return True
        return self.minimum <= cast(float, value) <= self.maximum


KINDS = {bool: "bool (true or false)", int: "whole number", float: "number", str: "text"}


def option(
    default: Value,
    description: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    read_only: bool = False,
) -> Any:
    """A dataclass field that is a parameter; numbers are bounded by both `minimum` and `maximum`."""
    described = Option("", default, description, minimum, maximum, choices, read_only)
    return field(default=default, metadata={"option": described})


def options_of(parameters: object) -> tuple[Option, ...]:
    """All parameters of a dataclass instance, groups flattened, with the instance's values as defaults."""
    return tuple(_walk(parameters, ""))


def _walk(parameters: object, prefix: str) -> Iterator[Option]:
    for member in fields(cast(Any, parameters)):
        value = getattr(parameters, member.name)
        if is_dataclass(value):
            yield from _walk(value, f"{prefix}{member.name}.")
        else:
            yield replace(member.metadata["option"], name=prefix + member.name, default=value)


def updated(parameters: Parameters, changes: Mapping[str, object]) -> Parameters:
    """The parameters with `changes` by (dotted) name, all checked.

    Raises PartDistillError for a name that does not exist or a value that is not valid.
    """
    known = {known.name: known for known in options_of(parameters)}
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


def from_text(parameters: object, texts: Mapping[str, str]) -> dict[str, Value]:
    """Values by name from launch arguments; empty texts are left out.

    Raises PartDistillError for a text that is no valid value.
    """
    known = {known.name: known for known in options_of(parameters)}
    return {name: known[name].checked(_parse(known[name], text)) for name, text in texts.items() if text}


def _parse(described: Option, text: str) -> object:
    kind = type(described.default)
    try:
        return {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        raise PartDistillError(f"'{described.name}' is '{text}'; it must be a {KINDS[kind]}") from None


def documented_yaml(parameters: object, heading: str) -> str:
    """A parameter file with every parameter, its default, meaning and valid values."""
    lines = [f"# {line}" for line in heading.splitlines()] + ["/**:", "  ros__parameters:"]
    groups: list[str] = []
    for described in options_of(parameters):
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
            described.constraint() or KINDS[type(described.default)],
            described.description + (" *Read at the start only.*" if described.read_only else ""),
        )
        for described in options_of(parameters)
    ]
    head = [("parameter", "default", "valid", "meaning"), ("---",) * 4]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in head + rows) + "\n"


def _indent(depth: int) -> str:
    return "  " * (depth + 2)


def _meaning(described: Option) -> str:
    constraint = f" Valid: {described.constraint()}." if described.constraint() else ""
    return described.description + constraint + (" Read at the start only." if described.read_only else "")


def _yaml(value: Value) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
