# SPDX-License-Identifier: Apache-2.0
"""For people to look at: pictures, colors, legends, turntables, the browser viewer, report pages."""
