"""Random numbers inside compiled kernels: one independent stream a trajectory.

A stream is xoshiro256++ (Blackman & Vigna 2021, doi:10.1145/3460772) whose 256-bit state is hashed by SplitMix64 from
a 256-bit key and the index of the trajectory. The key is drawn from the caller's `numpy.random.Generator`, so that
the same seed gives the same numbers whatever the number of threads or the order in which trajectories run.
Exponential numbers come from the ziggurat of Marsaglia & Tsang (2000, doi:10.18637/jss.v005.i08) with 256 layers.
"""

import numpy as np
from numba import njit

_LAYERS = 256
_TAIL = 7.69711747013104972  # where the tail of the ziggurat begins, for 256 layers
_AREA = 0.0039496598225815571993  # of each layer


def _ziggurat_tables():
    """Return layer edges x_i, with x_0 the base layer's width, and the density exp(-x_i) at each."""
    x = np.zeros(_LAYERS + 1)
    x[0] = _AREA * np.exp(_TAIL)
    x[1] = _TAIL
    for i in range(2, _LAYERS):
        x[i] = -np.log(np.exp(-x[i - 1]) + _AREA / x[i - 1])
    return x, np.exp(-x)


_EDGE, _DENSITY = _ziggurat_tables()
_UNIT = 1.0 / 9007199254740992.0  # 2**-53


def draw_key(rng):
    """Draw the key of a run, four 64-bit words, from a NumPy generator."""
    return rng.integers(0, 2**64, size=4, dtype=np.uint64)


# A stream's state is a tuple of four words, passed and returned by value: in registers, it costs no memory traffic.


@njit(cache=True, nogil=True)
def _split_mix(z):
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True, nogil=True)
def start_stream(key, index):
    """Return the stream of trajectory `index` under the run's `key` (four words)."""
    step = np.uint64(0x9E3779B97F4A7C15)
    s0 = _split_mix(_split_mix(np.uint64(index) * step + key[0]) + key[0] + step)
    s1 = _split_mix(s0 + key[1] + step)
    s2 = _split_mix(s1 + key[2] + step)
    s3 = _split_mix(s2 + key[3] + step)
    return s0, s1, s2, s3 | np.uint64(s0 | s1 | s2 | s3 == 0)  # the state of all zeros is the one that must not be


@njit(cache=True, nogil=True)
def next_word(stream):
    """Return 64 random bits and the advanced stream."""
    s0, s1, s2, s3 = stream
    total = s0 + s3
    word = ((total << np.uint64(23)) | (total >> np.uint64(41))) + s0
    t = s1 << np.uint64(17)
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= t
    s3 = (s3 << np.uint64(45)) | (s3 >> np.uint64(19))
    return word, (s0, s1, s2, s3)


@njit(cache=True, nogil=True)
def next_uniform(stream):
    """Return a number in [0, 1) and the advanced stream."""
    word, stream = next_word(stream)
    return np.int64(word >> np.uint64(11)) * _UNIT, stream


@njit(cache=True, nogil=True)
def next_exponential(stream):
    """Return an exponential number of mean 1 and the advanced stream."""
    offset = 0.0
    while True:
        word, stream = next_word(stream)
        layer = np.int64(word & np.uint64(255))
        x = np.int64(word >> np.uint64(11)) * _UNIT * _EDGE[layer]
        if x < _EDGE[layer + 1]:
            return offset + x, stream
        if layer == 0:
            offset += _TAIL  # memorylessness: beyond the tail it starts again
        else:
            u, stream = next_uniform(stream)
            if _DENSITY[layer] + u * (_DENSITY[layer + 1] - _DENSITY[layer]) < np.exp(-x):
                return offset + x, stream
