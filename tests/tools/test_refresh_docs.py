# SPDX-License-Identifier: Apache-2.0
"""The documentation names every parameter as it is declared."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from partdistill_ros.options import options_of


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
    tables = {found[2]: found[0] for found in tool.REGION.finditer(page)}
    assert set(tables) == set(tool.NODES)
    for node, parameters in tool.NODES.items():
        rows = [line for line in tables[node].splitlines() if line.startswith("| `")]
        assert [row.split("`")[1] for row in rows] == [known.name for known in options_of(parameters)]


def test_a_stale_table_is_replaced_and_the_rest_kept(tool):
    page = "before\n<!-- parameters of scan_publisher -->\nstale\n<!-- end -->\nafter\n"
    fresh = tool.refreshed(page)
    assert fresh.startswith("before\n<!-- parameters of scan_publisher -->\n| parameter |") and "stale" not in fresh
    assert fresh.endswith("|\n<!-- end -->\nafter\n") and tool.refreshed(fresh) == fresh
    with pytest.raises(KeyError):
        tool.refreshed(page.replace("scan_publisher", "nobody"))
