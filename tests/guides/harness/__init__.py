# SPDX-License-Identifier: MIT
"""What the tests of the guides stand on: the examples as they are written, the adapter
modules composed of them, and the pools that serve these.
"""
