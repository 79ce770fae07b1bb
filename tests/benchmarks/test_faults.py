# SPDX-License-Identifier: Apache-2.0
"""A few of the faults, and what happens to those that are not borne."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def faults(live_benchmark):
    return live_benchmark("faults")


def test_a_short_run(faults, capsys):
    code = faults.main(["--only", "messages", "restarts", "bundle", "--messages", "60", "--restarts", "1", "--json"])
    rows = {row["fault"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert code == 0, rows
    assert rows["malformed or empty clouds"]["held"] == rows["queries that are none"]["held"] == 50
    assert rows["SIGKILL of node, publisher or both"]["tried"] == 1
    assert "no bundle.json there" in rows["bundle deleted while in use"]["seen"]
    assert "sha256" in rows["bundle overwritten while in use"]["seen"]
    assert "loaded" in rows["bundle restored"]["seen"]


def test_what_was_not_borne_is_named(faults, capsys, monkeypatch):
    from partdistill_ros.errors import CommandFailed

    def hang(stand):
        raise CommandFailed("the answer to a good cloud did not come within 60 s")

    monkeypatch.setattr(faults, "FAULTS", {"disk": hang, "signals": lambda stand: [faults.Row("a signal", 4, 3, "")]})
    assert faults.main([]) == 1
    text = capsys.readouterr().out
    assert "MISSED: disk, 1 of 1" in text and "MISSED: a signal, 1 of 4" in text
    assert "did not come within 60 s" in text
    monkeypatch.setattr(faults, "FAULTS", {"signals": lambda stand: [faults.Row("a signal", 4, 4, "")]})
    assert faults.main([]) == 0
    assert capsys.readouterr().out.strip().endswith("every fault was borne")


def test_faults_beside_the_node_in_short(faults, capsys):
    pytest.importorskip("viser", reason="viser is not installed: the extra 'view'")
    code = faults.main(["--only", "viewer", "--json"])
    rows = {row["fault"]: row for row in json.loads(capsys.readouterr().out.splitlines()[-1])["rows"]}
    assert code == 0, rows
    assert rows["other pages that ask the viewer"]["held"] == 7
