"""When a notebook was handed in: the file beside it, which may hold anything."""

import os
import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from acme_lib.grade.harmless import plain
from acme_lib.grade.submitted_file import is_behind_link


def read_timestamp(folder):
    """Read the time stamp of a submission, ``timestamp.txt``.

    Returns
    -------
    time : str or None
        In UTC, as nbgrader reads it; None where there is no time that can be trusted.
    problem : str
        Why, where there is a file; a person has to say then whether the submission is late.
    """
    path = Path(folder) / "timestamp.txt"
    try:
        found = os.lstat(path)
    except OSError:
        return None, ""
    if is_behind_link(folder) or not stat.S_ISREG(found.st_mode) or found.st_size > 200:
        return None, "timestamp.txt is no small ordinary file"
    try:
        data = path.read_bytes()
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8").strip("\ufeff \t\r\n")
        return f"{parse_timestamp(text):%Y-%m-%d %H:%M:%S.%f} UTC", ""
    except UnicodeDecodeError:
        return None, "timestamp.txt is no text in UTF-8"
    except OSError as error:
        return None, f"timestamp.txt cannot be opened ({error.strerror})"
    except (ValueError, OverflowError) as error:
        return None, f"timestamp.txt cannot be read: {error}"


_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)\s*(.*)", re.DOTALL)
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d\d):?(\d\d)?")


def parse_timestamp(text):
    """Return the time that a text such as ``2027-03-28 23:59:00 Europe/Zurich`` names, in UTC and without a zone.

    A zone is ``UTC``, ``Z``, an offset such as ``+0100``, or a place; a time without one is in UTC, as for nbgrader.
    Abbreviations such as ``PST`` are refused: they mean different things in different places.
    """
    match = _STAMP.fullmatch(text)
    if match is None:
        raise ValueError(f"{plain(text)!r} is no time such as 2027-03-28 23:59:00 UTC")
    moment, zone = datetime.fromisoformat(f"{match[1]} {match[2]}"), match[3].strip()
    if zone in ("", "UTC", "GMT", "Z"):
        return moment
    if offset := _OFFSET.fullmatch(zone):
        shift = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        return moment - shift if offset[1] == "+" else moment + shift
    try:
        if "/" not in zone:
            raise ValueError
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"{plain(zone)!r} is no time zone that is clear; write an offset such as +0100, or Europe/Zurich"
        ) from None
    return moment.replace(tzinfo=place).astimezone(UTC).replace(tzinfo=None)
