# SPDX-License-Identifier: Apache-2.0
"""The soak's books catch what it is there to catch, and a short run of it holds."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

OLD, NEW = ("plain", "handle, cup"), ("plain", "cup, handle")
LABELS = {OLD: np.array([0, 1], np.int16), NEW: np.array([1, 0], np.int16)}


@pytest.fixture
def soak(live_benchmark):
    return live_benchmark("soak")


@pytest.mark.parametrize(("legend", "labels", "allowed", "wrong", "outdated"), [
    (OLD, OLD, {OLD}, 0, 0),
    (NEW, OLD, {OLD, NEW}, 1, 0),  # the new legend on labels of the old query
    (OLD, OLD, {NEW}, 0, 1),  # right in itself, but computed for what had been replaced
])  # fmt: skip
def test_the_books(soak, legend, labels, allowed, wrong, outdated):
    books = soak.Books(LABELS)
    books.send(7, allowed)
    assert books.unanswered() == 1
    books.cloud(7, LABELS[labels])
    assert books.answered == 0, "not before its legend has come"
    books.legend(7, legend)
    assert (books.answered, books.unanswered(), books.unknown) == (1, 0, 0)
    assert (books.wrong_labels, books.outdated) == (wrong, outdated)


def test_clouds_under_way_may_be_answered_by_what_was_just_asked_for(soak):
    books = soak.Books(LABELS)
    books.send(7, {OLD})
    books.allow({OLD, NEW})
    books.legend(7, NEW)
    books.cloud(7, LABELS[NEW])
    assert (books.outdated, books.wrong_labels) == (0, 0)


def test_a_change_holds_once_it_was_accepted(soak):
    answers = []

    def call(_):
        answers.append(SimpleNamespace(done=lambda: False, result=lambda: SimpleNamespace(success=True)))
        return answers[-1]

    peer = SimpleNamespace(set_query=call, load_bundle=call)
    changes = soak.Changes(peer, {"plain": Path("a"), "exchanged": Path("b")}, (2, 3))
    first = ("plain", soak.QUERIES[0])
    assert not changes.step(1) and changes.allowed() == {first}
    assert changes.step(2) and changes.allowed() == {first, ("plain", soak.QUERIES[1])}
    answers[0].done = lambda: True
    assert changes.step(3) and len(changes.allowed()) == 2 and ("exchanged", soak.QUERIES[1]) in changes.allowed()
    answers[1].done = lambda: True
    assert not changes.step(5) and changes.allowed() == {("exchanged", soak.QUERIES[1])}
    assert (changes.queries, changes.swaps) == (1, 1)


def test_bundles_and_queries_have_labels_of_their_own(soak, tmp_path):
    from partdistill_ros.pointcloud.scan import sample_surface
    from partdistill_ros.synthetic.families import generate

    expected = soak.expected_labels(soak.make_bundles(tmp_path, "default"), sample_surface(generate("mug", 0), 2048))
    assert len(expected) == 2 * len(soak.QUERIES)
    states = list(expected)
    for number, one in enumerate(states):
        for other in states[number + 1 :]:
            assert (expected[one] != expected[other]).mean() > 0.02, (one, other)


def test_missed_targets_are_named_and_are_an_exit_code(soak, capsys, monkeypatch):
    assert soak.main(["--bundle", "/nowhere"]) == 2
    found = {"missed": ["memory grew by 9.0 %"]}
    monkeypatch.setattr(soak, "soak", lambda options, folder: found)
    assert soak.main(["--json"]) == 1
    assert json.loads(capsys.readouterr().out) == found


def test_a_short_run(soak, capsys, monkeypatch):
    # Two seconds are all warm-up, and a busy machine may stretch them.
    monkeypatch.setattr(soak, "GROWTH", 1000.0)
    code = soak.main(["--clouds", "60", "--query-every", "10", "--bundle-every", "25", "--rate", "20", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert code == 0 and result["missed"] == []
    assert (result["clouds"], result["query_changes"], result["bundle_swaps"]) == (60, 5, 2)
    assert 0 < result["answered"] <= 60
    assert result["answered"] + result["dropped"] + result["lost_on_the_way"] == 60
    text = soak.format_result(result)
    assert "bundle swaps" in text and text.endswith("every target holds")
