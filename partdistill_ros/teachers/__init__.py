# SPDX-License-Identifier: Apache-2.0
"""Vision-language models that answer which part a picture shows where, behind one interface."""
