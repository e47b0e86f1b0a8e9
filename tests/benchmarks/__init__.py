"""Benchmarks.

``python -m tests.benchmarks NAME`` prints a table of medians and ratios; ``--json FILE`` also writes its rows.
"""
