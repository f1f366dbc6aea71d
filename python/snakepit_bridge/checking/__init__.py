# SPDX-License-Identifier: MIT
"""The parts of the thread safety checker; `snakepit_bridge.thread_safety_checker` is
what adapter authors use.
"""
