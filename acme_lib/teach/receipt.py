"""A receipt for what is handed in: a hash of the file, which the learner keeps and the instructor can compare.

It is made of the file's bytes and not of what a notebook holds: an LMS hands on a file as it is (it may rename it), and
what is hashed is then the same on both sides. For the same reason no cell of the notebook can make it: its own output
would change the file. A receipt shows that what arrived is what was handed in; when that was, the LMS alone can say.
"""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from acme_lib.checks import readable
from acme_lib.files import write_whole


def hash_file(path):
    """Return the SHA-256 of a file's bytes and their number."""
    content = Path(path).read_bytes()
    return hashlib.sha256(content).hexdigest(), len(content)


def write_receipt(path):
    """Write the receipt of a file beside it, as ``NAME.receipt.txt``; returns its path and its text.

    Parameters
    ----------
    path : path
        Of the notebook (or archive) exactly as it is handed in. Its folder is taken for the name of the assignment.
    """
    path = Path(path).resolve()
    digest, size = hash_file(path)
    text = (
        f"assignment: {readable(path.parent.name)}\n"
        f"file: {readable(path.name)}\n"
        f"bytes: {size}\n"
        f"SHA-256: {digest}\n"
        f"time of this receipt: {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n"
    )
    return write_whole(path.with_name(f"{path.name}.receipt.txt"), text), text
