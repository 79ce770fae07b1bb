# SPDX-License-Identifier: Apache-2.0
"""Whatever a parser raises ends in a sentence with the file's name; JSON that nobody can mean is refused."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io import parsing
from partdistill_ros.io.parsing import check_regular, parse_json, read_json


@pytest.mark.parametrize(("raised", "words"), [
    (zlib.error("invalid block type"), "a.x cannot be read: it is not a whole .x file .invalid block type.; check the"),
    (RuntimeError("it is\nencrypted"), r"not a whole .x file \(it is encrypted\)"),
    (AssertionError(), r"not a whole .x file \(AssertionError\)"),
    (OSError("truncated file"), r"not a whole .x file \(truncated file\)"),
    (PermissionError(13, "Permission denied"), "cannot open a.x: Permission denied; check the path and its rights"),
    (MemoryError(), "a.x does not fit into memory; split it"),
    (RecursionError("maximum recursion depth"), "a.x cannot be read: it is nested too deeply"),
    (ValueError("x" * 10_000), r"x{200}\); check the file or export it again$"),
])  # fmt: skip
def test_what_a_parser_raises_becomes_a_sentence(raised: Exception, words: str) -> None:
    with pytest.raises(PartDistillError, match=words), parsing.parsing("a.x", ".x file"):
        raise raised


def test_a_sentence_of_ours_and_an_interruption_pass_through() -> None:
    with pytest.raises(PartDistillError, match="^mine$"), parsing.parsing("a.x"):
        raise PartDistillError("mine")
    with pytest.raises(KeyboardInterrupt), parsing.parsing("a.x"):
        raise KeyboardInterrupt


def test_a_remedy_of_the_reader_s_own() -> None:
    with pytest.raises(PartDistillError, match="No such file or directory; make it anew$"):
        read_json(Path("/nowhere/a.json"), "make it anew")
    with pytest.raises(PartDistillError, match="; make it anew$"):
        parse_json("a.json", b"{", "make it anew")


@pytest.mark.parametrize(("content", "words"), [
    (b"{", "a.json cannot be read: it is not a whole JSON text"),
    (b"[" * 100_000, "nested too deeply"),
    (b'{"a":' * 100_000, "nested too deeply"),
    (b"[1e999]", "1e999 is no number that can be used"),
    (b"[NaN]", "NaN is no number"),
    (b"[-Infinity]", "-Infinity is no number"),
    (b"[" + b"7" * 400 + b"]", "has 400 digits"),
    (b"[" + b"7" * 5000 + b"]", "has 5000 digits"),
    (b'{"a": 1, "b": 2, "a": 3}', "'a' is there twice"),
    ('{"a": 1}'.encode("utf-16"), "not a whole JSON text"),
    (b'"\xff"', "not a whole JSON text"),
])  # fmt: skip
def test_json_that_nobody_can_mean(content: bytes, words: str) -> None:
    with pytest.raises(PartDistillError, match=words) as caught:
        parse_json("a.json", content)
    assert len(str(caught.value)) < 400


def test_a_sentence_stays_one_whatever_the_file_holds() -> None:
    assert len(str(parsing.malformed("a.x", "x" * 50_000))) < 500


def test_json_as_it_should_be() -> None:
    assert parse_json("a", b'\xef\xbb\xbf{"a": [1, 2.5, -1e3, true, null, "x"]}') == {
        "a": [1, 2.5, -1e3, True, None, "x"]
    }


def test_json_of_any_size_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[1, 2, 3, 4]")
    with pytest.raises(PartDistillError, match="more than 10 bytes"):
        read_json(tmp_path / "a.json", max_bytes=10)


def test_numbers_that_are_none_where_they_are_allowed() -> None:
    assert str(parse_json("a.json", "[NaN, 1e999]", allow_nan=True)) == "[nan, inf]"
    with pytest.raises(PartDistillError, match="has 400 digits"):
        parse_json("a.json", "7" * 400, allow_nan=True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes in folders")
def test_a_pipe_is_refused_before_it_blocks(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    for read in (check_regular, read_json):
        with pytest.raises(PartDistillError, match="a.json is a pipe or a device"):
            read(tmp_path / "a.json")
