# SPDX-License-Identifier: Apache-2.0
"""Lets tools that know only setup.py build the package; everything is said in pyproject.toml."""

from setuptools import setup

setup()
