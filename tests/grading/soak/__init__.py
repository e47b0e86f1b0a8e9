"""A large class drawn at random, graded while the batch and its workers are killed: ``uv run pytest -n 0 -m soak``."""
