"""The augmented master equation: CPU seconds and errors on one core beside Flips, the solver of the paper.

Building is included on both sides. Errors are L1 distances to the exact law where it is known; on the way to it (model
10 at t = 20) to our solution on cells of 0.0025 and 0.00125, extrapolated. Each is taken where its solver has its
values: at nodes i·Δx there, averages over cells here. Flips runs each case once, and its longest runs are left out by
``--skip-long``; ours is the median of rounds.

Then costs against cells and dimensions, with a plot in ``.benchmarks/acme.png``, and the seconds of the gallery.
"""

import io
import json
import statistics
import tempfile
import time

import numpy as np
from PIL import Image

import acme_lib as acme
from acme_lib import augmented, cases, laws
from acme_lib.cases import self_regulation as sr
from tests.benchmarks.peers import HOME, start_peer
from tests.benchmarks.table import Row

ROUNDS = 5
END = 8.0
OURS, THEIRS = "acme", "Flips"
TEACHING = {
    "figure_3a": lambda: sr.compare_messenger_laws((10.0,), dx=0.1, most=12),
    "figure_3b": lambda: sr.measure_messenger_convergence((10.0, 30.0, 100.0), dx=0.1, most=12),
    "figure_4": lambda: sr.find_switching_times(dx=0.05),
    "figure_5": lambda: sr.find_switching_times(dx=0.05),
    "figure_6a": lambda: cases.follow_selection(dx=0.01),
    "figure_6b": lambda: cases.find_selection_rates(
        dx=0.01, times=np.linspace(0.5, 10, 20), cases=[(3.0, 0.5), (2.0, 0.5)]
    ),
    "figure_7a": lambda: [cases.follow_fragmentation(3, dx=0.01)],
    "figure_7b": lambda: [cases.follow_growth_and_fragmentation(2, dx=0.02)],
}


def run(skip_long=False):
    """Measure both solvers, then ours alone."""
    peer = start_peer("flips", ["flips==0.0.2", "ipywidgets", "matplotlib"], "peer_flips.py")
    rows = []
    try:
        rows += bursty_rows(peer, skip_long)
        rows += messenger_rows(peer)
        rows += selection_rows(peer)
        rows += division_rows(peer, skip_long)
    finally:
        peer.close()
    return rows + scaling_rows() + gallery_rows()


def timed(work):
    """Return the median CPU seconds of the rounds after a first one, and what was made."""
    work()
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        made = work()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds), made


def compared(what, least, peer_seconds, peer_error, seconds, error, note=""):
    """Return the two rows of a comparison."""
    ratio = peer_seconds / seconds
    fair = "" if error <= peer_error else "; NOT at equal error"
    return [
        Row(what, THEIRS, peer_seconds, None, "s", f"error {peer_error:.2g}"),
        Row(what, OURS, seconds, ratio, "s", f"error {error:.2g}{fair}; expected {least} or more{note}"),
    ]


def ask(peer, **request):
    """Return the seconds, nodes and densities of a case of Flips."""
    answer = peer.measure(json.dumps(request))
    return answer["seconds"], np.array(answer["nodes"]), np.array(answer["density"])


# --- model (10) -------------------------------------------------------------------------------------------------------


def bursty_system(dx):
    burst, rates = sr.burst_process()
    network = acme.ReactionNetwork.parse("P -> 0 : 1")
    space = augmented.AugmentedSpace(network, P=augmented.Continuum(END, round(END / dx), sr.OMEGA))
    return augmented.build_augmented(space, burst, diffusion=False, **rates)


def solve_bursty(dx, tolerance=1e-3):
    """From a uniform start to t = 20, as the paper does."""
    system = bursty_system(dx)
    return augmented.solve_augmented(system, system.space.density(), [20.0], tolerance=tolerance, poles=4, max_leak=1.0)


def bursty_rows(peer, skip_long):
    fine, finer = (solve_bursty(dx, 1e-7) for dx in (0.0025, 0.00125))
    coarsened = finer.p[-1].reshape(-1, 2).mean(axis=1)
    reference = coarsened + (coarsened - fine.p[-1]) / 3.0
    x_fine = fine.space["P"].centres
    rows = []
    for dx in (0.05, 0.025, 0.01):
        seconds, solution = timed(lambda dx=dx: solve_bursty(dx))
        averaged = reference.reshape(round(END / dx), -1).mean(axis=1)
        error = np.abs(solution.p[-1] - averaged).sum() * dx
        what = f"model (10) to t = 20, Δx = {dx:g}"
        if skip_long and dx < 0.05:
            rows.append(Row(what, OURS, seconds, None, "s", f"error {error:.2g}; Flips left out"))
            continue
        peer_seconds, nodes, density = ask(peer, case="bursty", dx=dx, end=END, t=20)
        peer_error = np.abs(density - np.interp(nodes, x_fine, reference))[nodes > 0].sum() * dx
        to_law = np.abs(density - laws.self_regulation().pdf(nodes)).sum() * dx
        note = f"; to the stationary law (12): Flips {to_law:.2g}"
        rows += compared(what, 500, peer_seconds, peer_error, seconds, error, note)
        seconds, law = timed(lambda dx=dx: augmented.solve_augmented_stationary(bursty_system(dx)))
        exact = np.diff(laws.self_regulation().cdf(law.space["P"].faces)) / dx
        error = np.abs(law.p - exact).sum() * dx
        what = f"model (10), the stationary law, Δx = {dx:g}"
        rows.append(Row(what, OURS, seconds, peer_seconds / seconds, "s", f"error {error:.2g}, Flips at t = 20"))
    sizes = (400, 800, 1600, 3200, 6400)
    costs = [timed(lambda n=n: augmented.solve_augmented_stationary(bursty_system(END / n)))[0] for n in sizes]
    slope = float(np.polyfit(np.log(sizes[2:]), np.log(costs[2:]), 1)[0])
    rows.append(Row("exponent of the cost in cells, exponential bursts", OURS, None, slope, "", "expected 1"))
    return rows


# --- model (6) --------------------------------------------------------------------------------------------------------


def messenger_system(dx, gamma, most):
    axis = augmented.Continuum(END, round(END / dx), sr.OMEGA)
    space = augmented.AugmentedSpace(sr.messenger_network(gamma), M=augmented.Discrete(most), P=axis)
    return augmented.build_augmented(space, diffusion=False)


def messenger_rows(peer):
    """To a time: ours also on cells twice as wide, at which its error still is the smaller one."""
    dx, gamma, most = 0.05, 10.0, 30

    def solve(dx, tolerance=5e-3):
        system = messenger_system(dx, gamma, most)
        start = system.space.density()
        return augmented.solve_augmented(system, start, [1.0], tolerance=tolerance, poles=4, max_leak=1.0)

    fine = solve(dx / 8, 1e-5)
    reference = fine.marginal("P")[-1]
    peer_seconds, nodes, density = ask(peer, case="messengers", dx=dx, end=END, t=1.0, gamma=gamma, most=most)
    peer_error = np.abs(density - np.interp(nodes, fine.space["P"].centres, reference)).sum() * dx
    rows = []
    for width in (dx, 2 * dx):
        seconds, solution = timed(lambda width=width: solve(width))
        averaged = reference.reshape(len(solution.space["P"].centres), -1).mean(axis=1)
        error = np.abs(solution.marginal("P")[-1] - averaged).sum() * width
        what = f"model (6), γ = 10, K = 30, to t = 1; Flips Δx = {dx:g}, ours {width:g}"
        rows += compared(what, 100, peer_seconds, peer_error, seconds, error)[int(width > dx) :]
    seconds, law = timed(lambda: augmented.solve_augmented_stationary(messenger_system(dx, gamma, most)))
    ratio = 20 * peer_seconds / seconds
    note = "expected 1000 or more; against 20 units of time of Flips at its measured speed"
    return [
        *rows,
        Row("model (6), the stationary law", OURS, seconds, ratio, "s", f"residual {law.residual:.0e}; {note}"),
    ]


# --- figure 6 ---------------------------------------------------------------------------------------------------------


def selection_rows(peer):
    dx, end = 0.007, 10.0
    exact = laws.selected_logistic_mode(3.0, 0.5, 1000)

    def solve():
        system = cases.selection_system(3.0, 0.5, dx)
        start = system.space.density("exp(-0.5*((X - 0.1)/0.02)**2)")
        return augmented.solve_augmented(system, start, [end], tolerance=1e-4)

    def apart(x, density):
        profile = np.interp(x, exact.states / 1000, 1000 * exact.profile)
        return np.abs(density / (density.sum() * dx) - profile).sum() * dx

    seconds, solution = timed(solve)
    peer_seconds, nodes, density = ask(peer, case="selection", dx=dx, t=end, birth_factor=3.0, growth=0.5)
    x = solution.space["X"].centres
    return compared(
        "selection of figure 6 to t = 10", 300, peer_seconds, apart(nodes, density), seconds, apart(x, solution.p[-1])
    )


# --- figure 7B --------------------------------------------------------------------------------------------------------


def division_rows(peer, skip_long):
    rows = []
    for dx in (0.04, 0.02):
        if skip_long and dx < 0.04:
            continue
        begin, t, end = 0.02, 0.4, 12.0
        seconds, result = timed(lambda dx=dx, t=t: cases.follow_growth_and_fragmentation(2, dx=dx, times=(t,)))
        nodes = dx * np.arange(round(end / dx) + 1)
        start = laws.growth_fragmentation_density(nodes, begin, a=5.0, k=2)
        request = {"case": "growth-fragmentation", "dx": dx, "end": end, "t": t, "a": 5.0, "k": 2}
        peer_seconds, nodes, density = ask(peer, **request, start=start.tolist())
        exact = laws.growth_fragmentation_density(nodes, begin + t, a=5.0, k=2)
        peer_error = np.abs(density - exact).sum() / exact.sum()
        what = f"figure 7B to t - t0 = 0.4, Δx = {dx:g}, sizes to 12"
        rows += compared(what, 100, peer_seconds, peer_error, seconds, result.errors[-1])
    return rows


# --- costs ------------------------------------------------------------------------------------------------------------


def toggle_system(cells, dimensions=2):
    """Genes that repress each other, in a ring, on `cells` cells each."""
    names = "ABC"[:dimensions]
    lines = [f"0 => {b} : k/(1 + ({a}/K)^3)\n{b} -> 0 : 1" for a, b in zip(names, names[1:] + names[0], strict=True)]
    network = acme.ReactionNetwork.parse("\n".join(lines), k=200.0, K=50.0)
    axes = {name: augmented.Continuum(3.0, cells, 100) for name in names}
    return augmented.build_augmented(augmented.AugmentedSpace(network, **axes))


def scaling_rows():
    """Measure the cost of a stationary law against cells and dimensions, and draw it."""
    costs = {"1 dimension": {}, "2 dimensions": {}, "3 dimensions": {}}
    for n in (200, 800, 3200, 12800):
        costs["1 dimension"][n] = timed(lambda n=n: augmented.solve_augmented_stationary(bursty_system(END / n)))[0]
    for n in (25, 50, 100, 200):
        costs["2 dimensions"][n**2] = once(lambda n=n: augmented.solve_augmented_stationary(toggle_system(n)))
    for n in (10, 14, 20):
        costs["3 dimensions"][n**3] = once(lambda n=n: augmented.solve_augmented_stationary(toggle_system(n, 3)))
    rows = []
    for name, seconds in costs.items():
        slope = float(np.polyfit(np.log(list(seconds)), np.log(list(seconds.values())), 1)[0])
        last = max(seconds)
        rows.append(
            Row(f"stationary law, {last:,} cells, {name}", OURS, seconds[last], slope, "s", "ratio: exponent in cells")
        )
    seconds = costs["2 dimensions"][200**2]
    rows.append(
        Row("2-D toggle switch, 200 × 200 cells", OURS, seconds, 10.0 / seconds, "s", "ratio to the limit of 10 s")
    )
    draw(costs)
    return rows


def once(work):
    """Return the CPU seconds of one run; for what takes seconds."""
    start = time.process_time()
    work()
    return time.process_time() - start


def draw(costs):
    """Write the plot."""
    figure, axes = acme.plot.subplots(size=(7.0, 4.6))
    for (name, seconds), marker in zip(costs.items(), "os^", strict=True):
        axes.loglog(list(seconds), list(seconds.values()), marker=marker, label=name)
    axes.set(xlabel="cells", ylabel="CPU seconds to the stationary law")
    axes.legend()
    HOME.mkdir(exist_ok=True)
    (HOME / "acme.png").write_bytes(acme.plot.png(figure))


def pack_as_sliders_do(figure):
    """Render a figure for the screen, its layout already found, into a picture of few colours (see teach.widgets).

    A slider does less: it keeps the axes of the last picture and draws only what moved.
    """
    with acme.plot.style():
        figure.set_layout_engine("none")
        figure.set_dpi(min(100, 900 / figure.get_size_inches()[0]))  # as wide as a page
        figure.canvas.draw()
    picture = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
    stream = io.BytesIO()
    picture.quantize(128, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
        stream, format="png", compress_level=4
    )
    return stream.getvalue()


def gallery_rows():
    """Measure every figure: compiled first, by the clock and in CPU seconds."""
    rows, clock, cpu = [], 0.0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        for figure in cases.FIGURES:
            start, start_cpu = time.perf_counter(), time.process_time()
            cases.write_gallery(folder, [figure.name])
            clock, cpu = clock + time.perf_counter() - start, cpu + time.process_time() - start_cpu
    note = f"ratio to the limit of 60 s; {cpu:.3g} CPU seconds, compilation included"
    rows.append(Row("every figure together", OURS, clock, clock / 60.0, "s", note))
    for figure in cases.FIGURES:
        if figure.name in TEACHING:
            computing, _ = timed(TEACHING[figure.name])
            seconds, _ = timed(lambda figure=figure: pack_as_sliders_do(figure.draw(TEACHING[figure.name]())))
            note = f"ratio to the limit of 0.2 s; {computing:.2g} s of it are computing, the rest is drawing"
            rows.append(Row(f"{figure.name} at teaching resolution", OURS, seconds, seconds / 0.2, "s", note))
    return rows
