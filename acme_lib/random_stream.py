"""Random numbers inside compiled kernels: one independent stream a trajectory.

A stream is xoshiro256++ (Blackman & Vigna 2021, doi:10.1145/3460772) whose 256-bit state is hashed by SplitMix64 from a
256-bit key and the index of the trajectory. The key is drawn from the caller's `numpy.random.Generator`, so that the
same seed gives the same numbers whatever the number of threads or the order in which trajectories run. Exponential
numbers come from the ziggurat of Marsaglia & Tsang (2000, doi:10.18637/jss.v005.i08) with 256 layers, and so do normal
ones; Poisson numbers from the transformed rejection of Hörmann (1993, doi:10.1016/0167-6687(93)90997-4); gamma numbers
from Marsaglia & Tsang (2000, doi:10.1145/358407.358414).
"""

import math

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
_NORMAL_TAIL = 3.6541528853610088  # of the ziggurat for exp(-x²/2), likewise


def _normal_tables():
    """Return layer edges and the unnormalised density exp(-x²/2) at each, as in `_ziggurat_tables`."""
    at_tail = np.exp(-0.5 * _NORMAL_TAIL**2)
    area = _NORMAL_TAIL * at_tail + math.sqrt(math.pi / 2) * math.erfc(_NORMAL_TAIL / math.sqrt(2))
    x = np.zeros(_LAYERS + 1)
    x[0] = area / at_tail
    x[1] = _NORMAL_TAIL
    for i in range(2, _LAYERS):
        x[i] = np.sqrt(-2.0 * np.log(np.exp(-0.5 * x[i - 1] ** 2) + area / x[i - 1]))
    return x, np.exp(-0.5 * x**2)


_NORMAL_EDGE, _NORMAL_DENSITY = _normal_tables()
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


@njit(cache=True, nogil=True)
def next_normal(stream):
    """Return a normal number of mean 0 and variance 1, and the advanced stream."""
    while True:
        word, stream = next_word(stream)
        layer = np.int64(word & np.uint64(255))
        sign = 1.0 if word & np.uint64(256) else -1.0
        x = np.int64(word >> np.uint64(11)) * _UNIT * _NORMAL_EDGE[layer]
        if x < _NORMAL_EDGE[layer + 1]:
            return sign * x, stream
        if layer == 0:
            while True:  # the tail, by Marsaglia (1964)
                beyond, stream = next_exponential(stream)
                height, stream = next_exponential(stream)
                beyond /= _NORMAL_TAIL
                if 2.0 * height > beyond * beyond:
                    return sign * (_NORMAL_TAIL + beyond), stream
        u, stream = next_uniform(stream)
        low, high = _NORMAL_DENSITY[layer], _NORMAL_DENSITY[layer + 1]
        if low + u * (high - low) < np.exp(-0.5 * x * x):
            return sign * x, stream


@njit(cache=True, nogil=True, error_model="numpy")
def next_poisson(mean, stream):
    """Return a Poisson number as a float, and the advanced stream; `mean` is 0 or more, and finite."""
    if mean < 10.0:  # inversion: walk up the distribution function
        u, stream = next_uniform(stream)
        k = 0.0
        p = np.exp(-mean)
        while u >= p and p > 0.0:  # p is 0 only where u has no more digits
            u -= p
            k += 1.0
            p *= mean / k
        return k, stream
    b = 0.931 + 2.53 * np.sqrt(mean)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    squeeze = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u, stream = next_uniform(stream)
        v, stream = next_uniform(stream)
        u -= 0.5
        away = 0.5 - abs(u)
        k = np.floor((2.0 * a / away + b) * u + mean + 0.43)
        if away >= 0.07 and v <= squeeze:
            return k, stream
        if k < 0.0 or (away < 0.013 and v > away):
            continue
        if np.log(v * inverse_alpha / (a / (away * away) + b)) <= _log_poisson(k, mean):
            return k, stream


@njit(cache=True, nogil=True, error_model="numpy")
def _log_poisson(k, mean):
    """Return the log probability of k, by Stirling's series where k is large: exact digits do not cancel there."""
    if k < 10.0:
        return k * np.log(mean) - mean - math.lgamma(k + 1.0)
    d = (k - mean) / mean
    remainder = (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / (1260.0 * k * k)) / (k * k)) / k
    return -mean * ((1.0 + d) * np.log1p(d) - d) - 0.5 * np.log(2.0 * np.pi * k) - remainder


@njit(cache=True, nogil=True, error_model="numpy")
def next_gamma(shape, stream):
    """Return a gamma number of scale 1, and the advanced stream."""
    boost = 1.0
    if shape < 1.0:
        u, stream = next_uniform(stream)
        boost = (1.0 - u) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / np.sqrt(9.0 * d)
    while True:
        z, stream = next_normal(stream)
        v = (1.0 + c * z) ** 3
        u, stream = next_uniform(stream)
        if v > 0.0 and np.log(1.0 - u) < 0.5 * z * z + d - d * v + d * np.log(v):
            return boost * d * v, stream
