"""The warning light is red where the measured error is large and green where it is small; the comparison, its figure.

The errors are measured against the master equation on a spread of models. Green promises: mean and standard deviation
within 5 % (rate equations: the mean), the law within a total variation of 0.06; whatever is worse than 15 %, or than a
total variation of 0.15, is red.
"""

import math

import numpy as np
import pytest

import acme_lib as acme
from acme_lib import models
from acme_lib.approximate import assess, trust
from acme_lib.plot import draw_comparison, png, show_comparison
from tests.marks import always

LEAKY = "OFF <-> ON : k, k\nOFF -> OFF + M : low\nON -> ON + M : high\nM -> 0 : g"
NEGATIVE = "0 => P : hillr(P, a, K, n)\nP -> 0 : g"
POSITIVE = "0 => P : r + hill(P, a, K, n)\nP -> 0 : g"


def parse(text, **parameters):
    return acme.ReactionNetwork.parse(text, **parameters)


def rng():
    return np.random.default_rng(5)


SPREAD = {
    **{f"birth-death {k}": (models.birth_death(k=k), None) for k in (0.5, 1, 4, 16, 150)},
    "telegraph slow": (models.telegraph(0.05, 0.05, 40), {"OFF": 1}),
    "telegraph arcsine": (models.telegraph(0.5, 0.5, 40), {"OFF": 1}),
    "telegraph bursts": (models.telegraph(0.5, 5, 50), {"OFF": 1}),
    "telegraph fast": (models.telegraph(20, 20, 80), {"OFF": 1}),
    "leaky slow": (parse(LEAKY, k=0.05, low=60, high=140, g=1), {"OFF": 1}),
    "leaky even": (parse(LEAKY, k=1.0, low=60, high=140, g=1), {"OFF": 1}),
    "leaky fast": (parse(LEAKY, k=4.0, low=60, high=140, g=1), {"OFF": 1}),
    "two-stage low": (models.two_stage(1, 5, 1, 0.2), None),
    "two-stage high": (models.two_stage(30, 2, 1, 1), None),
    "dimers few": (models.dimerisation(k=3, c=5, g_d=1), None),
    "dimers": (models.dimerisation(k=60, c=0.5, g_d=2), None),
    "repression": (parse(NEGATIVE, a=100, K=20, n=2, g=1), None),
    "repression few": (parse(NEGATIVE, a=20, K=2, n=4, g=1), None),
    "repression steep": (parse(NEGATIVE, a=40, K=10, n=8, g=1), None),
    "activation": (parse(POSITIVE, r=2, a=20, K=15, n=2, g=1), None),
    "activation bistable": (parse(POSITIVE, r=5, a=60, K=30, n=3, g=1), None),
    "activation weak": (parse(POSITIVE, r=8, a=60, K=60, n=1, g=1), None),
    "toggle": (models.toggle_switch(), None),
    "toggle one-sided": (models.toggle_switch(20, 5, 5, 2), None),
    "schlogl": (models.schlogl(), None),
    "schlogl one mode": (models.schlogl(k_3=300.0), None),
    "annihilation": (parse("0 -> A : k\n0 -> B : k\nA + B -> 0 : c\nA -> 0 : g\nB -> 0 : g", k=3, c=3, g=1), None),
    "infection": (models.sis(), {"I": 50}),
}
QUICK = ["master equation", "rate equations", "linear noise", "Fokker-Planck"]
CLOSURES = ["master equation", "normal closure", "log-normal closure", "zero-cumulant closure"]
NONLINEAR = (
    "dimers few",
    "dimers",
    "repression few",
    "toggle",
    "schlogl",
    "schlogl one mode",
    "annihilation",
    "infection",
)


def errors(comparison, row):
    """Largest relative error of mean and standard deviation, and largest total variation, over species."""
    exact = comparison[comparison.reference]
    with np.errstate(all="ignore"):
        mean = np.abs(row.means / exact.means - 1)
        spread = np.abs(np.sqrt(np.maximum(row.variances, 0) / exact.variances) - 1)
    worst = [x for x in [*mean, *spread] if not math.isnan(x)]
    distances = [comparison.distance(row.method, name) for name in comparison.species]
    return max(worst), max((d for d in distances if not math.isnan(d)), default=math.nan)


@pytest.mark.jit
@pytest.mark.parametrize("name", always(6, SPREAD))
def test_the_light_is_red_where_the_error_is_large_and_green_where_it_is_small(name):
    check_lights(name, QUICK if len(SPREAD[name][0].species) == 1 else QUICK[:-1])


@pytest.mark.jit
@pytest.mark.parametrize("name", always(3, NONLINEAR))
def test_the_light_of_closures(name):
    check_lights(name, CLOSURES)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SPREAD if name not in NONLINEAR])
def test_the_light_of_closures_on_all_models(name):
    check_lights(name, CLOSURES)


def check_lights(name, methods):
    network, x0 = SPREAD[name]
    seen = acme.compare(network, x0, methods=methods)
    assert seen.reference == "master equation"
    for row in seen.rows[1:]:
        if row.failure:
            continue
        moments, law = errors(seen, row)
        light = row.trust
        if light.moments == "green":
            assert moments < 0.05 or row.method == "log-normal closure" and moments < 0.08, (row.method, moments)
        if moments > 0.15:
            assert light.moments == "red", (row.method, moments, str(light))
        if light.law == "green":
            assert law < 0.06 or row.method == "log-normal closure", (row.method, law)
        if light.law is not None and law > 0.15:
            assert light.law == "red", (row.method, law, str(light))


@pytest.mark.jit
def test_the_light_is_not_red_everywhere():
    lights = {
        name: acme.solve_stationary_linear_noise(*SPREAD[name]).trust.verdict
        for name in ("birth-death 16", "birth-death 150", "telegraph fast", "leaky fast", "two-stage high", "dimers",
                     "repression", "activation weak")
    }  # fmt: skip
    assert set(lights.values()) == {"green"}, lights


def test_measures_have_thresholds_and_words():
    light = acme.solve_stationary_linear_noise(models.telegraph(0.05, 0.05, 40), {"OFF": 1}).trust
    assert light.law == "red" and light.moments == "green" and light.verdict == "red"
    assert light["time-scale ratio"] == pytest.approx(10.0)
    assert light["boundary distance"] == pytest.approx(20 / np.sqrt(20 * (1 + 40 * 0.05 / (0.1 * 1.1))), rel=1e-9)
    assert "exact: every rate is linear" in light.sentence and "mixture" in light.sentence
    assert "amber at" in light._repr_html_() and "■ red" in light._repr_html_()
    with pytest.raises(KeyError, match="none of the measures"):
        light["nothing"]
    measure = trust.Measure("copy number", "P", 3.0, 5.0, 2.0, "law")
    assert measure.verdict == "amber" and measure.words == "there are only 3 molecules of P on average"
    assert trust.Measure("mean shift", "P", np.inf, 0.1, 0.2, "law").verdict == "red"
    assert "more than 100%" in trust.Measure("mean shift", "P", 3.0, 0.1, 0.2, "law").words
    assert light.with_problem("it is wrong").moments == "red"


def test_langevin_and_rate_equations_have_the_same_light(scaled):
    many = models.birth_death(k=100)
    assert assess(acme.solve_rate_equations(many, {}, [0, 8])).verdict == "green"
    ensemble = acme.simulate_langevin(many, {"M": 100}, 3.0, boundary="reflect", size=scaled(300, 20), rng=rng())
    assert assess(ensemble).verdict == "green"
    few = acme.simulate_langevin(
        models.birth_death(k=1), {"M": 1}, 3.0, boundary="reflect", size=scaled(300, 20), rng=rng()
    )
    assert assess(few).verdict == "red" and assess(few)["at zero"] > 0.05
    gene = models.telegraph(0.5, 0.5, 40)
    ensemble = acme.simulate_langevin(gene, {"OFF": 1}, 1.0, boundary="reflect", dt=0.05, size=20, rng=rng())
    assert "few states" in assess(ensemble).sentence and assess(ensemble).moments == "red"
    toggle = assess(acme.solve_rate_equations(models.toggle_switch(), {"U": 20}, [0, 10]))
    assert toggle.verdict == "red" and toggle.law is None
    shifted = parse("0 -> A : k\n0 -> B : k\nA + B -> 0 : c\nA -> 0 : g\nB -> 0 : g", k=3, c=3, g=1)
    light = assess(acme.solve_rate_equations(shifted, {}, [0, 10]))
    assert light.verdict == "red" and 0.2 < light["mean shift"] < 0.4  # the mean is wrong by 0.22 of it
    assert assess(acme.solve_stationary_linear_noise(many)).verdict == "green"
    with pytest.raises(acme.ParameterError, match="result must be a solution"):
        assess(acme.simulate_ssa(many, {}, 1.0, size=2, rng=rng()))


# --- the comparison ---------------------------------------------------------------------------------------------------


def test_methods_side_by_side(scaled):
    seen = acme.compare(models.birth_death(k=3), rng=rng(), size=scaled(2000, 40))
    assert [row.method for row in seen.rows] == [
        "master equation", "SSA", "rate equations", "linear noise", "moments", "Langevin", "Fokker-Planck",
    ]  # fmt: skip
    assert seen["master equation"].means[0] == pytest.approx(3, abs=1e-9)
    assert seen["SSA"].stderr[0] == pytest.approx(np.sqrt(3 / scaled(2000, 40)), rel=0.4)
    assert abs(seen["SSA"].means[0] - 3) < 5 * seen["SSA"].stderr[0]
    assert seen.distance("SSA", "M") < 3 * seen.distance_by_chance("SSA", "M")
    from scipy import stats

    n = np.arange(60)
    gauss = stats.norm(3, np.sqrt(3))
    expected = 0.5 * np.abs(gauss.cdf(n + 0.5) - gauss.cdf(n - 0.5) - stats.poisson(3).pmf(n)).sum() + 0.5 * gauss.cdf(
        -0.5
    )
    assert seen.distance("linear noise", "M") == pytest.approx(expected, rel=1e-6)
    assert seen["moments"].skewness[0] == pytest.approx(3**-0.5, rel=1e-8)
    frame = seen.to_pandas()
    assert len(frame) == 7 and set(frame["trust"]) >= {"exact", "red"}
    assert "The distance is the total variation from the master equation" in seen._repr_html_()
    assert "Fokker-Planck" in repr(seen)


def test_in_time_and_on_a_conserved_network():
    network = models.telegraph(0.7, 1.1, 6.0, 1.3)
    seen = acme.compare(network, {"ON": 1}, 0.9, methods=["master equation", "moments", "linear noise"])
    assert seen.species == ("M",)
    assert seen["moments"].variances[0] == pytest.approx(seen["master equation"].variances[0], rel=1e-6)
    assert seen["moments"].skewness[0] == pytest.approx(seen["master equation"].skewness[0], rel=1e-5)
    everything = acme.compare(network, {"ON": 1}, 0.9, species=("ON", "M"), methods=["master equation", "moments"])
    assert everything.species == ("ON", "M")


def test_what_fails_says_why():
    seen = acme.compare(models.dimerisation(), methods=["master equation", "moments", "linear noise"], max_states=50)
    assert "larger than max_states = 50" in seen["master equation"].failure
    assert "not closed" in seen["moments"].failure and seen.reference is None
    assert math.isnan(seen.distance("linear noise", "P")) and "no result" in seen._repr_html_()
    with pytest.raises(acme.ParameterError, match="reference"):
        draw_comparison(seen)
    ended = acme.compare(models.sis(), {"I": 50}, methods=["master equation", "rate equations", "linear noise"])
    assert ended["rate equations"].trust.verdict == ended["linear noise"].trust.verdict == "red"
    assert "the process ends" in ended["linear noise"].trust.sentence
    for wrong in (
        {"methods": ["magic"]},
        {"methods": ["SSA"]},
        {"t": -1.0, "methods": []},
        {"species": ["X"], "methods": ["linear noise"]},
    ):
        with pytest.raises(acme.ParameterError):
            acme.compare(models.birth_death(), **wrong)
    with pytest.raises(acme.ParameterError, match="give x0"):
        acme.compare(models.telegraph(), methods=["linear noise"])
    with pytest.raises(acme.ParameterError, match="network must be a ReactionNetwork"):
        acme.compare("0 -> M : k")


@pytest.mark.jit
def test_a_simulation_does_not_pass_for_the_stationary_law_of_a_bistable_network():
    seen = acme.compare(models.schlogl(), {"X": 82}, methods=["SSA", "linear noise"], size=20, rng=rng())
    assert "too short to see how 2 stable states" in seen["SSA"].note and seen.reference is None


def test_the_figure_shows_where_methods_part(monkeypatch):
    seen = acme.compare(
        models.toggle_switch(), methods=["master equation", "rate equations", "linear noise", "normal closure"]
    )
    figure, words = draw_comparison(seen, "V")
    left, right = figure.axes
    bars = np.array([bar.get_height() for bar in left.patches])
    np.testing.assert_allclose(bars[:20], seen["master equation"].laws[1][:20])
    assert [line.get_label() for line in left.lines] == ["linear noise", "normal closure"]
    assert [label.get_text() for label in right.get_yticklabels()] == [
        "rate equations",
        "linear noise",
        "normal closure",
    ]
    assert "V (molecules)" in left.get_xlabel()
    assert "Furthest from the master equation is" in words["alt"] and "red for rate equations" in words["caption"]
    # Legends stand below the axes, not over the data.
    figure.canvas.draw()
    for axes in (left, right):
        assert axes.get_legend().get_window_extent().y1 < axes.get_window_extent().y0
    assert png(figure)[:4] == b"\x89PNG"
    shown = []
    monkeypatch.setattr("acme_lib.plot.compare.show", lambda figure, **words: shown.append(words))
    show_comparison(seen, methods=["linear noise"])
    assert "law of U" in shown[0]["caption"]
    with pytest.raises(acme.ParameterError, match="each with a law"):
        draw_comparison(seen, methods=["rate equations"])


def test_the_light_of_rate_equations_is_that_of_their_start_whichever_times_are_kept(tmp_path):
    """Two molecules that pair up: at the end alone nothing would be seen of how they got there."""
    network = acme.ReactionNetwork.parse("0 -> P : 2\n2 P -> 0 : 1")
    both = acme.solve_rate_equations(network, {"P": 6}, [0.0, 3.0])
    end = acme.solve_rate_equations(network, {"P": 6}, 3.0)
    assert end.times.tolist() == [3.0] and end.start.tolist() == [6.0]
    lights = [acme.approximate.assess(solution) for solution in (both, end)]
    assert lights[0].verdict == lights[1].verdict != "green"
    assert lights[1]["mean shift"] == pytest.approx(lights[0]["mean shift"], rel=1e-4)
    end.save(tmp_path / "end.npz")
    assert acme.RateEquationSolution.load(tmp_path / "end.npz").start.tolist() == [6.0]
