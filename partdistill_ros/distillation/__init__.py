# SPDX-License-Identifier: Apache-2.0
"""Distillation: what the teacher saw in views becomes a student of points."""
