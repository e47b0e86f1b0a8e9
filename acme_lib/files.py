"""Files that are whole or not there: nobody finds half of one, also after a crash."""

import contextlib
import os
import tempfile
from pathlib import Path


@contextlib.contextmanager
def whole_file(path, mode="wb", *, private=False, **options):
    """Open a new file for a ``with`` block; it takes the place of `path` at the end, unless an error ends the block.

    A `private` file may be read by its owner alone.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    number, scratch = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".unfinished", dir=path.parent)
    try:
        with os.fdopen(number, mode, **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # the content before the name: also when the power fails
        if not private:
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(scratch, 0o666 & ~mask)  # as any new file; a scratch file is its owner's alone
        os.replace(scratch, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(scratch)
        raise


def write_whole(path, content, *, private=False):
    """Write text (as UTF-8) or bytes to a file, whole or not at all; returns its path."""
    with whole_file(path, private=private) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)
    return Path(path)
