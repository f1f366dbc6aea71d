# SPDX-License-Identifier: MIT
"""Imported in a call, on a thread of the bridge."""

from processor_turns import turn_of_this_thread

AT_IMPORT = turn_of_this_thread()
