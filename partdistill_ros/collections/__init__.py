# SPDX-License-Identifier: Apache-2.0
"""Recorded scans kept in a folder that anyone can read: one folder a scan, with its pictures and knowledge."""
