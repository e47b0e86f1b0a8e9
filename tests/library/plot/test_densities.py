"""Figures of augmented master equations draw the numbers they are given; the time slider redraws fast."""

import doctest

import numpy as np
import pytest

from acme_lib import plot
from acme_lib.augmented import (
    AugmentedSpace,
    Continuum,
    Diffusion,
    Discrete,
    Drift,
    Growth,
    States,
    Transition,
    build_augmented,
    solve_augmented,
    solve_growth_mode,
)
from acme_lib.errors import ParameterError
from acme_lib.network import ReactionNetwork
from acme_lib.teach import densities, explore_density


@pytest.fixture(scope="module")
def solution():
    network = ReactionNetwork.parse("0 <-> M : 2, 1")
    space = AugmentedSpace(network, kind=States("a", frozen="b"), M=Discrete(8), x=Continuum(4.0, 80))
    processes = Drift("x", "1 - x"), Diffusion("x", 0.05), Growth("0.1*x"), Transition("a", "b", 0.3)
    system = build_augmented(space, *processes)
    start = space.density("exp(-9*(x - 2)**2)", M=2)
    return solve_augmented(system, start, [0.0, 0.5, 1.0, 2.0], max_leak=1.0)


def test_a_profile_is_the_marginal(solution):
    figure, axes = plot.subplots()
    line = plot.draw_density(axes, solution, "x", time=0.5, normalised=True, label="t = 0.5")
    assert line.get_xdata() == pytest.approx(solution.space["x"].centres)
    assert line.get_ydata() == pytest.approx(solution.marginal("x", normalised=True)[1])
    assert line.get_ydata().sum() * 0.05 == pytest.approx(1.0)
    line = plot.draw_density(axes, solution, "x", where={"kind": "b"})
    assert line.get_ydata() == pytest.approx(solution.marginal("x", kind="b")[-1])
    counts = plot.draw_density(axes, solution, "M")
    assert counts.get_marker() == "o" and len(counts.get_xdata()) == 9
    plot.draw_density(axes, solution, "kind", where={"M": 2})
    assert [text.get_text() for text in axes.get_xticklabels()] == ["a", "b"]
    with pytest.raises(ParameterError, match="not saved at t=0.7"):
        plot.draw_density(axes, solution, "x", time=0.7)


def test_a_map_and_a_growth_rate(solution):
    figure, axes = plot.subplots()
    mesh = plot.draw_density_map(axes, solution, ("x", "M"), time=1.0)
    shown = np.ma.filled(mesh.get_array(), 0.0).reshape(9, 80)
    joint = solution.marginal("x", "M")[2].T
    assert shown[joint > 1e-6 * joint.max()] == pytest.approx(joint[joint > 1e-6 * joint.max()])
    mode = solve_growth_mode(solution.system, max_leak=1.0)
    figure, axes = plot.subplots()
    line = plot.draw_growth_rate(axes, solution, mode=mode)
    assert line.get_ydata() == pytest.approx(solution.growth_rate())
    assert axes.lines[1].get_ydata()[0] == mode.rate
    with pytest.raises(ParameterError, match="no times"):
        plot.draw_density(axes, mode, "x", time=1.0)


def test_the_time_slider_shows_every_moment(solution):
    words = {"question": "Where does the hump go?", "alt": "A hump that moves left.", "caption": "It relaxes to 1."}
    figure = explore_density(solution, "x", **words)
    (line,) = figure.figure.axes[0].lines
    for moment in (2, 0, 3):
        figure.move(moment=moment)
        assert line.get_ydata() == pytest.approx(solution.marginal("x")[moment])
        assert f"{solution.times[moment]:.3f}" in figure.text and figure.error is None
    with pytest.raises(ParameterError, match="two times"):
        explore_density(solve_growth_mode(solution.system, max_leak=1.0), "x", **words)


def test_the_example_runs():
    assert doctest.testmod(densities).failed == 0
