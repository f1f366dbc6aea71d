# SPDX-License-Identifier: MIT
"""Adapters that come with the bridge, to look at and to try a pool with."""
