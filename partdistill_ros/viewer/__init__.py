# SPDX-License-Identifier: Apache-2.0
"""Labelled clouds in the browser, for people without RViz."""
