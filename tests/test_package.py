# SPDX-License-Identifier: Apache-2.0
"""The files that describe the package agree with each other and with what is installed."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import partdistill_ros


@pytest.fixture(scope="module")
def manifest(repository: Path) -> ElementTree.Element:
    return ElementTree.parse(repository / "package.xml").getroot()


def test_one_version(manifest: ElementTree.Element, repository: Path) -> None:
    version = manifest.findtext("version")
    assert version == partdistill_ros.__version__
    assert f"## {version}" in (repository / "CHANGELOG.md").read_text()


def test_colcon_takes_the_cmake_build(manifest: ElementTree.Element) -> None:
    assert manifest.findtext("export/build_type") == "ament_cmake"
    assert manifest.findtext("member_of_group") == "rosidl_interface_packages"


def test_every_interface_is_generated(repository: Path) -> None:
    folders = [repository / name for name in ("msg", "srv", "action")]
    written = {f"{folder.name}/{path.name}" for folder in folders for path in folder.iterdir()}
    listed = set(re.findall(r'"((?:msg|srv|action)/\w+\.\w+)"', (repository / "CMakeLists.txt").read_text()))
    assert listed == written


def test_every_executable_has_its_module(repository: Path) -> None:
    names = re.search(r"foreach\(node (.+)\)", (repository / "CMakeLists.txt").read_text())
    assert names is not None
    for name in names.group(1).split():
        source = (repository / "partdistill_ros" / "nodes" / f"{name}.py").read_text()
        assert re.search(r"^def main\(", source, re.MULTILINE), name


def test_the_live_path_asks_for_no_torch() -> None:
    try:
        requirements = metadata.requires("partdistill_ros") or []
    except metadata.PackageNotFoundError:
        pytest.skip("partdistill_ros is not installed through pip here")
    live = [requirement for requirement in requirements if "extra ==" not in requirement]
    assert live
    assert not [requirement for requirement in live if re.match(r"torch|transformers|sentence|open", requirement)]


def test_install_folders(repository: Path) -> None:
    prefix = repository / ".venv"
    if Path(sys.prefix) != prefix:
        pytest.skip("these tests do not run in the repository's .venv")
    share = prefix / "share" / "partdistill_ros"
    for folder, pattern in (("launch", "*.launch.py"), ("config", "*.yaml")):
        sources = {path.name for path in (repository / folder).glob(pattern)}
        assert sources
        assert sources <= {path.name for path in (share / folder).iterdir()}
    for name in ("part_segmenter", "scan_publisher"):
        program = prefix / "lib" / "partdistill_ros" / name
        assert program.read_text().startswith(f"#!{prefix}/bin/python")
        assert program.stat().st_mode & 0o111
    assert (prefix / "bin" / "partdistill").exists()


def test_a_wheel_holds_every_file(repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    tracked = subprocess.run(
        ["git", "ls-files", "partdistill_ros"], cwd=repository, capture_output=True, text=True, check=False
    ).stdout.split()
    if not tracked:
        pytest.skip("not a git checkout")
    source = tmp_path / "source"
    for name in [*tracked, "pyproject.toml", "setup.py", "README.md", "LICENSE"]:
        if (repository / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((repository / name).read_bytes())
    build = [sys.executable, "-c", "from setuptools import build_meta; print(build_meta.build_wheel('.'))"]
    subprocess.run(build, cwd=source, check=True, capture_output=True, text=True)
    (wheel,) = source.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in tracked if (repository / name).exists()} <= packed
