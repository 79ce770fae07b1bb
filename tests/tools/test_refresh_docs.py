# SPDX-License-Identifier: Apache-2.0
"""The documentation names every parameter and option as it is declared."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest
from rooms import Room

from partdistill_ros.distillation.config import DistillConfig
from partdistill_ros.distillation.pretrain_config import PretrainConfig
from partdistill_ros.options import declared, options_of


@pytest.fixture(scope="module")
def tool(repository) -> ModuleType:
    spec = importlib.util.spec_from_file_location("refresh_docs", repository / "tools" / "refresh_docs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_nothing_is_out_of_date(tool, repository):
    for path, text in tool.wanted(repository).items():
        assert path.read_text() == text, f"{path}: run tools/refresh_docs.py"


def test_every_parameter_of_every_node_is_in_its_table(tool, repository):
    page = (repository / "docs" / "ros.md").read_text()
    tables = {found[3]: found[0] for found in tool.REGION.finditer(page)}
    assert set(tables) == set(tool.NODES)
    for node, parameters in tool.NODES.items():
        rows = [line for line in tables[node].splitlines() if line.startswith("| `")]
        assert [row.split("`")[1] for row in rows] == [known.name for known in options_of(parameters)]


@pytest.mark.parametrize(("page", "config"), [("train.md", DistillConfig), ("students.md", PretrainConfig)])
def test_every_option_of_a_command_is_in_its_table_with_what_it_means(tool, repository, page, config):
    (table,) = [found[0] for found in tool.REGION.finditer((repository / "docs" / page).read_text())]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    for row, known in zip(rows, declared(config), strict=True):
        assert row.split("`")[1].split()[0] == ("SCAN..." if known.positional else known.flag)
        assert known.description.replace("|", "\\|") in row


def test_a_default_and_what_is_valid_are_told(tool):
    rows = tool.option_table(DistillConfig).splitlines()
    assert any(row.startswith("| `--backward` | `posterior` | one of posterior, ") for row in rows)
    assert any(row.startswith("| `--parts NAMES` | must be given | text | ") for row in rows)


def test_a_stale_table_is_replaced_and_the_rest_kept(tool):
    page = "before\n<!-- parameters of scan_publisher -->\nstale\n<!-- end -->\nafter\n"
    fresh = tool.refreshed(page)
    assert fresh.startswith("before\n<!-- parameters of scan_publisher -->\n| parameter |") and "stale" not in fresh
    assert fresh.endswith("|\n<!-- end -->\nafter\n") and tool.refreshed(fresh) == fresh
    with pytest.raises(KeyError):
        tool.refreshed(page.replace("scan_publisher", "nobody"))


def test_the_documented_file_is_yaml_with_every_value(tool):
    yaml = pytest.importorskip("yaml")
    text = tool.parameter_file(Room(), "Two lines\nof heading")
    assert text.startswith("# Two lines\n# of heading\n/**:\n")
    assert yaml.safe_load(text)["/**"]["ros__parameters"] == {
        "name": "hall", "seats": 4, "open": True,
        "front": {"color": "white", "power": 5.0}, "back": {"color": "red", "power": 1.0},
    }  # fmt: skip
    assert "# Chairs in it. Valid: 0 to 100.\n" in text
    assert "# Watts. Valid: 0.0 to 60.0. Read at the start only.\n" in text
