# SPDX-License-Identifier: MIT
"""Is no Python when it is run."""

exec("def broken(:")
