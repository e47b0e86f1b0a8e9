"""The progress of long work: a bar, made only when it is to be seen, and a line where kernels are compiled first."""

import os
import sys
import threading
import time

from numba.core import event

from acme_lib import kernel_cache

BAR_AFTER = 5.0  # seconds until a bar appears that nobody asked for
_TELL_AFTER = 1.0  # seconds of compiling, all together
_TELL = "acme: compiling, about 20 s, only the first time"
_TELL_EACH_TIME = (
    "acme: compiling, about 20 s, and again in each session: neither the library's folder nor your cache can be "
    "written to. To keep what is compiled, set the variable NUMBA_CACHE_DIR to a folder of your own"
)


def is_quiet():
    """Whether nothing is said that depends on the machine, as while notebooks are built or compared (ACME_QUIET)."""
    return bool(os.environ.get("ACME_QUIET"))


class Compilation(event.Listener):
    """Hears when numba compiles what is on no disk yet: how long it took, and a line, once, where it takes long.

    numba holds a lock while it compiles, so that one thread at a time is heard; functions compile those they call.
    """

    def __init__(self):
        self._depth, self._seconds, self._told, self._timer = 0, 0.0, False, None

    def on_start(self, _):
        """Begin to count, and be ready to tell."""
        self._depth += 1
        if self._depth == 1:
            self._began = time.time()
            if not self._told:
                self._timer = threading.Timer(max(0.0, _TELL_AFTER - self._seconds), self._tell)
                self._timer.daemon = True
                self._timer.start()

    def on_end(self, _):
        """Add up."""
        self._depth -= 1
        if self._depth == 0:
            self._seconds += time.time() - self._began
            if self._timer is not None:
                self._timer.cancel()

    @property
    def seconds(self):
        """All that was spent in this process up to now."""
        return self._seconds + (time.time() - self._began if self._depth else 0.0)

    def _tell(self):
        self._told = True
        if is_quiet():
            return
        # on a notebook's error stream it would look like an error, and cost the points of a cell that nbgrader marks
        stream = sys.stdout if "ipykernel" in sys.modules else sys.stderr
        if stream:
            print(_TELL_EACH_TIME if kernel_cache.FOLDER else _TELL, file=stream, flush=True)


COMPILATION = Compilation()
event.register("numba:compile", COMPILATION)


class ProgressBar:
    """A bar of tqdm for a ``with`` block, which appears when the work has become long.

    A bar in a notebook is a handful of widgets, made and stored even while it is not shown; so it is made late. The
    time in which kernels are compiled does not count: it says nothing about what remains.

    Parameters
    ----------
    progress : bool or None
        True: at once, and it stays; False: never; None: after `BAR_AFTER` seconds, and it goes with the work.
    total : float or None
    **look
        More for tqdm, such as its ``unit``.
    """

    def __init__(self, progress, total, **look):
        self._wanted = progress is True or (progress is None and bool(sys.stderr) and not is_quiet())
        self._delay = 0.0 if progress else BAR_AFTER
        self._look = {"total": total, "leave": bool(progress), **look}
        self._done, self._bar = 0, None

    def __enter__(self):
        self._start = time.time() - COMPILATION.seconds
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
            self._bar.start_t = self._began()
            self._bar.update(amount)
        elif self._wanted and time.time() - self._began() >= self._delay:
            self._show()

    def _began(self):
        """When the work would have begun had everything been compiled."""
        return self._start + COMPILATION.seconds

    def _show(self):
        from tqdm.auto import tqdm

        self._bar = tqdm(**self._look)
        self._bar.start_t = self._began()
        self._bar.update(self._done)
        self._bar.refresh()
