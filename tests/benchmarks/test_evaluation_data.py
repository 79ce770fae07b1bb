# SPDX-License-Identifier: Apache-2.0
"""The data's folder is that of the environment, else the one beside the checkout."""

from pathlib import Path

from evaluation_data import data_folder, shapes_folder


def test_the_environment_comes_first(monkeypatch, tmp_path):
    monkeypatch.setenv("PARTDISTILL_DATA", str(tmp_path))
    assert data_folder() == tmp_path and shapes_folder() == tmp_path / "shapes"
    monkeypatch.setenv("PARTDISTILL_DATA", "")
    assert data_folder() == Path(__file__).resolve().parents[3] / "shared" / "data"
