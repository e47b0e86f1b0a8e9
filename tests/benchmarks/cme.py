"""The master equation: seconds of one core beside SciPy's solvers, cost against states, a toggle switch, projection.

The two-stage model on 60 × 600 states (k_m = 10, k_p = 3, g_m = 1, g_p = 0.1) is solved to its stationary law and from
empty to t = 20, in alternating rounds; peers are SciPy's banded solver (LAPACK), sparse LU with a pinned state,
`expm_multiply` and BDF. All seconds are CPU seconds of one thread; the first calls, which compile, are not counted. A
plot of the cost goes to ``.benchmarks/cme.png``.
"""

import json
import statistics
import subprocess
import sys
import textwrap
import time
import warnings

import numpy as np
from scipy import integrate, linalg, sparse
from scipy.sparse.linalg import expm_multiply, splu

import acme_lib as acme
from acme_lib.laws.telegraph import telegraph_logpmf
from acme_lib.master.elimination import band_order
from tests.benchmarks.peers import HOME
from tests.benchmarks.table import Row

ROUNDS = 5
TEXT = "0 -> M : k_m\nM -> 0 : g_m\nM -> M + P : k_p\nP -> 0 : g_p"
RATES = {"k_m": 10.0, "k_p": 3.0, "g_m": 1.0, "g_p": 0.1}
TOGGLES = (316, 1000)
SIZES = (10**3, 10**4, 10**5, 10**6)


def two_stage(m=59, p=599):
    """Return the generator on a box."""
    network = acme.ReactionNetwork.parse(TEXT, **RATES)
    return acme.build_generator(network, acme.StateSpace.box(network, M=m, P=p), boundary="reflecting")


def seconds_of(function):
    """Return CPU seconds and the result."""
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def run():
    """Measure everything."""
    warnings.simplefilter("ignore", acme.LargeProblemWarning)
    generator = two_stage()
    rows = stationary(generator) + transient(generator) + [telegraph_row(), assembly_row()]
    rows += scaling() + [toggle_row(size) for size in TOGGLES] + projection()
    return rows


def stationary(generator):
    """Compare stationary solvers."""
    matrix = generator.matrix
    order, width = band_order(matrix, generator.space.states)
    sorted_matrix = matrix[order][:, order].tocoo()

    def banded():
        band = np.zeros((2 * width + 1, len(order)))
        band[width + sorted_matrix.row - sorted_matrix.col, sorted_matrix.col] = sorted_matrix.data
        for j in range(width + 1):  # the first equation becomes p_0 = 1
            band[width - j, j] = 0.0
        band[width, 0] = 1.0
        x = linalg.solve_banded((width, width), band, np.eye(1, len(order))[0], overwrite_ab=True, check_finite=False)
        p = np.empty(len(x))
        p[order] = x / x.sum()
        return p

    def pinned():
        inner = sparse.csc_array(matrix[1:][:, 1:])
        rest = splu(inner, permc_spec="MMD_AT_PLUS_A").solve(-matrix[1:][:, [0]].toarray().ravel())
        p = np.append(1.0, rest)
        return p / p.sum()

    tools = {
        "SciPy solve_banded (LAPACK)": banded,
        "SciPy splu, a state pinned": pinned,
        "acme, chosen by itself": lambda: acme.solve_stationary(generator),
        **{f"acme, {m}": lambda m=m: acme.solve_stationary(generator, method=m) for m in ("banded", "lu", "iterative")},
    }
    seconds, results = rounds(tools)
    base, scale, rows = statistics.median(seconds["SciPy solve_banded (LAPACK)"]), -matrix.diagonal(), []
    for name, result in results.items():
        p = getattr(result, "p", result)
        residual = np.abs(matrix @ p).max() / (scale * p).max()
        note = f"residual {residual:.1e}" + (f"; {result.method}: {result.reason}" if name.endswith("itself") else "")
        median = statistics.median(seconds[name])
        expected = "; expected 1.3 or less, residual 1e-12 or less" if name.endswith("itself") else ""
        rows.append(
            Row("stationary, 36,000 states: time over LAPACK's", name, median, median / base, "s", note + expected)
        )
    return rows


def transient(generator):
    """Compare solvers in time."""
    p0, t = generator.space.point(), 20.0
    seconds, laws = rounds(
        {
            "SciPy expm_multiply": lambda: expm_multiply(generator.matrix * t, p0),
            "acme, tolerance 1e-8": lambda: acme.solve_transient(generator, p0, t, tolerance=1e-8),
            "acme, tolerance 1e-10": lambda: acme.solve_transient(generator, p0, t),
        },
        3,
    )
    reference = laws["SciPy expm_multiply"]
    bdf, solution = seconds_of(
        lambda: integrate.solve_ivp(
            lambda _, p: generator.matrix @ p, (0, t), p0, "BDF", jac=generator.matrix, rtol=1e-8, atol=1e-12
        )
    )
    seconds["SciPy BDF, rtol 1e-8"], laws["SciPy BDF, rtol 1e-8"] = [bdf], solution.y[:, -1]
    base, rows = statistics.median(seconds["SciPy expm_multiply"]), []
    for name, law in laws.items():
        p = law.p[0] if hasattr(law, "p") else law
        note = f"total variation to expm_multiply {acme.total_variation(p, reference):.1e}"
        note += f", bound {law.error_bound[0]:.1e}; expected 15 or more" if hasattr(law, "p") else ""
        median = statistics.median(seconds[name])
        rows.append(Row("to t = 20 from empty: speed against expm_multiply", name, median, base / median, "s", note))
    return rows


def rounds(tools, number=ROUNDS):
    """Run tools in alternation; return their seconds and last results. A first call of each is not counted."""
    seconds, results = {name: [] for name in tools}, {}
    for i in range(number + 1):
        for name, tool in tools.items():
            one, results[name] = seconds_of(tool)
            if i:
                seconds[name].append(one)
    return seconds, results


def telegraph_row():
    """Measure the stationary law of a switching gene, over a grid of rates."""
    grid = [(a, b, s) for a in (0.01, 1, 100) for b in (0.01, 1, 100) for s in (10, 300, 3000)]
    telegraph_logpmf(1, 1, 10, 0, whole=True)
    seconds = [seconds_of(lambda one=one: telegraph_logpmf(*one, 0, whole=True))[0] for one in grid * 5]
    note = f"ratio to the limit of 1 ms; slowest of a grid up to s/g = 3,000: {max(seconds) * 1e3:.2g} ms"
    median = statistics.median(seconds)
    return Row("telegraph stationary law, all counts", "acme.laws.telegraph", median * 1e3, median / 1e-3, "ms", note)


def assembly_row():
    """Measure the assembly of a generator on a million states."""
    network = acme.ReactionNetwork.parse(TEXT, **RATES)
    space = acme.StateSpace.box(network, M=999, P=999)
    seconds = [seconds_of(lambda: acme.build_generator(network, space, boundary="reflecting"))[0] for _ in range(3)]
    median = statistics.median(seconds)
    return Row("assembly of 1,000,000 states", "acme", median, median / 1.0, "s", "ratio to the limit of 1 s")


def scaling():
    """Measure cost against states, fit exponents and draw."""
    tasks = {"assembly": [], "stationary": [], "to t = 1": []}
    for n in SIZES:
        side = round(np.sqrt(n / 10))
        tasks["assembly"].append(seconds_of(lambda side=side: two_stage(side - 1, 10 * side - 1))[0])
        generator = two_stage(side - 1, 10 * side - 1)
        tasks["stationary"].append(seconds_of(lambda g=generator: acme.solve_stationary(g))[0])
        tasks["to t = 1"].append(seconds_of(lambda g=generator: acme.solve_transient(g, {}, 1.0))[0])
    rows = []
    for name, seconds in tasks.items():
        slope = np.polyfit(np.log(SIZES), np.log(np.maximum(seconds, 1e-6)), 1)[0]
        note = ", ".join(f"{n:.0e}: {s:.2g} s" for n, s in zip(SIZES, seconds, strict=True))
        rows.append(Row("cost against states, fitted exponent", f"acme, {name}", seconds[-1], slope, "s", note))
    draw(tasks)
    return rows


def draw(tasks):
    """Draw the cost against the number of states."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for (name, seconds), marker in zip(tasks.items(), "o^s", strict=True):
        axes.loglog(SIZES, seconds, marker=marker, label=name)
    axes.set(xlabel="states", ylabel="CPU seconds")
    axes.legend()
    HOME.mkdir(exist_ok=True)
    figure.savefig(HOME / "cme.png", dpi=150)
    plt.close(figure)


def toggle_row(side):
    """Measure a toggle switch in a process of its own, whose largest memory is read."""
    script = f"""
        import json, resource, time, warnings
        import acme_lib as acme
        warnings.simplefilter("ignore", acme.LargeProblemWarning)
        network = acme.models.toggle_switch(a_u={side / 2}, a_v={side / 2}, K={0.12 * side}, n=2)
        small = acme.StateSpace.box(network, U=9, V=9)
        acme.solve_stationary(acme.build_generator(network, small, boundary="reflecting"))
        space = acme.StateSpace.box(network, U={side - 1}, V={side - 1})
        start = time.process_time()
        law = acme.solve_stationary(acme.build_generator(network, space, boundary="reflecting"))
        seconds = time.process_time() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps([seconds, peak, law.method, law.residual, law.leaked, law.uncertainty]))
    """
    answer = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, capture_output=True, text=True)
    seconds, peak, method, residual, leaked, uncertainty = json.loads(answer.stdout)
    note = f"{peak / 1e6:.0f} MB at most; {method}, residual {residual:.0e}, leak {leaked:.0e}, "
    note += f"probability on the wrong side {uncertainty:.0e}"
    return Row(f"toggle switch, {side**2:,} states, stationary", "acme", seconds, None, "s", note)


def projection():
    """Compare the states of the adaptive projection with those of the smallest box of the same bound."""
    network, rows = acme.ReactionNetwork.parse(TEXT, **RATES), []
    for bound in (1e-4, 1e-6, 1e-8):
        seconds, law = seconds_of(
            lambda bound=bound: acme.solve_finite_state_projection(network, {}, 20.0, tolerance=bound)
        )
        box = smallest_box(network, float(law.error_bound[-1]))
        note = f"expected 2 or less: {law.most_states:,} states at most against {len(box):,} ({box})"
        case = f"projection to t = 20, bound {bound:.0e}: states over the smallest box's"
        rows.append(Row(case, "acme", seconds, law.most_states / len(box), "s", note))
    return rows


def smallest_box(network, bound):
    """Return the box with the fewest states whose leak to t = 20 meets a bound: for each M, the smallest P."""

    def leak(m, p):
        generator = acme.build_generator(network, acme.StateSpace.box(network, M=m, P=p), boundary="absorbing")
        return acme.solve_transient(generator, {}, 20.0, tolerance=bound / 20).leaked[0]

    def bisect(meets, least, most):
        while most - least > 1:
            middle = (least + most) // 2
            least, most = (least, middle) if meets(middle) else (middle, most)
        return most

    fewest_m = bisect(lambda m: leak(m, 700) < bound, 10, 80)
    best, most = None, 700
    for m in range(fewest_m + 1, fewest_m + 4):  # with the fewest M alone P would have to be vast
        most = bisect(lambda p, m=m: leak(m, p) < bound, 250, most)
        box = acme.StateSpace.box(network, M=m, P=most)
        best = box if best is None or len(box) < len(best) else best
    return best
