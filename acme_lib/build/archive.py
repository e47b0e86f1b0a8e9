"""Zip files with the same bytes for the same content, and names that are safe on every system."""

import hashlib
import io
import re
import unicodedata
import zipfile

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can hold
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)  # names that Windows keeps for itself


def zip_bytes(members):
    """Return a zip file of these members, in the order of their names and without their times.

    Parameters
    ----------
    members : dict of str to bytes
        Content by name; the names are relative and use ``/``.

    Returns
    -------
    bytes

    Raises
    ------
    ValueError
        If a name is absolute or leads out of the archive.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(members):
            if name.startswith("/") or "\\" in name or ".." in name.split("/"):
                raise ValueError(f"{name!r} is no name of a file inside an archive")
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16  # a plain file, on every system the same
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, members[name], compresslevel=9)
    return stream.getvalue()


def safe_names(names):
    """Return a file name for each name: letters, digits, ``.`` and ``-``, never two alike.

    A name that has to be changed, or that differs from another by case alone, gets some digits of its hash.

    >>> safe_names(["ada", "../eve"])
    {'ada': 'ada', '../eve': 'eve-...'}
    """
    plain = {name: _plain(name) for name in names}
    folded = [text.casefold() for text in plain.values()]
    return {
        name: text if text == name and folded.count(text.casefold()) == 1 else f"{text}-{_digits(name)}"
        for name, text in plain.items()
    }


def _plain(name):
    text = unicodedata.normalize("NFKC", name)
    text = "".join(c if c.isalnum() or c in ".-" else "-" for c in text)
    text = re.sub(r"-{2,}", "-", text).strip(".-")[:60].rstrip(".-") or "student"
    return f"x-{text}" if _RESERVED.match(text) else text


def _digits(name):
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
