"""Measurements: each prints numbers of this machine and a ratio against the reference in the same run; none asserts a time."""
