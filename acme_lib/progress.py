"""The progress bar of long work: nothing is made of it before it is to be seen."""

import sys
import time

BAR_AFTER = 5.0  # seconds until a bar appears that nobody asked for


class ProgressBar:
    """A bar of tqdm for a ``with`` block, which appears when the work has become long.

    A bar in a notebook is a handful of widgets, made and stored even while it is not shown; so it is made late.

    Parameters
    ----------
    progress : bool or None
        True: at once, and it stays; False: never; None: after `BAR_AFTER` seconds, and it goes with the work.
    total : float or None
    **look
        More for tqdm, such as its ``unit``.
    """

    def __init__(self, progress, total, **look):
        self._wanted = progress is not False and (progress is True or bool(sys.stderr))
        self._delay = 0.0 if progress else BAR_AFTER
        self._look = {"total": total, "leave": bool(progress), **look}
        self._done, self._bar = 0, None

    def __enter__(self):
        self._start = time.time()
        if self._wanted and self._delay == 0.0:
            self._show()
        return self

    def __exit__(self, *_):
        if self._bar is not None:
            self._bar.close()

    def update(self, amount):
        """Count `amount` more as done."""
        self._done += amount
        if self._bar is not None:
            self._bar.update(amount)
        elif self._wanted and time.time() - self._start >= self._delay:
            self._show()

    def _show(self):
        from tqdm.auto import tqdm

        self._bar = tqdm(**self._look)
        self._bar.start_t = self._start
        self._bar.update(self._done)
        self._bar.refresh()
