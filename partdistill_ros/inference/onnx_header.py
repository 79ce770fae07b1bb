# SPDX-License-Identifier: Apache-2.0
"""Reads the inputs, outputs and opset of an ONNX file without loading its network.

The live path has onnxruntime but not the `onnx` package, and a bundle must be refused before a
runtime touches its model. ONNX is a protobuf message; the few fields needed here are walked on
the wire format (https://protobuf.dev/programming-guides/encoding, field numbers of onnx.proto).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from partdistill_ros.errors import PartDistillError

FLOAT, INT64 = 1, 7  # onnx.TensorProto.DataType


@dataclass(frozen=True)
class TensorSpec:
    """Element type (a TensorProto.DataType number) and sizes: None for a free axis, `dims` is None
    where the file does not state a shape."""

    dtype: int
    dims: tuple[int | None, ...] | None

    def __str__(self) -> str:
        kind = {FLOAT: "float32", INT64: "int64"}.get(self.dtype, f"type {self.dtype}")
        shape = "?" if self.dims is None else ", ".join("free" if size is None else str(size) for size in self.dims)
        return f"{kind} [{shape}]"


@dataclass(frozen=True)
class OnnxHeader:
    """Inputs (without initializers), outputs and the opset of the default domain (0 if not stated)."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    opset: int


def read_header(model: bytes, name: str = "student.onnx") -> OnnxHeader:
    """Parse the header of an ONNX model; `name` stands in errors. Raises PartDistillError where it is not one."""
    try:
        header = _read_model(memoryview(model))
    except (IndexError, TypeError, ValueError) as error:  # TypeError: a number where a message belongs
        raise PartDistillError(f"{name} is not an ONNX model ({error}): export it again") from None
    if not header.inputs or not header.outputs:
        raise PartDistillError(f"{name} is not an ONNX model with inputs and outputs: export it again")
    return header


def _read_model(model: memoryview) -> OnnxHeader:
    inputs: dict[str, TensorSpec] = {}
    outputs: dict[str, TensorSpec] = {}
    initializers: set[str] = set()
    opset = 0
    for number, value in _fields(model):
        if number == 8:
            domain, version = _first(value, 1, b""), _first(value, 2, 0)
            opset = version if bytes(domain) in (b"", b"ai.onnx") else opset
        elif number == 7:
            for graph_number, item in _fields(value):
                if graph_number == 5:
                    initializers.add(_text(_first(item, 8, b"")))
                elif graph_number in (11, 12):
                    (inputs if graph_number == 11 else outputs)[_text(_first(item, 1, b""))] = _tensor(item)
    return OnnxHeader({name: spec for name, spec in inputs.items() if name not in initializers}, outputs, opset)


def _tensor(value_info: memoryview) -> TensorSpec:
    tensor = _first(_first(value_info, 2, memoryview(b"")), 1, memoryview(b""))
    shape = _first(tensor, 2, None)
    dims = None
    if shape is not None:
        dims = tuple(_first(dim, 1, None) for number, dim in _fields(shape) if number == 1)
    return TensorSpec(_first(tensor, 1, 0), dims)


def _first(message: memoryview, number: int, default: Any) -> Any:
    return next((value for found, value in _fields(message) if found == number), default)


def _fields(message: memoryview) -> Iterator[tuple[int, Any]]:
    """Yield `(field number, int or memoryview)`; raises IndexError or ValueError on malformed bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        wire = key & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if wire == 2:
            size, at = _varint(message, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if at + size > len(message):
            raise ValueError("truncated")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("number too long")


def _text(value: memoryview | bytes) -> str:
    return bytes(value).decode()
