"""What a solution will cost, said before it starts."""

import os
import warnings
from dataclasses import dataclass

from acme_lib.errors import LargeProblemWarning, ParameterError

LARGE = 1_000_000  # states beyond which the cost is announced

# Measured on one core of 2020's servers; they are meant to tell seconds from hours.
_ASSEMBLY_SECONDS = 1.5e-8  # an entry
_PRODUCT_SECONDS = 1.2e-9  # an entry of the matrix, times a vector
_ELIMINATION_SECONDS = 3e-10  # a multiplication in a band
_FILL_SECONDS = 1.1e-8  # a state, times the square root of their number: sparse factors in two dimensions


@dataclass(frozen=True)
class Cost:
    """An estimate, made before the work.

    Attributes
    ----------
    task : str
    memory : float
        Bytes needed at once beside what is there already.
    seconds : float
        On one core.
    """

    task: str
    memory: float
    seconds: float

    def __str__(self):
        """Return the cost in words."""
        return f"{self.task} needs about {say_bytes(self.memory)} of memory and {say_time(self.seconds)}"


def announce(cost, n_states):
    """Warn of the cost of a task on more than a million states; the task can be interrupted once it runs."""
    if n_states > LARGE:
        total = memory_of_machine()
        has = f" (this machine has {say_bytes(total)})" if total else ""
        warnings.warn(
            f"{n_states:,} states: {cost}{has}; interrupt (Ctrl-C) to stop", LargeProblemWarning, stacklevel=3
        )


def check_memory(needed, what, instead):
    """Refuse what this machine's memory cannot hold, and say what takes more than a quarter of it; before the work."""
    total = memory_of_machine()
    words = f"{what} take {say_bytes(needed)} of memory, and this machine has {say_bytes(total)}; {instead}"
    if total and needed > total:
        raise ParameterError(words)
    if total and needed > total / 4:
        warnings.warn(words, LargeProblemWarning, stacklevel=4)


def memory_of_machine():
    """Return the bytes of this machine's memory, or 0 where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 0


def generator_cost(n_states, n_directions):
    """Return the cost of assembling a generator."""
    entries = n_states * (n_directions + 1)
    index = 4 if entries < 2**31 else 8
    return Cost("assembling the generator", entries * (8 + index) + n_states * (8 + index), entries * _ASSEMBLY_SECONDS)


def banded_cost(n_states, width):
    """Return the cost of elimination in a band of `width` entries on each side of the diagonal."""
    memory = n_states * (2 * width + 1) * 8 + 4 * n_states * 8
    return Cost("elimination in a band", memory, n_states * (width + 8.0) ** 2 * _ELIMINATION_SECONDS)


def factor_cost(n_states, n_species):
    """Return the cost of sparse factors: nested grids in one or two dimensions fill as n log n, in three as n^(4/3)."""
    if n_species <= 2:
        fill = 5.8 * n_states * n_states.bit_length()
        return Cost("a sparse factorisation", fill * 12, n_states**1.5 * _FILL_SECONDS)
    fill = 12.0 * n_states ** (4 / 3)
    return Cost("a sparse factorisation", fill * 12, n_states**2 * 2e-9)


def product_cost(task, n_states, n_entries, products, vectors):
    """Return the cost of a number of products of the matrix and a vector."""
    return Cost(task, vectors * n_states * 8 + n_entries * 12, products * n_entries * _PRODUCT_SECONDS)


def say_bytes(n):
    """Return a number of bytes in words."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if n < 1000:
            return f"{n:.3g} {unit}"
        n /= 1000
    return f"{n:,.0f} TB"


def say_time(seconds):
    """Return a time in words."""
    if seconds < 90:
        return f"{max(seconds, 0.1):.2g} s"
    if seconds < 5400:
        return f"{seconds / 60:.2g} minutes"
    return f"{seconds / 3600:.2g} hours" if seconds < 3e7 else f"{seconds / 3.156e7:.2g} years"
