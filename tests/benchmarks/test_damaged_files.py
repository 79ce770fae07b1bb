# SPDX-License-Identifier: Apache-2.0
"""A slice of the damaged files: every format, each read or refused in a sentence; and the benchmark sees faults."""

from __future__ import annotations

import os
import time

import pytest


@pytest.fixture
def damaged_files(load_benchmark):
    return load_benchmark("damaged_files")


def test_each_damaged_file_is_read_or_refused_in_a_sentence(damaged_files, monkeypatch) -> None:
    pytest.importorskip("torch", reason="boxes and units need torch: the extra 'train'")
    monkeypatch.setattr(damaged_files, "SECONDS", 60.0)  # on a busy machine reading takes longer
    found = damaged_files.run(files=110, bags=15, seed=1)
    assert sum(counts.files for counts in found.values()) == 125
    assert [failure for counts in found.values() for failure in counts.failures] == []
    assert all(set(counts.outcomes) <= {"read", "sentence"} for counts in found.values())
    assert sum(counts.outcomes["read"] for counts in found.values()) > 5, "damage that nobody minds is there too"


def test_a_file_is_the_same_for_the_same_seed(damaged_files, tmp_path) -> None:
    (tmp_path / "seeds").mkdir()
    seeds = damaged_files.write_seeds(tmp_path / "seeds")
    contents = []
    for place, seed in enumerate((3, 3, 4)):
        room = tmp_path / str(place)
        room.mkdir()
        contents.append(damaged_files.make("ply", 5, seed, seeds, room).read_bytes())
    assert contents[0] == contents[1] != contents[2]


def raises(path) -> None:
    raise KeyError("x")


def dies(path) -> None:
    os._exit(3)


def hangs(path) -> None:
    time.sleep(60)


def grows(path) -> None:
    assert len(b"x" * 700_000_000) > 0


@pytest.mark.parametrize(("reader", "outcome"), [
    (raises, "raw exception"), (dies, "crash"), (hangs, "too slow"), (grows, "too much memory"),
])  # fmt: skip
def test_faults_are_seen(damaged_files, reader, outcome, monkeypatch, tmp_path) -> None:
    """In a forked process, which keeps the reader in the place of the real one."""
    import multiprocessing

    (tmp_path / "a.ply").write_text("ply")
    context = multiprocessing.get_context("fork")
    monkeypatch.setattr(damaged_files.multiprocessing, "get_context", lambda _: context)
    monkeypatch.setattr(damaged_files, "SECONDS", 4.0)  # a busy machine takes its time to grow
    monkeypatch.setitem(
        damaged_files.READERS, "ply", lambda path: reader(path) if path.name.startswith("damaged") else None
    )
    found = damaged_files.examine([("ply", 0), ("ply", 1)], 0, {"ply": [tmp_path / "a.ply"]})
    assert found["ply"].outcomes == {outcome: 2} and len(found["ply"].failures) == 2
