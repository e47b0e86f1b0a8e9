"""One model, written for two rooms, is one model: every pair of the augmented equation, jump-drift paths, populations
and lineages takes the same objects and gives the same numbers, or refuses by name what it cannot do.

Statistical checks state their false-positive rate; with fixed seeds a failure means a change, not chance.
"""

import numpy as np
import pytest
from scipy import stats

import acme_lib as acme
from acme_lib import augmented
from acme_lib.errors import ParameterError
from acme_lib.processes import (
    Adder,
    ArbitraryJump,
    BetaFraction,
    ExponentialJump,
    FixedFraction,
    FixedJump,
    GammaJump,
    Hazard,
    PowerLawKernel,
    SelfSimilarKernel,
    Sizer,
    Timer,
    UniformJump,
)
from tests.marks import always
from tests.statistics import FALSE_POSITIVE

Z = stats.norm.isf(FALSE_POSITIVE / 2)


def rng(seed=1):
    return np.random.default_rng(seed)


def parse(text, **parameters):
    return acme.ReactionNetwork.parse(text, **parameters)


def agree(a, b):
    """Whether two independent samples have one mean and one spread, and what error of the mean was looked for."""
    for x, y in ((a, b), ((a - a.mean()) ** 2, (b - b.mean()) ** 2)):
        error = np.sqrt(x.var(ddof=1) / len(x) + y.var(ddof=1) / len(y))
        if not abs(x.mean() - y.mean()) < Z * error:
            return False
    return True


# --- bursts: augmented, jump-drift, population ------------------------------------------------------------------------

SIZES = [
    ExponentialJump(0.5),
    GammaJump(0.5, 0.6),
    GammaJump(mean=0.5, shape=4.0),
    FixedJump(0.5),
    UniformJump(0.1, 0.9),
]


@pytest.mark.jit
@pytest.mark.parametrize(
    "size", [*SIZES[:2], *(pytest.param(size, marks=pytest.mark.thorough) for size in SIZES[2:])], ids=str
)
def test_bursts_in_three_rooms(size):
    """Bursts at the rate 4, decay 1, up to time 3, from none: one law of P in all."""
    text, paths = "0 => P : r\nP -> 0 : 1", 3000
    options = {"continuous": ["P"], "bursts": {"0 => P": size}, "size": paths, "progress": False}
    network = parse(text, r=4.0)
    followed = acme.simulate_jump_drift(network, {"P": 0.0}, 3.0, rng=rng(1), **options)["P"][:, -1]
    counted = acme.simulate_population(network, {"P": 0.0}, 3.0, rng=rng(2), **options)["P"][:, -1].ravel()
    assert stats.ks_2samp(followed, counted).pvalue > FALSE_POSITIVE

    space = augmented.AugmentedSpace(parse("P -> 0 : 1"), P=augmented.Continuum(upper=16.0, cells=640))
    system = augmented.build_augmented(space, augmented.Burst("P", 4.0, size), diffusion=False)
    start = np.zeros(space.shape)
    start[0] = 1.0 / space["P"].dx
    law = augmented.solve_augmented(system, start, 3.0)
    density = law.marginal("P")[-1]
    cdf = np.concatenate([[0.0], np.cumsum(density) * space["P"].dx])
    edges = np.linspace(0.0, 16.0, 641)
    for sample in (followed, counted):
        assert stats.kstest(sample, lambda x: np.interp(x, edges, cdf)).pvalue > FALSE_POSITIVE
        error = sample.std(ddof=1) / np.sqrt(paths)
        # a start in the first cell is half a cell too far
        assert abs(sample.mean() - law.mean("P")[-1]) < Z * error + 0.013 < 0.1 * sample.mean()


# --- divisions: augmented, jump-drift, population ---------------------------------------------------------------------

TEXT = "0 => V : g*V\n0 => M : k*V\nM -> 0 : d"
RATES = {"g": 1.0, "k": 2.0, "d": 0.5}
HAZARDS = [
    Hazard("2*V^2", share="uniform"),
    Hazard("2*V^2", share=FixedFraction(0.3), partition={"M": "equal"}),
    Hazard("2*V^2", share=BetaFraction(2.0, 4.0), partition={"M": "copied"}),
    Hazard("2*V^2", partition={"M": "reset"}),
]


def divided(hazard, *processes):
    """The model in the augmented room: shares, words and rate are taken from the very object of the simulators."""
    most = 44 if hazard.partition.get("M") == "copied" else 24
    space = augmented.AugmentedSpace(
        parse(TEXT, **RATES), M=augmented.Discrete(most), V=augmented.Continuum(upper=4.2, cells=63)
    )
    division = augmented.Fragmentation("V", hazard.rate, hazard.share, hazard.partition)
    return augmented.build_augmented(space, division, *processes, diffusion=False)


@pytest.mark.jit
@pytest.mark.parametrize("hazard", always(1, HAZARDS), ids=str)
def test_divisions_that_keep_both_daughters(hazard):
    """Augmented and population: growth rate, mean volume and mean content of the settled population."""
    mode = augmented.solve_growth_mode(divided(hazard), max_leak=1e-3)
    cells = acme.simulate_population(
        parse(TEXT, **RATES), {"V": 1.0, "M": 2}, [3.0, 6.0], continuous=["V"], division=hazard, size=4800,
        replicates=24, rng=rng(3), progress=False,
    )  # fmt: skip
    z = stats.t.isf(FALSE_POSITIVE / 2, 23)
    rate, error = cells.growth_rate(start=3.0)
    assert abs(rate - mode.rate) < z * error + 2e-3 < 0.2 * rate
    for name in ("V", "M"):
        mean, error = cells.mean(name, 6.0)
        assert abs(mean - mode.mean(name)) < z * error + 2e-3 * mean < 0.25 * mean


def follow(hazard, size=2500):
    options = {"continuous": ["V"], "division": hazard, "size": size, "rng": rng(4), "progress": False}
    return acme.simulate_jump_drift(parse(TEXT, **RATES), {"V": 1.0, "M": 2}, 5.0, **options)


# Half of the divisions and as many deaths keep one daughter on average: the equation of a lineage is
# ∂q/∂t = Lq - Bq + ½∫Bκq, which is that of a population with divisions and deaths at the rate B/2 each.


def halved(hazard):
    return Hazard(f"0.5*({hazard.rate})", hazard.share, hazard.partition)


@pytest.mark.jit
@pytest.mark.parametrize("hazard", always(1, HAZARDS), ids=str)
def test_a_population_that_keeps_one_daughter_is_of_jump_drift_paths(hazard):
    half, paths = halved(hazard), follow(hazard)
    cells = acme.simulate_population(
        parse(TEXT, **RATES), {"V": 1.0, "M": 2}, 5.0, continuous=["V"], division=half, death=half.rate, size=3600,
        replicates=24, rng=rng(5), progress=False,
    )  # fmt: skip
    z = stats.t.isf(FALSE_POSITIVE / 2, 23)
    for name in ("V", "M"):
        sample = paths[name][:, -1]
        mean, error = cells.mean(name, 5.0)
        assert abs(mean - sample.mean()) < z * np.hypot(error, sample.std(ddof=1) / np.sqrt(len(sample))) < 0.4 * mean


@pytest.mark.jit
@pytest.mark.parametrize("hazard", always(1, HAZARDS), ids=str)
def test_the_augmented_equation_that_keeps_one_daughter_is_of_jump_drift_paths(hazard):
    half, paths = halved(hazard), follow(hazard)
    law = augmented.solve_growth_mode(divided(half, augmented.Death(half.rate)), max_leak=1e-3)
    assert abs(law.rate) < 5e-3  # nobody is made or lost on average
    for name in ("V", "M"):
        sample = paths[name][:, -1]
        error = sample.std(ddof=1) / np.sqrt(len(sample))
        assert abs(sample.mean() - law.mean(name)) < Z * error + 2e-3 * sample.mean() < 0.2 * sample.mean()


# --- lineages: with each of the other three ---------------------------------------------------------------------------

# With a scatter of 1 what is to be lived through or added is exponential, and the division has no memory: each rule is
# a rate of the state. (The volume at which a Sizer divides is drawn above that at birth.)
G = 0.8
RULES = [
    (lambda **options: Timer(1.25, cv=1.0, **options), "1/1.25"),
    (lambda **options: Adder(1.5, cv=1.0, **options), "g*V/1.5"),
    (lambda **options: Sizer(1.5, cv=1.0, **options), "g*V/1.5"),
]
CONTENTS = [
    {},
    {"share": FixedFraction(0.3), "partition": {"P": "equal"}},
    {"share": "uniform", "partition": {"P": "copied"}},
    {"share": BetaFraction(2.0, 3.0), "partition": {"P": "reset"}},
]


@pytest.mark.jit
@pytest.mark.parametrize("options", always(1, CONTENTS), ids=str)
@pytest.mark.parametrize(("rule", "rate"), RULES)
def test_a_lineage_is_a_jump_drift_path(rule, rate, options):
    size, counted = 2500, "0 => P : k*V\nP -> 0 : d"
    lineage = acme.simulate_lineage(
        parse(counted, k=4.0, d=0.5, V=1.0),
        {"P": 3},
        2.5,
        division=rule(**options),
        growth_rate=G,
        size=size,
        rng=rng(6),
    )
    paths = acme.simulate_jump_drift(
        parse("0 => V : g*V\n" + counted, g=G, k=4.0, d=0.5), {"V": 1.0, "P": 3}, 2.5, continuous=["V"],
        division=Hazard(rate, **options), size=size, rng=rng(7), progress=False,
    )  # fmt: skip
    # equal shares leave atoms, which the tolerance of a path must not tear apart
    logs = np.round(np.log(lineage.volumes[:, -1]), 3), np.round(np.log(paths["V"][:, -1]), 3)
    assert stats.ks_2samp(*logs).pvalue > FALSE_POSITIVE
    assert agree(*logs)
    assert agree(lineage["P"][:, -1].astype(float), paths["P"][:, -1])


@pytest.mark.jit
@pytest.mark.parametrize("options", always(1, CONTENTS), ids=str)
@pytest.mark.parametrize(("rule", "rate"), RULES[1:])
def test_trees_are_a_population(rule, rate, options):
    """Both daughters: the number of cells, and the mean volume and content of those that live at the end."""
    founders, counted = 600, "0 => P : k*V\nP -> 0 : d"
    network = parse(counted, k=4.0, d=0.5, V=1.0)
    tree = acme.simulate_tree(
        network, {"P": 3}, 2.0, division=rule(**options), growth_rate=G, size=founders, rng=rng(8)
    )
    alive = tree.alive_at(2.0)
    number = np.bincount(tree.founder[alive], minlength=founders)
    cells = acme.simulate_population(
        parse("0 => V : g*V\n" + counted, g=G, k=4.0, d=0.5), {"V": 1.0, "P": 3}, 2.0, continuous=["V"],
        division=Hazard(rate, **options), size=6000, replicates=30, rng=rng(9), progress=False,
    )  # fmt: skip
    z = stats.t.isf(FALSE_POSITIVE / 2, 29)
    size, error = cells.size(2.0)
    assert abs(number.mean() - size) < z * np.hypot(error, number.std() / np.sqrt(founders)) < 0.4 * size
    for name, values in (("V", tree.end_volumes[alive]), ("P", tree.at_end("P")[alive])):
        # a ratio of sums over founders, whose relatives are alike
        sums = np.bincount(tree.founder[alive], weights=values, minlength=founders)
        ratio = sums.sum() / number.sum()
        spread = (sums - ratio * number).std() / (np.sqrt(founders) * number.mean())
        mean, error = cells.mean(name, 2.0)
        assert abs(mean - ratio) < z * np.hypot(error, spread) < 0.4 * mean


@pytest.mark.jit
@pytest.mark.parametrize("options", CONTENTS[:2], ids=str)
def test_a_settled_lineage_is_the_augmented_equation(options):
    """One daughter, as above: half of the divisions, and as many deaths."""
    size, hazard = 2500, Hazard("0.5*g*V", **options)
    lineage = acme.simulate_lineage(
        parse("0 => P : k*V\nP -> 0 : d", k=1.0, d=1.0, V=1.0), {"P": 3}, 9.0, division=Adder(1.0, cv=1.0, **options),
        growth_rate=1.0, size=size, rng=rng(10),
    )  # fmt: skip
    network = parse("0 => V : g*V\n0 => P : k*V\nP -> 0 : d", g=1.0, k=1.0, d=1.0)
    space = augmented.AugmentedSpace(network, P=augmented.Discrete(24), V=augmented.Continuum(upper=14.0, cells=112))
    system = augmented.build_augmented(
        space, augmented.Fragmentation("V", hazard.rate, hazard.share, hazard.partition), augmented.Death(hazard.rate),
        diffusion=False,
    )  # fmt: skip
    law = augmented.solve_growth_mode(
        system, max_leak=1e-3
    )  # each on its own dies or divides; the number on average stays
    assert abs(law.rate) < 5e-3
    for name, values in (("V", lineage.volumes[:, -1]), ("P", lineage["P"][:, -1])):
        error = values.std(ddof=1) / np.sqrt(size)
        assert abs(values.mean() - law.mean(name)) < Z * error + 5e-3 * values.mean() < 0.15 * values.mean()


# --- what a room cannot do, it refuses by name ------------------------------------------------------------------------


def jump_drift(**options):
    return acme.simulate_jump_drift(parse("0 => V : V"), {"V": 1.0}, 1.0, continuous=["V"], rng=rng(), **options)


def population(**options):
    return acme.simulate_population(parse("0 => V : V"), {"V": 1.0}, 1.0, continuous=["V"], rng=rng(), **options)


def lineage(**options):
    options = {"division": Timer(1.0)} | options
    return acme.simulate_lineage(parse("P -> 0 : 1"), {}, 1.0, growth_rate=1.0, rng=rng(), **options)


def tree(**options):
    options = {"division": Timer(1.0)} | options
    return acme.simulate_tree(parse("P -> 0 : 1"), {}, 1.0, growth_rate=1.0, rng=rng(), **options)


def build(*processes):
    space = augmented.AugmentedSpace(parse("P -> 0 : 1"), P=augmented.Continuum(upper=9.0, cells=9))
    return augmented.build_augmented(space, *processes)


PATHS = {"simulate_jump_drift": jump_drift, "simulate_population": population}
LINEAGES = {"simulate_lineage": lineage, "simulate_tree": tree}


@pytest.mark.parametrize("who", PATHS)
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bursts": {"0 => V": ExponentialJump("40*V")}}, "{who} takes burst sizes as numbers, and mean='40.V' of Exp"),
        ({"bursts": {"0 => V": UniformJump(1.0, "V")}}, "{who} takes burst sizes as numbers, and high='V' of Uniform"),
        ({"bursts": {"0 => V": ArbitraryJump("exp(-z)")}}, "{who} cannot draw an ArbitraryJump"),
        ({"bursts": {"0 => V": ("exponential", 0.2)}}, "is now written ExponentialJump.0.2."),
        ({"division": Timer(1.0)}, "{who} cannot divide by a Timer: use simulate_lineage or simulate_tree"),
        ({"division": Sizer(1.0)}, "{who} cannot divide by a Sizer: use simulate_lineage or simulate_tree"),
        ({"division": Adder(1.0)}, "{who} cannot divide by an Adder: use simulate_lineage or simulate_tree"),
        ({"division": Hazard("1", share=PowerLawKernel(1.0))}, "{who} cannot draw the daughters of PowerLawKernel"),
        ({"division": Hazard("1", share=SelfSimilarKernel("2"))}, "{who} cannot draw the daughters of SelfSimilar"),
        (
            {"division": Hazard("1", partition={"V": "binomial"})},
            "V is continuous and cannot be partitioned 'binomial'",
        ),
    ],
)
def test_paths_and_populations_refuse_by_name(who, options, words):
    with pytest.raises(ParameterError, match=words.format(who=who)):
        PATHS[who](**options)


@pytest.mark.parametrize("who", LINEAGES)
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"division": Hazard("1")}, "{who} cannot divide by a Hazard: use simulate_population, simulate_jump_drift or"),
        (
            {"division": Adder(1.0, share=SelfSimilarKernel("2"))},
            "{who} cannot draw the daughters of SelfSimilarKernel",
        ),
        ({"division": Adder(1.0, partition="proportional")}, "P is a count and cannot be partitioned 'proportional'"),
        ({"bursts": {"0 => P": ExponentialJump(0.2)}}, "{who} takes no bursts: use simulate_jump_drift or"),
        ({"continuous": ["P"]}, "{who} takes no continuous: use simulate_jump_drift or simulate_population"),
        ({"share": 0.3}, "{who}: share is now part of the division: write division=Timer.…, share=FixedFraction.0.3.."),
        ({"partition": "copy"}, "{who}: partition is now part of the division: write .*partition='copied'"),
    ],
)
def test_lineages_refuse_by_name(who, options, words):
    with pytest.raises(ParameterError, match=words.format(who=who)):
        LINEAGES[who](**options)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: build(Timer(1.0)), "a process must be a Burst, Fragmentation, Transition, …, got Timer"),
        (lambda: build(Hazard("1")), "a process must be a Burst, Fragmentation, Transition, …, got Hazard"),
        (
            lambda: build(augmented.Burst("P", 1.0, ("gamma", 2.0, 0.2))),
            "is now written GammaJump.mean=0.2, shape=2.0.",
        ),
        (lambda: build(augmented.Fragmentation("P", 1.0, 0.3)), "kernel=0.3 is now written FixedFraction.0.3."),
        (lambda: build(augmented.Fragmentation("P", 1.0, partition="copy")), '"copy" is now written "copied"'),
    ],
)
def test_the_augmented_equation_refuses_by_name(make, words):
    with pytest.raises(ParameterError, match=words):
        make()
