# SPDX-License-Identifier: Apache-2.0
"""An option is a field of a frozen dataclass: default, help and limits are declared there and nowhere else.

    @dataclass(frozen=True)
    class Options:
        rate: float = option(10.0, "Clouds a second.", minimum=0.1, maximum=100.0)

ROS parameters, command line arguments, parameter files and tables of the docs are made from it. A field that is itself
such a dataclass becomes a group: its options are named `group.name`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from partdistill_ros.errors import PartDistillError

Parameters = TypeVar("Parameters")
Value = bool | int | float | str


@dataclass(frozen=True)
class Option:
    """One option: what it is called, means and may be.

    default: MISSING where a value must be given.  metavar: stands for the value in `--help`.  positional: an argument
    without a name.  parse: makes the value, or all values of a tuple, of the one text of a command line.
    kind, optional, many: from the type of the field, `tuple[kind, ...]` being many and `kind | None` optional.
    """

    name: str
    default: Any
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    read_only: bool = False
    metavar: str | None = None
    positional: bool = False
    parse: Callable[[str], Any] | None = None
    kind: type = str
    optional: bool = False
    many: bool = False

    @property
    def flag(self) -> str:
        """Its name on a command line."""
        return "--" + self.name.replace("_", "-")

    def constraint(self) -> str:
        """The valid values in words, empty where any value of the type is."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.minimum is None:
            return ""
        return f"from {self.minimum}" if self.maximum is None else f"{self.minimum} to {self.maximum}"

    def checked(self, value: object) -> Any:
        """`value`, or PartDistillError that names the option and what it may be."""
        if self.many and isinstance(value, tuple):
            return tuple(self._checked_one(one) for one in value)
        return None if value is None and self.optional else self._checked_one(value)

    def _checked_one(self, value: object) -> Any:
        if self.kind is float and type(value) is int:
            value = _as_float(value)
        if not isinstance(value, self.kind) or (isinstance(value, bool) and self.kind is not bool):
            raise PartDistillError(f"parameter '{self.name}' is {value!r}; it must be a {KINDS[self.kind]}")
        if not self.is_valid(value):
            valid = "a finite number" if isinstance(value, float) and not math.isfinite(value) else self.constraint()
            raise PartDistillError(f"parameter '{self.name}' is {value!r}; it must be {valid}")
        return value

    def is_valid(self, value: Any) -> bool:
        """Whether a value of the right type is one of the choices, within the limits, and a finite number."""
        if self.choices:
            return value in self.choices
        if self.kind is float and not math.isfinite(value):
            return False
        return (self.minimum is None or value >= self.minimum) and (self.maximum is None or value <= self.maximum)

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        """The argument of a command line that sets this option."""
        names = [self.name] if self.positional else [self.flag]
        settings: dict[str, Any] = {"help": self.description}
        if self.positional:
            settings |= {"nargs": "*"} if self.many else {}
        else:
            settings |= {"required": True} if self.default is MISSING else {"default": self.default}
        if self.kind is bool:
            settings["action"] = "store_true"
        else:
            settings |= {"type": self._argument_type(), "metavar": self.metavar}
            settings |= {"choices": self.choices} if self.choices else {}
        if self.many and not self.positional and self.parse is None:
            settings |= {"action": "append", "default": list(self.default)}
        parser.add_argument(*names, **settings)

    def _argument_type(self) -> Callable[[str], Any]:
        if self.minimum is None and self.kind is not float:
            return self.kind

        def number(text: str) -> Any:
            value = self.kind(text)
            if not self.is_valid(value):
                raise ValueError
            return value

        # argparse says "invalid whole number from 1 value: '0'".
        number.__name__ = f"{KINDS[self.kind]} {self.constraint()}".rstrip()
        return number

    def words(self, value: Any) -> list[str]:
        """`value` on a command line. A value is one word with its flag, and a path begins with no dash, so that
        neither can be taken for another option."""
        if self.positional:
            return [f"./{one}" if str(one).startswith("-") else str(one) for one in (value if self.many else [value])]
        if self.kind is bool:
            return [self.flag] if value else []
        if self.many and self.parse is not None:
            return [f"{self.flag}={', '.join(value)}"]
        return [f"{self.flag}={one}" for one in (value if self.many else [value])]


KINDS = {
    bool: "bool (true or false)",
    int: "whole number",
    float: "number",
    str: "text",
    Path: "path",
}


def option(
    default: Any,
    description: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    read_only: bool = False,
    metavar: str | None = None,
    positional: bool = False,
    parse: Callable[[str], Any] | None = None,
) -> Any:
    """A dataclass field that is an option, see `Option`; `default` MISSING: a value must be given."""
    described = Option("", default, description, minimum, maximum, choices, read_only, metavar, positional, parse)
    metadata = {"option": described}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


def declared(config: type) -> tuple[Option, ...]:
    """The options of a dataclass, as they are declared; groups and fields that are no options are left out."""
    hints = get_type_hints(config)
    return tuple(
        _typed(replace(one.metadata["option"], name=one.name), hints[one.name])
        for one in fields(config)
        if "option" in one.metadata
    )


def _typed(described: Option, hint: Any) -> Option:
    alternatives = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    (kind,) = [one for one in alternatives if one is not NoneType]
    many = get_origin(kind) is tuple
    return replace(described, kind=get_args(kind)[0] if many else kind, many=many, optional=NoneType in alternatives)


def _as_float(value: int) -> float:
    """Infinite where it is too large, and refused as that."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def options_of(parameters: object) -> tuple[Option, ...]:
    """All options of a dataclass instance, groups flattened, with the instance's values as defaults."""
    return tuple(_walk(parameters, ""))


def _walk(parameters: object, prefix: str) -> Iterator[Option]:
    own = {one.name: one for one in declared(type(parameters))}
    for member in fields(cast(Any, parameters)):
        value = getattr(parameters, member.name)
        if member.name in own:
            yield replace(own[member.name], name=prefix + member.name, default=value)
        elif is_dataclass(value):
            yield from _walk(value, f"{prefix}{member.name}.")


def check(parameters: object) -> None:
    """Raises PartDistillError for the first option whose value is not valid."""
    for described in options_of(parameters):
        described.checked(described.default)


def add_arguments(
    parser: argparse.ArgumentParser, config: type, names: Iterable[str] = (), **changes: Mapping[str, Any]
) -> None:
    """Arguments of a command line for the options of a dataclass.

    names: only these, in this order.  changes: fields of `Option` by name that are other ones here.
    """
    known = {one.name: one for one in declared(config)}
    for name in names or known:
        replace(known[name], **changes.get(name, {})).add_to(parser)


def from_namespace(config: type[Parameters], parsed: argparse.Namespace, **values: Any) -> Parameters:
    """The dataclass of what a parser of `add_arguments` has read; `values` come before what was parsed.

    Raises PartDistillError for a value that cannot be used.
    """
    for described in declared(config):
        if described.name in values or not hasattr(parsed, described.name):
            continue
        value = getattr(parsed, described.name)
        if described.parse is not None and value is not None:
            value = described.parse(value)
        values[described.name] = tuple(value) if described.many else value
    return config(**values)


def to_arguments(config: type, values: Mapping[str, Any]) -> list[str]:
    """The words of a command line that set options of a dataclass to `values`, as `add_arguments` reads them."""
    return [word for one in declared(config) if one.name in values for word in one.words(values[one.name])]


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
    kind = described.kind
    try:
        return {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        raise PartDistillError(f"'{described.name}' is '{text}'; it must be a {KINDS[kind]}") from None
