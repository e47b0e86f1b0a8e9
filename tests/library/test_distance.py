"""How far samples of a law lie from it by chance alone, against samples."""

import numpy as np
import pytest

from acme_lib.distance import law_distance, law_distance_by_chance

P = np.array([0.5, 0.3, 0.2])


@pytest.mark.parametrize("samples", [(400,), (400, 250)])
def test_distance_by_chance_is_the_mean_distance_of_samples(samples):
    rng = np.random.default_rng(5)
    shares = [rng.multinomial(size, P, size=20_000) / size for size in samples]
    other = P if len(samples) == 1 else shares[1]
    distances = 0.5 * np.abs(shares[0] - other).sum(axis=1)
    # for counts of a hundred the normal law behind the formula is right to about one in a hundred
    assert law_distance_by_chance(P, samples) == pytest.approx(distances.mean(), rel=0.01)
    assert law_distance(shares[0][0], P) == pytest.approx(0.5 * np.abs(shares[0][0] - P).sum())


def test_rare_states_add_at_most_what_they_hold():
    """A state with p much below one in a sample: nearly all samples miss it, and the difference is p twice."""
    rare = np.full(1000, 1e-6)
    law = np.append(rare, 1.0 - rare.sum())
    assert law_distance_by_chance(rare, (10,)) == pytest.approx(rare.sum())
    assert law_distance_by_chance(law, (10,)) > rare.sum()
