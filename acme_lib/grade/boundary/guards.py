"""What guards a submission, from the strongest to the weakest, and the limits it runs under.

``namespaces``
    bubblewrap: no network, a read-only view of the system, the interpreter and the library without the course, and for
    each submission PID, mount and IPC namespaces of its own.
``filter``
    A filter of system calls (Linux on x86_64 and aarch64): no new processes, programs or sockets, no signals to others,
    nothing that two processes could talk by.
``limits``
    Memory, processor time, size of files, number of threads; time on the wall.
"""

import os
from dataclasses import dataclass
from functools import cache

from acme_lib.grade.boundary import lockdown
from acme_lib.grade.boundary.bubblewrap import find_setup
from acme_lib.limits import CALL_SECONDS


class NotGuardedWarning(UserWarning):
    """Students' code runs with less than the full guard; the message says what is open."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    Attributes
    ----------
    call_seconds : float
        On the wall, for one call of a student's function or one of its cells.
    notebook_seconds : float
        On the wall, for all of a notebook.
    cpu_seconds : int
        Processor time of the submission's process.
    memory_bytes, tmp_bytes, file_bytes : int
        Memory beyond that of the loaded interpreter; space in ``/tmp``; size of one file.
    processes : int
        Threads. Where the kernel counts all threads of a user together (no namespaces, or Linux before 5.14), so many
        and 256 more than the user has when the submission begins.
    """

    call_seconds: float = CALL_SECONDS
    notebook_seconds: float = 300.0
    cpu_seconds: int = 240
    memory_bytes: int = 2**30
    tmp_bytes: int = 64 * 2**20
    file_bytes: int = 32 * 2**20
    processes: int = 32


@cache
def find_guards():
    """Return what can guard on this machine, as a tuple of ``"namespaces"``, ``"filter"`` and ``"limits"``."""
    guards = []
    if find_setup()[0] is not None:
        guards.append("namespaces")
    if lockdown.can_filter():
        guards.append("filter")
    if hasattr(os, "fork"):
        guards.append("limits")
    return tuple(guards)
