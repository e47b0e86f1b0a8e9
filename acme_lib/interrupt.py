"""Long work that can be stopped."""

import threading


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
