"""Long work that can be watched and stopped."""

import sys
import threading

_BAR_AFTER = 5.0  # seconds until a progress bar appears


def progress_bar(progress, total, unit):
    """Return a progress bar for a ``with`` block; by default (None) it shows after five seconds."""
    from tqdm.auto import tqdm

    never = progress is False or (progress is None and not sys.stderr)
    return tqdm(total=total, unit=unit, delay=0 if progress else _BAR_AFTER, disable=never, leave=bool(progress))


def in_background(function, *arguments, **options):
    """Return what a function returns that does not hear an interrupt, such as a factorisation, and hear it meanwhile.

    An interrupt is raised here within a tenth of a second; the function itself ends in the background, and its result
    is dropped.
    """
    result = []

    def run():
        try:
            result.append((function(*arguments, **options), None))
        except BaseException as error:
            result.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.1)  # returns to Python often, so that Ctrl-C is heard on every system
    value, error = result[0]
    if error is not None:
        raise error
    return value
