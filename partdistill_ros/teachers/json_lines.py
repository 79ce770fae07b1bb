# SPDX-License-Identifier: Apache-2.0
"""On which line of a JSON text each entry of a list stands, so that a mistake in it can be told."""

from __future__ import annotations

import json
import re

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[\s,:]*")


def entry_lines(text: str, field: str) -> list[int]:
    """Line numbers (from 1) of the entries of the list that is `text` itself, or its `field`.

    text: valid JSON. Empty where there is no such list.
    """
    at = _skip(text, 0)
    if text[at] == "[":
        return _lines(text, _starts(text, at))
    if text[at] != "{":
        return []
    at = _skip(text, at + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if name == field and text[at] == "[":
            return _lines(text, _starts(text, at))
        at = _skip(text, _DECODER.raw_decode(text, at)[1])
    return []


def _starts(text: str, at: int) -> list[int]:
    """Where the entries of the list at `at` start."""
    starts = []
    at = _skip(text, at + 1)
    while text[at] != "]":
        starts.append(at)
        at = _skip(text, _DECODER.raw_decode(text, at)[1])
    return starts


def _lines(text: str, starts: list[int]) -> list[int]:
    lines, line, before = [], 1, 0
    for start in starts:
        line += text.count("\n", before, start)
        before = start
        lines.append(line)
    return lines


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return at if match is None else match.end()
