# SPDX-License-Identifier: MIT
"""Imported in a call, on a thread of the bridge."""

from timeslices import timeslice_of_this_thread

AT_IMPORT = timeslice_of_this_thread()
