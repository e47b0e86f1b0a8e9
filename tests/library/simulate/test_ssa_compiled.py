"""Specialised kernels: the same bits as the table-driven one, one compilation for each structure, and when it pays."""

import ast
import os
import pickle
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import acme_lib as acme
from acme_lib.network import rates
from acme_lib.network.expression import MAX_STACK
from acme_lib.simulate import ssa, ssa_compiled
from acme_lib.simulate.pace import new_flag
from acme_lib.simulate.task import make_task
from tests.marks import always

TWO_STAGE = "0 -> M : k_m\nM -> M + P : k_p\nM -> 0 : g_m\nP -> 0 : g_p"
VALUES = {"k_m": 10.0, "k_p": 5.0, "g_m": 1.0, "g_p": 0.5}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder of its own for each test, and nothing loaded."""
    monkeypatch.setenv("ACME_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(ssa_compiled, "_LOADED", {})
    return tmp_path / "cache"


def two_stage(**changes):
    return acme.ReactionNetwork.parse(TWO_STAGE, **(VALUES | changes))


def both(network, x0, t=5.0, size=20, **options):
    """The ensemble of each kernel, from the same seed."""
    runs = []
    for compiled in (False, True):
        rng = np.random.default_rng(5)
        times = np.linspace(0, t, 7)
        runs.append(acme.simulate_ssa(network, x0, times, size=size, rng=rng, compile=compiled, **options))
    return runs


def assert_same_bits(network, x0, **options):
    table, special = both(network, x0, **options)
    np.testing.assert_array_equal(special.counts, table.counts)
    np.testing.assert_array_equal(special.events, table.events)
    return table


# --- the same bits ----------------------------------------------------------------------------------------------------

NETWORKS = {
    "two-stage": (TWO_STAGE, VALUES, {}),
    "telegraph": ("A <-> B : u, v\nB -> B + M : s\nM -> 0 : g", dict(u=0.2, v=0.8, s=20, g=1), {"A": 1}),
    "dimers": ("0 -> S : k\n2 S <-> D : c, u\nD -> 0 : g", dict(k=20, c=0.02, u=0.5, g=0.2), {}),
    "two partners": ("A + B -> C : k\nC -> A + B : u", dict(k=0.1, u=1.0), {"A": 20, "B": 9}),
    "triples and more": (
        "0 -> S : k\n3 S -> 0 : c\n2 S + T -> S : d\n0 -> T : k\n4 T -> T : c\nS -> 0 : g",
        dict(k=8, c=0.07, d=0.05, g=0.3),
        {},
    ),
    "hill": ("0 => M : r + hill(M, v, K, n)\nM -> 0 : g", dict(r=2, v=10, K=7.3, n=2.5, g=1), {"M": 3}),
    "powers of constants": (
        "0 => M : k*(M/K)**2/(1 + (M/K)**2) + 2**(-M/K) + (1 + M)**0.5\nM -> 0 : g",
        dict(k=9, K=6.1, g=1),
        {},
    ),
    "every function": (
        "0 => M : k*exp(-M/9) + log(M + 2)*sqrt(M) + abs(M - 5) + floor(M/3) + ceil(M/4) + 1 + sin(M) + tanh(M/8)"
        " + 1 + cos(M/3)\nM -> 0 : g\n0 -> N : mm(k, g, 3) + min(k, g, 2) + max(g, 1)",
        dict(k=9, g=1.1),
        {},
    ),
    "every comparison": (
        "0 => M : k if M < 4 or M == 7 and not M > 20 else g\n0 => M : (M <= 6)*k + (M != 3) - -g + +k\n"
        "M -> 0 : g\n0 => M : max(0, min(k - M, M, pi))",
        dict(k=9, g=0.8),
        {},
    ),
    "a constant with a factor": ("0 -> M : k\n2 M -> 0 : c/(1 + M)", dict(k=9, c=0.8), {}),
    "one reaction": ("M -> 0 : g", dict(g=1), {"M": 30}),
    "one birth": ("0 -> M : k", dict(k=3), {}),
    "rates of zero": ("A -> B : z\nA -> C : k\nB -> C : z\nC -> A : k\n0 -> B : z", dict(z=0, k=2), {"A": 5}),
    "a catalyst": ("M + E -> E + P : k\n0 -> M : g", dict(k=0.3, g=5), {"E": 2}),
}


@pytest.mark.parametrize("name", always(5, NETWORKS))
def test_counts_are_the_same_bit_for_bit(name, scaled):
    text, values, start = NETWORKS[name]
    network = acme.ReactionNetwork.parse(text, **values)
    table = assert_same_bits(network, start, size=scaled(200, 4), t=scaled(10.0, 1.5))
    assert table.events.sum() > 0


@pytest.mark.parametrize("name", NETWORKS)
def test_propensities_are_the_same_bit_for_bit(name):
    text, values, _ = NETWORKS[name]
    network = acme.ReactionNetwork.parse(text, **values)
    table, n = network.rate_table, len(network.species)
    assert ssa_compiled.write_source(network).isascii()
    known = {f"c{j}": value for j, value in enumerate(table.scale)}
    known |= {f"p{i}": value for i, value in enumerate(table.parameters)}
    known |= {f"q{i}": value for i, value in enumerate(table.operands)}
    known |= {"apply_function": rates.apply_function, "apply_operator": rates.apply_operator}
    stack = np.empty(MAX_STACK)
    for state in np.random.default_rng(1).integers(0, 30, size=(50, n)):
        x = np.append(state, 1).astype(float)
        for j in range(len(table.scale)):
            local = known | {f"s{i}": x[i] for i in range(n)}
            with np.errstate(all="ignore"):
                exec("\n".join(ssa_compiled._propensity(table, j, n)), local)
                expected = rates.propensity(j, x, 0.0, table, stack)
            assert float(local[f"a{j}"]).hex() == float(expected).hex()


@st.composite
def networks(draw):
    """Random networks of two species with mass action up to order three and expressions, small enough to compile."""
    side = st.sampled_from(["0", "A", "B", "2 A", "A + B", "2 B", "3 A", "2 A + B"])
    value = st.sampled_from(["k", "c", "k*c", "k/(1 + A)", "c*B/(2 + B**1.5)", "min(k, A)", "(A > B)*k"])
    lines = ["A -> 0 : g", "B -> 0 : g"]
    for _ in range(draw(st.integers(1, 4))):
        left, rate = draw(side), draw(value)
        right = draw(side.filter(lambda other, left=left: other != left))
        lines.append(f"{left} -> {right} : {rate}")
    text = "\n".join(lines)
    values = {name: draw(st.floats(0.01, 4.0)) for name in ("k", "c", "g") if name in text}
    return acme.ReactionNetwork.parse(text, **values)


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore::acme_lib.errors.RateLawWarning")
def test_random_networks_give_the_same_bits(scaled):
    """Each example compiles a kernel; more of them run where the source is plain Python."""

    @settings(max_examples=scaled(10, 40))
    @given(networks())
    def check(network):
        answers = []
        for compiled in (False, True):
            try:
                rng = np.random.default_rng(2)
                options = dict(size=2, rng=rng, max_events=300, compile=compiled)
                answers.append(acme.simulate_ssa(network, {"A": 6, "B": 4}, [0, 0.2, 0.6], **options).counts.tolist())
            except acme.PropensityError as error:  # growth without bound
                answers.append(str(error))
        assert answers[0] == answers[1]

    check()


def test_parameters_and_starts_of_each_trajectory(scaled):
    size = scaled(150, 5)
    rows = {"k_m": np.linspace(0, 9, size), "g_p": np.linspace(2, 0.5, size)}
    starts = np.arange(2 * size).reshape(size, 2) % 11
    table = assert_same_bits(two_stage(), starts, t=1.0, size=size, parameters=rows)
    assert len(np.unique(table.counts[:, -1, 1])) > 2
    # all in one range
    network, rng, stop = two_stage(), np.random.default_rng(5), new_flag()
    options = dict(max_events=1000, choice=ssa_compiled.KernelChoice(network, True, size, 1))
    times = table.times.copy()
    task = make_task(ssa._run_range, network, starts, times, size=size, rng=rng, parameters=rows, **options)
    with np.errstate(all="ignore"):
        part = ssa._run_range(task, 0, size, stop)
    np.testing.assert_array_equal(part.counts, table.counts)


def test_summaries_and_threads(scaled):
    runs = [both(two_stage(), {}, t=scaled(8.0, 0.4), size=scaled(200, 4), keep="summary", threads=n) for n in (1, 3)]
    for ensemble in (*runs[0], *runs[1]):
        np.testing.assert_array_equal(ensemble.covariances, runs[0][0].covariances)


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "values", "start"),
    always(
        2,
        [
            ("0 -> M : r\n0 => P : k - M", dict(r=5, k=3), {}),
            ("0 => P : k - M\n0 -> M : k", dict(k=3), {"M": 9}),
            ("0 => P : k/M\n0 -> M : k", dict(k=3), {}),
            ("0 -> A : k\n0 => P : log(2 - A)", dict(k=3), {}),
            ("M => 0 : k", dict(k=3), {"M": 2}),
            ("0 -> A : k\nA + B + C => 0 : k\n0 -> B : k\nC => 2 C : k", dict(k=3), {"A": 2, "B": 2, "C": 1}),
            ("M -> 2 M : k", dict(k=3), {"M": 5}),
        ],
    ),
)
def test_errors_are_the_same(text, values, start):
    network = acme.ReactionNetwork.parse(text, **values)
    messages = []
    for compiled in (False, True):
        with pytest.raises(acme.PropensityError) as caught:
            acme.simulate_ssa(
                network, start, 30.0, size=3, rng=np.random.default_rng(1), max_events=400, compile=compiled
            )
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_the_limit_of_events_is_the_same():
    network = acme.ReactionNetwork.parse("M -> 0 : g", g=1.0)
    for compiled in (False, True):
        options = dict(rng=np.random.default_rng(1), compile=compiled)
        assert acme.simulate_ssa(network, {"M": 9}, 1e9, max_events=9, **options).events.tolist() == [9]
        with pytest.raises(acme.PropensityError, match="more than max_events=8"):
            acme.simulate_ssa(network, {"M": 9}, 1e9, max_events=8, **options)


@pytest.mark.parametrize(
    ("text", "values", "reason"),
    [
        ("0 => M : f(M)\nM -> 0 : g", dict(f=lambda m: 1.0, g=1.0), "its rates call Python functions"),
        ("\n".join(f"0 -> S{i} : k" for i in range(31)), dict(k=1.0), "it has 31 reactions, and the limit is 30"),
        ("0 => M : " + "+".join(["k*M"] * 120), dict(k=1.0), "its rates have 479 operations, and the limit is 400"),
    ],
)
def test_what_is_not_specialised_says_why(text, values, reason):
    network = acme.ReactionNetwork.parse(text, **values)
    with pytest.raises(acme.ParameterError, match=f"compile=True is not possible for this network: {reason}"):
        acme.simulate_ssa(network, {}, 1.0, rng=np.random.default_rng(1), compile=True)
    assert acme.simulate_ssa(network, {}, 0.01, rng=np.random.default_rng(1)).counts.shape[0] == 1


def test_compile_is_true_false_or_none():
    with pytest.raises(acme.ParameterError, match="compile must be True, False or None, got 'yes'"):
        acme.simulate_ssa(two_stage(), {}, 1.0, rng=np.random.default_rng(1), compile="yes")


# --- the source -------------------------------------------------------------------------------------------------------


def test_the_source_holds_no_word_of_the_user():
    text = "0 => secret_species : secret_rate*hill(secret_species, 3.25, 7, 2)\nsecret_species -> 0 : secret_g"
    network = acme.ReactionNetwork.parse(text, secret_rate=41.5, secret_g=17.25)
    source = ssa_compiled.write_source(network)
    for word in ("secret", "41.5", "17.25", "3.25"):
        assert word not in source
    names = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    assert names & {"eval", "exec", "open", "__import__"} == set()


def test_values_do_not_change_the_source():
    source = ssa_compiled.write_source(two_stage())
    assert ssa_compiled.write_source(two_stage(k_m=3.0, g_p=0.0)) == source
    other = acme.ReactionNetwork.parse("0 -> X : a\nX -> X + Y : b\nX -> 0 : c\nY -> 0 : d", a=1, b=2, c=3, d=4)
    assert ssa_compiled.write_source(other) == source


@pytest.mark.jit
def test_a_changed_parameter_compiles_nothing():
    both(two_stage(), {})
    kernel = ssa_compiled.load_kernel(two_stage())
    both(two_stage(k_p=1.0), {})
    both(two_stage(), {}, parameters={"k_p": np.linspace(1, 2, 20)})
    assert ssa_compiled.load_kernel(two_stage(g_m=0.1)) is kernel
    assert len(kernel.signatures) == 1 and len(ssa_compiled._LOADED) == 1


# --- the cache --------------------------------------------------------------------------------------------------------

SCRIPT = f"""
    import numpy as np, acme_lib as acme
    from acme_lib.simulate import ssa_compiled
    network = acme.ReactionNetwork.parse({TWO_STAGE!r}, k_m=10, k_p=5, g_m=1, g_p=0.5)
    ensemble = acme.simulate_ssa(network, {{}}, [0, 5], size=50, rng=np.random.default_rng(1), compile=True)
    stats = ssa_compiled.load_kernel(network).stats
    print(sum(stats.cache_misses.values()), sum(stats.cache_hits.values()), ensemble.counts.sum())
"""


def start_process():
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answer(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.split()


@pytest.mark.jit
@pytest.mark.thorough
def test_a_second_process_compiles_nothing(cache):
    first = answer(start_process())
    second = answer(start_process())
    assert first[:2] == ["1", "0"] and second[:2] == ["0", "1"] and first[2] == second[2]
    assert len(list((cache / "kernels").glob("*.py"))) == 1


@pytest.mark.thorough
@pytest.mark.jit
def test_processes_that_write_at_once_do_not_disturb_each_other(cache):
    together = [answer(process) for process in [start_process() for _ in range(3)]]
    assert len({counts for *_, counts in together}) == 1
    assert answer(start_process())[:2] == ["0", "1"]
    assert len(list((cache / "kernels").iterdir())) == 2  # the source and numba's folder: no unfinished file


def test_a_folder_that_cannot_be_written_is_replaced_by_a_temporary_one(tmp_path, monkeypatch, scaled):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("ACME_CACHE_DIR", str(tmp_path / "file"))
    assert_same_bits(two_stage(), {}, t=scaled(5.0, 0.3), size=3)
    assert list(ssa_compiled._temporary_folder().glob("kernel_*.py"))


def test_a_file_that_was_changed_is_written_again(cache):
    path = ssa_compiled._write(cache, "a = 1\n")
    path.write_text("a = 2\n")
    assert ssa_compiled._write(cache, "a = 1\n").read_text() == "a = 1\n"
    assert path.stat().st_mtime == 0


def test_kernels_that_were_not_used_for_longest_are_deleted(cache, monkeypatch):
    monkeypatch.setattr(ssa_compiled, "_MOST_KEPT", 3)
    paths = [ssa_compiled._write(cache, f"a = {i}\n") for i in range(3)]
    compiled = cache / "__pycache__" / f"{paths[1].stem}.simulate-1.py311.nbi"
    compiled.parent.mkdir()
    compiled.touch()
    for path, used in zip(paths, (3.0, 1.0, 2.0), strict=True):
        os.utime(path, (used, 0))
    ssa_compiled._write(cache, "a = 2\n")  # used again: nothing is new
    assert all(path.exists() for path in paths)
    new = ssa_compiled._write(cache, "a = 3\n")
    assert [path.exists() for path in (*paths, new, compiled)] == [True, False, True, True, False]


# --- the choice -------------------------------------------------------------------------------------------------------


@pytest.fixture
def loads(monkeypatch):
    """The networks whose kernel is asked for; nothing is compiled, and the choice is as with a compiler."""
    seen = []
    monkeypatch.setattr(ssa_compiled, "load_kernel", lambda network: seen.append(network) or "kernel")
    monkeypatch.setattr(ssa_compiled.numba.config, "DISABLE_JIT", 0)
    return seen


def choice(size=1000, wanted=None):
    return ssa_compiled.KernelChoice(two_stage(), wanted, size, 2)


def run_ranges(made, seconds, monkeypatch, ranges=3, trajectories=10):
    """What a choice decides before each range when ranges take so many seconds."""
    now = [0.0]
    monkeypatch.setattr(ssa_compiled.time, "thread_time", lambda: now[0])
    decided = []
    for _ in range(ranges):
        decided.append(made.kernel(trajectories) is not None)
        start = made.clock()
        now[0] += seconds
        made.ran(trajectories, start)
    return decided


def test_a_short_run_stays_with_the_table(loads, monkeypatch):
    assert run_ranges(choice(), 0.001, monkeypatch) == [False, False, False]
    assert loads == []


def test_a_long_run_changes_the_kernel_once_measured(loads, monkeypatch):
    # the first range may load the table's kernel and is not measured; the second is
    assert run_ranges(choice(), 0.1, monkeypatch, ranges=4) == [False, False, True, True]
    assert len(loads) == 1


def test_what_is_on_disk_pays_earlier(loads, monkeypatch):
    run = dict(seconds=0.01, monkeypatch=monkeypatch)
    assert run_ranges(choice(), **run) == [False, False, False]
    monkeypatch.setattr(ssa_compiled, "_is_on_disk", lambda source: True)
    assert run_ranges(choice(), **run) == [False, False, True]


def test_what_is_loaded_is_used_at_once(loads, monkeypatch):
    ssa_compiled._LOADED[ssa_compiled.write_source(two_stage())] = "kernel"
    assert run_ranges(choice(), 0.0, monkeypatch) == [True, True, True]


def test_the_end_of_a_run_is_not_worth_it(loads, monkeypatch):
    made = choice(size=30)
    assert run_ranges(made, 100.0, monkeypatch, ranges=3) == [False, False, False]


def test_without_a_place_to_write_the_table_goes_on(loads, monkeypatch):
    def fail(network):
        raise OSError("no space left")

    monkeypatch.setattr(ssa_compiled, "load_kernel", fail)
    assert run_ranges(choice(), 1.0, monkeypatch) == [False, False, False]
    with pytest.raises(OSError, match="no space left"):
        choice(wanted=True).kernel(1)


def test_one_thread_decides_and_the_others_go_on(loads, monkeypatch):
    made = choice()
    entered, leave = threading.Event(), threading.Event()

    def slow(network):
        entered.set()
        assert leave.wait(10)
        return "kernel"

    monkeypatch.setattr(ssa_compiled, "load_kernel", slow)
    run_ranges(made, 1.0, monkeypatch, ranges=2)
    thread = threading.Thread(target=made.kernel, args=(10,))
    thread.start()
    assert entered.wait(10)
    assert made.kernel(10) is None
    leave.set()
    thread.join()
    assert made.kernel(10) == "kernel"


def test_another_process_decides_for_itself(loads, monkeypatch):
    made = choice()
    run_ranges(made, 1.0, monkeypatch)
    sent = pickle.loads(pickle.dumps(made))
    assert sent.clock() is None and sent._given == made._given


@pytest.mark.jit
def test_a_switch_in_the_middle_leaves_no_trace(monkeypatch):
    expected = both(two_stage(), {}, size=300)[0]
    for after in (0, 1, 7):
        asked = []

        def kernel(self, n, after=after, asked=asked):
            asked.append(n)
            return ssa_compiled.load_kernel(self._network) if len(asked) > after else None

        monkeypatch.setattr(ssa_compiled.KernelChoice, "kernel", kernel)
        mixed = acme.simulate_ssa(
            two_stage(), {}, np.linspace(0, 5, 7), size=300, rng=np.random.default_rng(5), threads=2
        )
        np.testing.assert_array_equal(mixed.counts, expected.counts)
        assert len(asked) > after + 1


@pytest.mark.jit
def test_a_long_run_is_specialised_and_a_short_one_is_not(monkeypatch):
    rng = np.random.default_rng(1)
    acme.simulate_ssa(two_stage(), {}, 1.0, size=100, rng=rng)
    assert ssa_compiled._LOADED == {}
    monkeypatch.setattr(ssa_compiled, "_seconds_to_compile", lambda source: 0.001)
    acme.simulate_ssa(two_stage(), {}, 20.0, size=3000, rng=rng)
    assert len(ssa_compiled._LOADED) == 1


@pytest.mark.jit
def test_an_interrupt_reaches_the_specialised_kernel():
    network = acme.ReactionNetwork.parse("0 -> M : k\nM -> 0 : g", k=1e7, g=1.0)
    options = dict(max_events=10**9, choice=ssa_compiled.KernelChoice(network, True, 1, 1))
    task = make_task(ssa._run_range, network, {}, [0, 1e3], size=1, rng=np.random.default_rng(1), **options)
    stop = new_flag()
    thread = threading.Thread(target=ssa._run_range, args=(task, 0, 1, stop))
    thread.start()
    stop[0] = 1
    thread.join(30)
    assert not thread.is_alive()
