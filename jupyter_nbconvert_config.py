"""The lecture version of a chapter: run `jupyter nbconvert --to slides course/04_bursting.ipynb`.

A slide is wide enough for a line of code, a slide that is longer than the screen can be scrolled, and what is folded in
the notebook (the code of figures, sliders and questions) is left out.
"""

c = get_config()  # noqa: F821  (Jupyter provides it)
slides = c.SlidesExporter
slides.reveal_width, slides.reveal_height = "1500", "940"
slides.reveal_scroll = True
slides.TagRemovePreprocessor.enabled = True
slides.TagRemovePreprocessor.remove_input_tags = {"hide-input"}
