"""How far two laws lie apart."""

import numpy as np


def law_distance(p, q):
    r"""Return the total variation distance of laws of counts, :math:`\tfrac12 \sum_n |p(n) - q(n)|`.

    Parameters
    ----------
    p, q : array_like, shape (…, n)
        Probabilities of the counts 0, 1, … along the last axis; beyond its end a law is 0.

    Returns
    -------
    ndarray, shape (…)
    """
    p, q = np.asarray(p, dtype=float), np.asarray(q, dtype=float)
    common = min(p.shape[-1], q.shape[-1])
    tails = p[..., common:].sum(axis=-1) + q[..., common:].sum(axis=-1)
    return 0.5 * (np.abs(p[..., :common] - q[..., :common]).sum(axis=-1) + tails)


def law_distance_by_chance(p, samples):
    r"""Return about the distance that samples of one law show by chance.

    A difference of two frequencies is about normal, with :math:`E|x| = \sqrt{2/\pi}\,\sigma`; where counts are few,
    :math:`2p` is the larger bound of the two.

    Parameters
    ----------
    p : ndarray, shape (n,)
        The law, or what the samples have together.
    samples : sequence of int
        Sizes of the samples: one where it is held against the law itself, two where they are held against each other.
    """
    p = np.asarray(p, dtype=float)
    spread = np.sqrt(np.maximum(p * (1.0 - p), 0.0) * sum(1.0 / size for size in samples))
    return 0.5 * np.minimum(np.sqrt(2.0 / np.pi) * spread, 2.0 * p).sum()
