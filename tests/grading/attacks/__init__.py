"""Attacks on a grader, each shown to work on stock nbgrader and to gain nothing here.

``uv run pytest -m attacks`` runs all of them; ``uv run python -m tests.grading.attacks`` does too, and writes the table
(``README.md`` of this folder).
"""
