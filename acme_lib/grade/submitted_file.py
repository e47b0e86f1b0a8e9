"""The bytes of a submitted notebook, whatever lies there: no link is opened, and nothing is unpacked to the disk."""

import io
import os
import re
import stat
import struct
from pathlib import Path

MAX_FILE = 20 * 2**20  # bytes of a submitted notebook
MAX_ARCHIVE = 48 * 2**20  # bytes of an archive, packed and unpacked
MAX_MEMBERS = 1_000  # files in it


def read_bytes(path, max_bytes=MAX_FILE):
    """Return the bytes of a submitted notebook and why they are unreadable (empty where they are not).

    Where the file is missing and its folder holds one archive (``.zip``, ``.tar``, ``.tar.gz``) with a notebook of that
    name, its bytes are taken from there; nothing is unpacked to the disk.
    """
    path = Path(path)
    if is_behind_link(path.parent):
        return b"", "the folder is a symbolic link, and links are not followed"
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return _read_from_archive(path, max_bytes)
    except (OSError, ValueError) as error:
        return b"", f"the file cannot be opened ({error})"
    if stat.S_ISLNK(found.st_mode):
        return b"", "the file is a symbolic link, and links are not followed"
    if not stat.S_ISREG(found.st_mode):
        return b"", "this is no ordinary file"
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            return _judge_bytes(file.read(max_bytes + 1), max_bytes)
    except OSError as error:
        return b"", f"the file cannot be opened ({error.strerror})"


def is_behind_link(folder):
    """Return whether a submitted folder, or the student's around it, is a symbolic link."""
    folder = Path(folder)
    return folder.is_symlink() or folder.parent.is_symlink()


def _judge_bytes(data, max_bytes):
    if len(data) > max_bytes:
        return data, f"the file is larger than {max_bytes / 2**20:.0f} MB; hand in the notebook without its outputs"
    return data, "" if data.strip() else "the file is empty"


def _read_from_archive(path, max_bytes):
    folder = path.parent
    archives = []
    if folder.is_dir() and not folder.is_symlink():
        ends = (".zip", ".tar", ".tar.gz", ".tgz")
        archives = [p for p in sorted(folder.iterdir()) if p.name.lower().endswith(ends) and not p.is_symlink()]
    if not archives:
        return b"", "there is no file of this name"
    if len(archives) > 1:
        return b"", "there are several archives; hand in the notebook itself"
    try:
        with open(archives[0], "rb") as file:
            data = file.read(MAX_ARCHIVE + 1)
        if len(data) > MAX_ARCHIVE:
            raise _Unreadable(f"it is larger than {MAX_ARCHIVE >> 20} MB")
        read = _zip_members if archives[0].name.lower().endswith(".zip") else _tar_members
        found = list(read(data, path.name, max_bytes))
    except _Unreadable as problem:
        return b"", f"the archive cannot be read ({problem}); hand in the notebook itself"
    except Exception as error:  # an archive may be broken in any way
        return b"", f"the archive cannot be read ({type(error).__name__})"
    if len(found) != 1:
        return b"", f"the archive holds {len(found)} notebooks of this name; hand in the notebook itself"
    return _judge_bytes(found[0], max_bytes)


class _Unreadable(Exception):
    """Why an archive is not read, in words."""


def _is_named(path, name):
    return re.split(r"[/\\]", path)[-1] == name


def _zip_members(data, name, max_bytes):
    """Yield the bytes of the files of this name in a zip archive, wherever they lie in it; links are passed over.

    What `zipfile` reads before anyone can ask is bounded first: the list of names. Members are stored or deflated:
    the other methods unpack without an end in sight.
    """
    import zipfile

    end = data.rfind(b"PK\x05\x06", max(len(data) - 65_557, 0))
    if end < 0 or len(data) < end + 22:
        raise _Unreadable("it has no end, or was cut short")
    if data[max(end - 20, 0) : end].startswith(b"PK\x06\x07"):
        raise _Unreadable("it has the form for archives of many gigabytes")
    members, size = struct.unpack_from("<HI", data, end + 10)
    if members > MAX_MEMBERS or size > 1000 * MAX_MEMBERS:
        raise _Unreadable(f"it holds more than {MAX_MEMBERS:,} files")
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        for member in file.infolist()[:MAX_MEMBERS]:
            is_link = stat.S_ISLNK(member.external_attr >> 16)
            if member.is_dir() or is_link or not _is_named(member.filename, name):
                continue
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise _Unreadable("it is compressed by a method that is not usual")
            with file.open(member) as opened:
                yield opened.read(max_bytes + 1)


def _tar_members(data, name, max_bytes):
    """Yield the bytes of the files of this name in a tar archive, plain or by gzip; links are passed over."""
    import gzip
    import tarfile

    stream = io.BytesIO(data)
    if data[:2] == b"\x1f\x8b":
        stream = gzip.GzipFile(fileobj=stream)
    with tarfile.open(fileobj=_Bounded(stream, MAX_ARCHIVE), mode="r|", tarinfo=_plain_member()) as file:
        for count, member in enumerate(file):
            if count >= MAX_MEMBERS:
                raise _Unreadable(f"it holds more than {MAX_MEMBERS:,} files")
            if member.isreg() and not member.issparse() and _is_named(member.name, name):
                yield file.extractfile(member).read(max_bytes + 1)


def _plain_member():
    """Return a kind of tar members whose extended headers and long names are short, and not without number."""
    import tarfile

    class Member(tarfile.TarInfo):
        def _proc_member(self, file):
            if self.type in (b"x", b"g", b"X", b"L", b"K"):
                file.special = getattr(file, "special", 0) + 1
                if self.size > 65_536 or file.special > 2 * MAX_MEMBERS:
                    raise _Unreadable("its names are too long")
            return super()._proc_member(file)

    return Member


class _Bounded:
    """A file to read from that ends with an error where it is longer than allowed."""

    def __init__(self, file, limit):
        self._file, self._left = file, limit

    def read(self, size):
        """Return the next bytes."""
        found = self._file.read(min(size, self._left + 1))
        self._left -= len(found)
        if self._left < 0:
            raise _Unreadable(f"unpacked, it is larger than {MAX_ARCHIVE >> 20} MB")
        return found
