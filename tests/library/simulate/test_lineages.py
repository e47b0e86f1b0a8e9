"""Growth, division and dual reporters, against exact laws; statistical checks state their false-positive rate."""

import numpy as np
import pytest
from scipy import stats

import acme_lib as acme
from acme_lib.processes import SelfSimilarKernel
from tests.statistics import FALSE_POSITIVE, p_value_of_law

Z = stats.norm.isf(FALSE_POSITIVE / 2)


def parse(text, **parameters):
    return acme.ReactionNetwork.parse(text, **parameters)


def seeded(seed=1):
    return np.random.default_rng(seed)


def is_poisson(samples, mean):
    """Mean and variance of samples agree with a Poisson law."""
    n = len(samples)
    return abs(samples.mean() - mean) < Z * np.sqrt(mean / n) and (
        abs(samples.var(ddof=1) - mean) < Z * np.sqrt((mean + 2 * mean**2 * n / (n - 1)) / n)
    )


# --- dual reporters ---------------------------------------------------------------------------------------------------


def test_two_copies_in_one_cell(scaled):
    # With k from cell to cell, X and Y are independent given k and Poisson with mean k/g:
    # Cov(X, Y) = Var k / g², and Var X - Cov(X, Y) = E k / g (the intrinsic part is the Poisson's).
    g, size, cv = 1.0, scaled(20_000, 500), 0.5
    sigma = np.sqrt(np.log1p(cv**2))
    mean_k = 10.0
    network = acme.dual_reporter(parse("0 -> M : k\nM -> 0 : g", k=mean_k, g=g))
    assert network.species == ("M_X", "M_Y") and len(network.reactions) == 4

    def sampler(rng, size):
        return {"k": rng.lognormal(np.log(mean_k) - sigma**2 / 2, sigma, size)}

    ensemble = acme.simulate_ssa(network, {}, 12, size=size, rng=seeded(), parameters=sampler)
    x, y = ensemble["M_X"][:, -1].astype(float), ensemble["M_Y"][:, -1].astype(float)
    dx, dy = x - x.mean(), y - y.mean()
    extrinsic, intrinsic = dx * dy, 0.5 * (dx - dy) ** 2  # the sample means of these are Cov and half Var(X - Y)
    assert abs(extrinsic.mean() - (cv * mean_k) ** 2) < Z * extrinsic.std() / np.sqrt(size)
    assert abs(intrinsic.mean() - mean_k) < Z * intrinsic.std() / np.sqrt(size)
    # and without extrinsic noise they are independent
    ensemble = acme.simulate_ssa(network, {}, 12, size=size, rng=seeded(2))
    assert abs(np.corrcoef(ensemble["M_X"][:, -1], ensemble["M_Y"][:, -1])[0, 1]) < Z / np.sqrt(size - 1)


def test_shared_species_exist_once():
    text = "OFF <-> ON : k_on, k_off\nON -> ON + M : s\nM -> 0 : g\ntotal = M + ON\n0 => P : k*total"
    text += "\nwhen M > 3 : M = 0"
    network = parse(text + "\nat 5 : ON = 1", k_on=1.0, k_off=2.0, s=3.0, g=1.0, k=0.5)
    copies = acme.dual_reporter(network, shared=("OFF", "ON"), names=("cfp", "yfp"))
    assert copies.species == ("OFF", "ON", "M_cfp", "P_cfp", "M_yfp", "P_yfp")
    assert [r.equation for r in copies.reactions] == [
        "OFF -> ON",
        "ON -> OFF",
        "ON -> ON + M_cfp",
        "ON -> ON + M_yfp",
        "M_cfp -> 0",
        "M_yfp -> 0",
        "0 => P_cfp",
        "0 => P_yfp",
    ]
    state = {"ON": 1, "M_cfp": 4, "M_yfp": 6}
    np.testing.assert_allclose(copies.propensities(state), [0, 2, 3, 3, 4, 6, 2.5, 3.5])
    assert [event.name for event in copies.events] == ["event_1_cfp", "event_1_yfp", "event_2"]
    assert "M_cfp > 3" in copies.events[0].text or "3 < M_cfp" in copies.events[0].text
    assert list(copies.events[1].assignments) == ["M_yfp"]


def test_an_event_of_both_copies_sets_no_parameter_of_both():
    text = "0 -> M : k\nM -> 0 : g\nU -> 0 : g\nat 5 : k = 2*k, M = 0\nwhen U < 1 : g = 0"
    copies = acme.dual_reporter(parse(text, k=1.0, g=1.0), shared=["U"])  # doubled at one moment: doubled once
    ensemble = acme.simulate_ssa(copies, {"U": 3}, [0, 9], size=3, rng=seeded())
    assert [e.name for e in copies.events] == ["event_1_X", "event_1_Y", "event_2"] and (ensemble["k"][:, 1] == 2).all()
    for line in ("when M > 3 : k = 0", "at 5 : k = M"):
        with pytest.raises(acme.ParameterError, match="line 3.*each copy would set the parameter k, which both share"):
            acme.dual_reporter(parse(f"0 -> M : k\nM -> 0 : g\n{line}", k=1.0, g=1.0))


def test_a_shared_gene_correlates_the_copies(scaled):
    # Given the gene's history the copies are independent: Cov(X, Y) is the telegraph model's variance beyond its mean,
    # <m> s k_off/((k_on + k_off)(k_on + k_off + g)).
    k_on, k_off, s, g = 1.0, 1.0, 20.0, 1.0
    text = "OFF <-> ON : k_on, k_off\nON -> ON + M : s\nM -> 0 : g"
    network = acme.dual_reporter(parse(text, k_on=k_on, k_off=k_off, s=s, g=g), shared=("OFF", "ON"))
    size = scaled(20_000, 800)
    ensemble = acme.simulate_ssa(network, {"OFF": 1}, 14, size=size, rng=seeded())
    x, y = ensemble["M_X"][:, -1].astype(float), ensemble["M_Y"][:, -1].astype(float)
    product = (x - x.mean()) * (y - y.mean())
    mean = s * k_on / g / (k_on + k_off)
    exact = mean * s * k_off / ((k_on + k_off) * (k_on + k_off + g))
    assert abs(product.mean() - exact) < Z * product.std() / np.sqrt(size)
    assert Z * product.std() / np.sqrt(size) < exact


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shared": ["m"]}, r"the shared species 'm' is not in the network .did you mean 'M'.*it has M, P"),
        ({"names": ("X", "X")}, "names must be two different endings"),
        ({"names": ("X", "Y", "Z")}, "names must be two different endings"),
        ({"names": ("X", "!")}, "the copy of M would be 'M_!', which is no name"),
        ({"names": ("X", "k")}, "the copy of M would be 'M_k', which is taken already"),
    ],
)
def test_copies_that_cannot_be_made(options, message):
    network = parse("0 -> M : M_k\nM -> P : M_k", M_k=1.0)
    with pytest.raises(acme.ParameterError, match=message):
        acme.dual_reporter(network, **options)


def test_a_parameter_of_an_unused_observable_goes_with_it():
    network = parse("0 -> M : k\nK = 2*k\nM -> 0 : K\nshown = a*M", k=1.0, a=2.0)
    copies = acme.dual_reporter(network, shared="M")
    assert dict(copies.parameters) == {"k": 1.0, "K": 2.0} and copies.species == ("M",)


# --- division ---------------------------------------------------------------------------------------------------------


def mother_rows(tree):
    return np.flatnonzero(tree.divided & np.isin(np.arange(len(tree)), tree.parent))


def test_molecules_are_conserved_at_division():
    network = parse("0 -> P : k\nP -> Q : g\nG -> G + P : k", k=9.0, g=1.0)
    rule = acme.Timer(1.0, cv=0.2, partition={"Q": "equal", "G": "copied"})
    tree = acme.simulate_tree(network, {"G": 2}, generations=5, division=rule, size=3, rng=seeded())
    checked = 0
    for mother in mother_rows(tree):
        first, second = tree.daughters(mother)
        np.testing.assert_array_equal(
            tree.birth_counts[first, :2] + tree.birth_counts[second, :2], tree.end_counts[mother, :2]
        )
        q = tree.birth_counts[[first, second], 1]
        assert abs(q[0] - q[1]) <= 1  # halves
        volumes = tree.birth_volumes[[first, second]]
        assert volumes.sum() == pytest.approx(tree.end_volumes[mother], rel=1e-14)
        assert tree.birth_times[first] == tree.birth_times[second] == tree.end_times[mother]
        assert tree.generation[first] == tree.generation[mother] + 1 and tree.founder[first] == tree.founder[mother]
        checked += 1
    assert checked == 3 * (2**5 - 1)
    assert (tree.at_birth("G") == 2).all() and (tree.at_end("G") == 2).all()
    assert (tree.parent < np.arange(len(tree))).all()


@pytest.mark.parametrize("share", [0.5, 0.3])
def test_partition_is_binomial(share, scaled):
    n, size = 40, scaled(10_000, 2_000)
    rule = acme.Timer(1.0, share=acme.FixedFraction(share))
    tree = acme.simulate_tree(parse("P -> 0 : g", g=0.0), {"P": n}, 1.5, division=rule, size=size, rng=seeded())
    first = tree.at_birth("P")[size::2]
    law = stats.binom(n, share)
    assert p_value_of_law(first, law) > FALSE_POSITIVE
    np.testing.assert_allclose(tree.birth_volumes[size::2], 2 * share)
    np.testing.assert_allclose(tree.birth_volumes[size + 1 :: 2], 2 * (1 - share))


def test_odd_molecules_go_to_either_daughter(scaled):
    size = scaled(4_000, 1_000)
    rule = acme.Timer(1.0, partition="equal")
    tree = acme.simulate_tree(parse("P -> 0 : g", g=0.0), {"P": 5}, 1.5, division=rule, size=size, rng=seeded())
    first = tree.at_birth("P")[size::2]
    assert set(first) == {2, 3}
    assert stats.binomtest(int((first == 3).sum()), size, 0.5).pvalue > FALSE_POSITIVE


@pytest.mark.parametrize(
    ("share", "mean", "variance"), [("uniform", 1 / 2, 1 / 12), (acme.BetaFraction(2.0, 3.0), 2 / 5, 1 / 25)]
)
def test_shares_may_be_drawn(share, mean, variance, scaled):
    """Of 2 volumes and 40 molecules: a molecule is in the first daughter where a uniform number is below its share."""
    size = scaled(4_000, 1_000)
    rule = acme.Timer(1.0, share=share, partition={"Q": "reset"})
    network = parse("P -> 0 : g\nQ -> 0 : g", g=0.0)
    tree = acme.simulate_tree(network, {"P": 40, "Q": 3}, 1.5, division=rule, size=size, rng=seeded())
    volumes, p = tree.birth_volumes[size::2], tree.at_birth("P")[size::2]
    assert abs(volumes.mean() / 2 - mean) < Z * np.sqrt(variance / size)
    np.testing.assert_allclose(volumes + tree.birth_volumes[size + 1 :: 2], 2.0)
    spread = 40 * mean * (1 - mean) + 40 * 39 * variance
    assert abs(p.mean() - 40 * mean) < Z * np.sqrt(spread / size)
    # given its share each count is binomial: the rest about 40 u is independent of u
    rest = p - 20 * volumes
    assert abs(np.corrcoef(rest, volumes)[0, 1]) < Z / np.sqrt(size)
    assert not tree.at_birth("Q")[size:].any()


@pytest.mark.parametrize("g", [0, 1, 6])
def test_a_tree_has_all_cells_of_its_generations(g):
    network = parse("0 -> P : k", k=2.0)
    for division, rate in [(acme.Timer(2.0), None), (acme.Sizer(2.0, cv=0.1), 0.5), (acme.Adder(1.0, cv=0.1), 0.5)]:
        tree = acme.simulate_tree(network, {}, generations=g, division=division, growth_rate=rate, size=2, rng=seeded())
        assert len(tree) == 2 * (2 ** (g + 1) - 1) and tree.divided.all()
        np.testing.assert_array_equal(np.bincount(tree.generation), 2 * 2 ** np.arange(g + 1))
        np.testing.assert_array_equal(np.bincount(tree.parent[tree.parent >= 0], minlength=1)[: 2 * (2**g - 1)], 2)
    assert repr(tree) == f"CellTable of {len(tree)} cells from 2 (generations 0 … {g}; {len(tree)} divided)"


def test_a_tree_up_to_a_time():
    tree = acme.simulate_tree(parse("0 -> P : k", k=2.0), {}, 3.5, division=acme.Timer(1.0), rng=seeded())
    assert [len(tree.alive_at(t)) for t in (0.0, 0.9, 1.0, 2.5, 3.5)] == [1, 1, 2, 4, 8]
    alive = tree.alive_at(3.5)
    assert not tree.divided[alive].any() and (tree.end_times[alive] == 3.5).all()
    np.testing.assert_allclose(tree.end_volumes[alive], np.sqrt(2))
    # a division at the very end is done
    tree = acme.simulate_tree(parse("0 -> P : k", k=2.0), {}, 3, division=acme.Timer(1.0), rng=seeded())
    assert len(tree.alive_at(3.0)) == 8 and len(tree) == 15


# --- laws of lineages -------------------------------------------------------------------------------------------------


def test_a_stable_protein_in_a_timer_is_poisson_at_birth(scaled):
    # Made at rate k for a time T and halved: from 0 the count at birth of generation n is Poisson(k T (1 - 2^-n)).
    k, period, size = 12.0, 1.5, scaled(4_000, 300)
    lineage = acme.simulate_lineage(
        parse("0 -> P : k", k=k), {}, 14, division=acme.Timer(period), size=size, rng=seeded()
    )
    cells = lineage.cells
    for n in (1, 2, 8):
        at_birth = cells.at_birth("P")[cells.generation == n]
        assert len(at_birth) == size
        assert is_poisson(at_birth, k * period * (1 - 0.5**n))
    assert is_poisson(cells.at_end("P")[cells.generation == 8], k * period * (2 - 0.5**8))
    assert is_poisson(lineage["P"][:, -1], k * period * (1 - 0.5**9) + k * (14 - 9 * period))


def test_production_with_the_volume_in_an_adder(scaled):
    # At rate k V a cycle makes k Δ/g molecules on average, whatever the volume at birth; halved: k Δ/g at birth. With a
    # constant Δ the count is Poisson.
    k, g, added, size = 10.0, 0.8, 1.3, scaled(4_000, 300)
    network = parse("0 => P : k*V", k=k, V=1.0)
    tree = acme.simulate_lineage(
        network, {}, 9, division=acme.Adder(added), growth_rate=g, birth_volume=added, size=size, rng=seeded()
    ).cells
    np.testing.assert_allclose(tree.birth_volumes, added)
    np.testing.assert_allclose(tree.end_volumes[tree.divided], 2 * added)
    assert is_poisson(tree.at_birth("P")[tree.generation == 7], k * added / g * (1 - 0.5**7))
    # with a noisy Δ: the same mean, and volumes at birth of variance Var(Δ)/3
    cv = 0.2
    tree = acme.simulate_tree(
        network, {}, generations=7, division=acme.Adder(added, cv=cv), growth_rate=g, size=scaled(40, 3), rng=seeded(4)
    )
    last = tree.generation == 7
    volumes = tree.birth_volumes[last]
    roots = tree.founder[last]
    means = np.array([volumes[roots == f].mean() for f in np.unique(roots)])
    assert abs(means.mean() - added * (1 - 0.5**7) - 0.5**7) < Z * added * cv / np.sqrt(len(means))
    p = tree.at_birth("P")[last]
    means = np.array([p[roots == f].mean() for f in np.unique(roots)])
    exact = k * added / g * (1 - 0.5**7)
    assert abs(means.mean() - exact) < Z * np.sqrt((exact + (k / g * added * cv) ** 2) / len(means))


def test_volumes_at_birth_in_a_noisy_adder(scaled):
    # V' = (V + Δ)/2: mean Δ, variance Var(Δ)/3.
    cv, size = 0.3, scaled(4_000, 1_000)
    cells = acme.simulate_lineage(
        parse("P -> 0 : g", g=1.0), {}, 12, division=acme.Adder(1.0, cv=cv), growth_rate=1.0, size=size, rng=seeded()
    ).cells
    volumes = cells.birth_volumes[cells.generation == 9]
    assert len(volumes) == size
    assert abs(volumes.mean() - 1) < Z * cv / np.sqrt(3 * size)
    assert abs(volumes.var(ddof=1) - cv**2 / 3) < Z * cv**2 / 3 * np.sqrt(3 / size)


def test_volumes_in_sizers_and_linear_growth():
    network = parse("0 => P : k*V\nP -> 0 : g*V_birth", k=3.0, V=0.7, g=1.0, V_birth=0.1)
    for growth in ("exponential", "linear"):
        lineage = acme.simulate_lineage(
            network, {}, np.linspace(0, 6, 61), division=acme.Sizer(2.0), growth_rate=0.9, growth=growth, rng=seeded()
        )
        cells = lineage.cells
        assert cells.birth_volumes[0] == 0.7
        np.testing.assert_allclose(cells.birth_volumes[1:], 1.0)
        np.testing.assert_allclose(cells.end_volumes[cells.divided], 2.0)
        life = (cells.end_times - cells.birth_times)[cells.divided]
        full = np.log(2) / 0.9 if growth == "exponential" else 1 / 0.9
        np.testing.assert_allclose(life[1:], full)
        assert lineage.volumes.min() >= 0.7 and lineage.volumes.max() <= 2.0
        np.testing.assert_allclose(lineage.concentration("P"), lineage["P"] / lineage.volumes)


def test_linear_growth_reaches_the_rates(scaled):
    # Up to t = 2 without a division: the number is Poisson with k (V_b t + g t²/2).
    network = parse("0 => P : k*V", k=4.0, V=1.5)
    lineage = acme.simulate_lineage(
        network,
        {},
        2,
        division=acme.Sizer(50.0),
        growth_rate=0.5,
        growth="linear",
        size=scaled(4_000, 300),
        rng=seeded(),
    )
    assert is_poisson(lineage["P"][:, -1], 4.0 * (1.5 * 2 + 0.5 * 2))


def test_sizers_draw_volumes_above_the_volume_at_birth():
    lineage = acme.simulate_lineage(
        parse("P -> 0 : g", g=1.0), {}, 20, division=acme.Sizer(2.0, cv=0.4), growth_rate=1.0, size=60, rng=seeded()
    )
    cells = lineage.cells
    assert np.all(cells.end_times >= cells.birth_times) and np.all(cells.end_volumes >= cells.birth_volumes)
    assert cells.end_volumes[cells.divided].std() > 0.2


def test_counts_along_a_lineage_are_those_of_its_cells():
    times = np.linspace(0, 7, 29)
    network = parse("0 -> P : k\nP -> 0 : g\nat 3.25 : P = P + 100", k=20.0, g=0.3)
    lineage = acme.simulate_lineage(network, {"P": 9}, times, division=acme.Timer(1.0, cv=0.3), size=5, rng=seeded())
    cells = lineage.cells
    assert len(lineage) == 5 and lineage.species == ("P",) and (lineage["P"][:, 0] == 9).all()
    for f in range(5):
        rows = np.flatnonzero(cells.founder == f)
        np.testing.assert_array_equal(cells.birth_times[rows[1:]], cells.end_times[rows[:-1]])
        np.testing.assert_array_equal(cells.parent[rows[1:]], rows[:-1])
        assert cells.end_times[rows[-1]] == 7 and not cells.divided[rows[-1]] and cells.divided[rows[:-1]].all()
        assert cells.at_end("P")[rows[-1]] == lineage["P"][f, -1]
        assert np.all(cells.at_birth("P")[rows[1:]] <= cells.at_end("P")[rows[:-1]])
    assert (lineage["P"][:, 13] > lineage["P"][:, 12] + 50).all()  # the dose reaches the cell that lives at 3.25
    with pytest.raises(ValueError, match="read-only"):
        lineage.counts[0, 0, 0] = 1


def test_daughters_inherit_parameters(scaled):
    k = np.array([1.0, 200.0])
    lineage = acme.simulate_lineage(
        parse("0 -> P : k\nP -> 0 : g", k=1.0, g=5.0), {}, np.linspace(4, 8, 30), division=acme.Timer(1.0), size=2,
        rng=seeded(), parameters={"k": k},
    )  # fmt: skip
    assert lineage["P"][0, 5:].max() < 8 < lineage["P"][1, 5:].min()


def test_same_seed_same_cells_on_any_number_of_threads():
    network = parse("0 => P : k*V\nP -> 0 : g", k=20.0, g=0.1, V=1.0)

    def run(threads):
        rng = seeded(5)
        return acme.simulate_tree(
            network, {}, 5, division=acme.Adder(1.0, cv=0.2), growth_rate=0.8, size=3, rng=rng, threads=threads
        )

    one, four = run(1), run(4)
    for name in ("parent", "end_times", "birth_volumes", "birth_counts", "end_counts"):
        np.testing.assert_array_equal(getattr(one, name), getattr(four, name))
    assert one.seed == four.seed and len({tuple(one.end_counts[i]) for i in range(len(one))}) > 5


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"division": "adder"}, r"division must be one of Timer, Sizer, Adder, such as Adder\(1.0\), got 'adder'"),
        ({"division": acme.Hazard("V")}, "simulate_lineage cannot divide by a Hazard: use simulate_population"),
        (
            {"division": acme.Timer(1.0, share=SelfSimilarKernel("2"))},
            "simulate_lineage cannot draw the daughters of SelfSimilarKernel",
        ),
        ({"growth": "fast"}, "growth must be 'exponential' or 'linear', got 'fast'"),
        ({"growth_rate": None}, "growth_rate is missing"),
        ({"growth_rate": 0}, "growth_rate must be a positive number, got 0"),
        ({"growth_rate": "x"}, "growth_rate must be a positive number, got 'x'"),
        ({"share": 0.3}, r"share is now part of the division: write division=Adder\(…, share=FixedFraction\(0.3\)\)"),
        ({"partition": {"P": "copy"}}, r"write division=Adder\(…, partition={'P': 'copied'}\)"),
        ({"birth_volume": -1}, "birth_volume must be a positive number"),
        ({"birth_volume": [1, 2, 3]}, "or one for each of 1 cells"),
        ({"birth_volume": 3.0, "division": acme.Sizer(2.0)}, "born with the volume 3, larger than"),
        ({"division": acme.Timer(1.0, partition={"Q": "copied"})}, "partition names 'Q', which is none of P"),
        ({"division": acme.Timer(1.0, partition="proportional")}, "P is a count and cannot be partitioned 'proport"),
        ({"parameters": {"V": [1.0]}}, "V is the volume and cannot be a parameter by lineage"),
        ({"rng": 1}, "rng must be a numpy.random.Generator"),
        ({"network": "0 -> P"}, "network must be a ReactionNetwork"),
        ({"network": parse("K = 2*V\n0 -> P : K", V=1.0)}, r"line 1.*K is a constant, and the volume V grows"),
        (
            {"network": parse("0 -> P : V\nat 1 : V = 1", V=1.0)},
            "line 2.*an event sets V, so that it cannot be the volume",
        ),
        ({"max_events": 0}, "max_events must be a whole number"),
        ({"size": 0}, "size must be a whole number"),
    ],
)
def test_bad_arguments_say_how_to_fix_them(change, message):
    arguments = {"network": parse("0 => P : k*V", k=1.0, V=1.0), "division": acme.Adder(1.0), "growth_rate": 1.0}
    arguments |= {"rng": seeded(), **change}
    with pytest.raises(acme.ParameterError, match=message):
        acme.simulate_lineage(arguments.pop("network"), {}, 3, **arguments)


def test_an_event_happens_once_in_a_line_of_descent(scaled):
    # 1, 2, then 4 cells divide at every whole time; a dose at 2.5 goes to four cells, not to their daughters too.
    rule = acme.Timer(1.0)
    dose = parse("0 -> P : k\nat 2.5 : P = P + 100", k=0.0)
    tree = acme.simulate_tree(dose, {}, 5.5, division=rule, rng=seeded())
    assert tree.at_end("P")[tree.alive_at(5.5)].sum() == 400
    lineage = acme.simulate_lineage(
        parse("0 -> P : k\nwhen P >= 3 : P = 0, k = 0", k=9.0), {}, 8, division=rule, rng=seeded()
    )
    assert lineage["P"][0, -1] == 0 and not lineage.cells.at_end("P")[4:].any()
    # Production that ends at 2.5 stays ended in all descendants: molecules are made for 1 + 2 + 4/2 cell times.
    k, size = 6.0, scaled(2_000, 100)
    for given in (None, {"k": np.full(size, k)}):
        network = parse("0 -> P : k\nat 2.5 : k = 0", k=k if given is None else 1.0)
        tree = acme.simulate_tree(network, {}, 4.5, division=rule, size=size, rng=seeded(2), parameters=given)
        alive = tree.alive_at(4.5)
        made = np.bincount(tree.founder[alive], tree.at_end("P")[alive], minlength=size)
        assert p_value_of_law(made, stats.poisson(5 * k)) > FALSE_POSITIVE


def test_bad_trees_and_rules():
    network, rule = parse("0 -> P : k", k=1.0), acme.Timer(1.0)
    for options, message in [
        ({}, "give either t, the end of the simulation, or generations"),
        ({"t": 1, "generations": 2}, "give either t"),
        ({"generations": -1}, "generations must be a whole number of at least 0"),
        ({"t": 9, "max_cells": 40}, "more than max_cells=40 cells in generation 5"),
    ]:
        with pytest.raises(acme.ParameterError, match=message):
            acme.simulate_tree(network, {}, division=rule, rng=seeded(), **options)
    with pytest.raises(TypeError, match="unexpected keyword argument 'shares'"):
        acme.simulate_tree(network, {}, 1, division=rule, rng=seeded(), shares=1)
    tree = acme.simulate_tree(network, {}, generations=1, division=rule, rng=seeded())
    with pytest.raises(acme.ParameterError, match="'Q' is not a species of these cells: P"):
        tree.at_birth("Q")
