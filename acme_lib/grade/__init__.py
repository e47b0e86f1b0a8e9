"""Grading: what an instructor does with the exercises before and after they are solved."""
