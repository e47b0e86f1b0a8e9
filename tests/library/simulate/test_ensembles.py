"""Ensembles: parameters by trajectory, summaries that stream, files, tables, clusters."""

import dataclasses
import itertools
import json
import pickle
import sys
from collections.abc import Mapping

import numpy as np
import pytest
from scipy import stats

import acme_lib as acme
from acme_lib.simulate import run as run_module
from acme_lib.simulate import summary as summary_module
from acme_lib.simulate.summary import EnsembleSummary
from tests.networks import birth_death, two_stage
from tests.statistics import FALSE_POSITIVE, p_value_of_law


def simulate(network, size, *, seed=1, t=(0.0, 0.5, 2.0), **options):
    return acme.simulate_ssa(network, {}, np.array(t), size=size, rng=np.random.default_rng(seed), **options)


# --- parameters by trajectory -----------------------------------------------------------------------------------------


def test_each_trajectory_has_its_own_parameters(scaled):
    size = scaled(6_000, 600)
    k = np.repeat([2.0, 20.0, 0.0], size // 3)
    ensemble = simulate(birth_death(), size, t=(0, 8), parameters={"k": k})
    for value in (2.0, 20.0, 0.0):
        counts = ensemble["M"][k == value, 1]
        if value == 0.0:
            assert counts.max() == 0
        else:
            z = stats.norm.isf(FALSE_POSITIVE / 2)
            assert abs(counts.mean() - value) < z * np.sqrt(value / len(counts))
    np.testing.assert_array_equal(ensemble.parameters["k"], k)


def test_equal_parameters_give_the_same_counts_as_none():
    size = 40
    plain = simulate(two_stage(k_p=3.0, k_m=5.0), size)
    rows = simulate(two_stage(k_p=3.0, k_m=5.0), size, parameters={"k_p": np.full(size, 3.0)})
    np.testing.assert_array_equal(rows.counts, plain.counts)


def test_parameters_reach_defined_ones_pairs_and_expressions():
    text = "K = 2*k\n2 S -> 0 : c*K\n0 => S : r/(1 + S/K)\nS -> 0 : k"
    network = acme.ReactionNetwork.parse(text, k=1.0, c=0.25, r=6.0)
    k = np.array([0.5, 1.0, 2.0])
    scale, values = network.rate_rows({"k": k}, 3)
    for i in range(3):
        alone = network.with_parameters(k=k[i])
        np.testing.assert_allclose(scale[i], alone.rate_table.scale, rtol=1e-15)
        np.testing.assert_allclose(values[i], alone.rate_table.parameters, rtol=1e-15)
    mixed = simulate(network, 3, parameters={"k": k})
    for i in range(3):
        alone = simulate(network.with_parameters(k=k[i]), 3)
        np.testing.assert_array_equal(mixed.counts[i], alone.counts[i])


def test_a_sampler_gives_extrinsic_noise(scaled):
    # k ~ Gamma(4, 2.5): the stationary counts are negative binomial, a Poisson law mixed over a gamma law.
    size = scaled(20_000, 400)

    def sample(rng, size):
        return {"k": rng.gamma(4.0, 2.5, size)}

    counts = simulate(birth_death(), size, t=(0, 12), parameters=sample)["M"][:, 1]
    law = stats.nbinom(4, 1 / (1 + 2.5))
    assert p_value_of_law(counts, law) > FALSE_POSITIVE
    again = simulate(birth_death(), size, t=(0, 12), parameters=sample)["M"][:, 1]
    np.testing.assert_array_equal(again, counts)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"kk": np.ones(3)}, acme.ParameterError, r"'kk' is not a parameter of the network.*it has k, g"),
        ({"k": np.ones(2)}, acme.ParameterError, r"shape \(3,\), got shape \(2,\)"),
        ({"k": np.array([1, np.nan, 2])}, acme.ParameterError, "not finite"),
        ({"k": np.array([1.0, -1.0, 2.0])}, acme.PropensityError, r"line 1.*the rate is negative \(-1\)"),
        ([1, 2, 3], acme.ParameterError, "parameters must be a mapping of names to one number a trajectory"),
    ],
)
def test_bad_parameters(parameters, error, message):
    with pytest.raises(error, match=message):
        simulate(birth_death(), 3, parameters=parameters)


def test_an_error_names_the_values_of_its_trajectory():
    network = acme.ReactionNetwork.parse("0 -> M : k\n0 => P : limit - M", k=5.0, limit=80.0)
    with pytest.raises(acme.PropensityError, match=r"negative \(-1\).*M=4"):
        simulate(network, 2, t=(0, 4), parameters={"limit": np.array([80.0, 3.0])})


# --- summaries --------------------------------------------------------------------------------------------------------


def test_a_summary_equals_the_counts_it_replaces(monkeypatch):
    monkeypatch.setattr(run_module, "_MOST_PER_RANGE", 17)  # many parts, the last one shorter
    ensemble = simulate(two_stage(k_p=3.0, k_m=5.0), 211)
    summary = simulate(two_stage(k_p=3.0, k_m=5.0), 211, keep="summary")
    m, p = ensemble["M"].astype(float), ensemble["P"].astype(float)
    np.testing.assert_allclose(summary.mean("P"), p.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(summary.variance("P"), p.var(axis=0, ddof=1), rtol=1e-12, atol=1e-14)
    cov = [np.cov(m[:, i], p[:, i])[0, 1] for i in range(3)]
    np.testing.assert_allclose(summary.covariance("M", "P"), cov, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(summary.skewness("P")[1:], stats.skew(p[:, 1:], axis=0), rtol=1e-10)
    fourth = ((p - p.mean(axis=0)) ** 4).mean(axis=0)
    np.testing.assert_allclose(summary.fourth_moments[:, 1], fourth, rtol=1e-10, atol=1e-12)
    fano = m[:, 1:].var(axis=0, ddof=1) / m[:, 1:].mean(axis=0)
    np.testing.assert_allclose(summary.fano_factor("M")[1:], fano, rtol=1e-12)
    assert np.isnan(summary.fano_factor("M")[0]) and np.isnan(summary.skewness("M")[0])
    edges, trajectories = summary.histogram("P")
    for i in range(3):
        np.testing.assert_array_equal(trajectories[i], np.bincount(ensemble["P"][:, i], minlength=len(edges) - 1))
    assert summary.events == ensemble.events.sum() and summary.size == 211 and summary.seed == ensemble.seed
    with pytest.raises(acme.ParameterError, match="'Q' is not a species of this summary; it has M, P"):
        summary.mean("Q")


def test_wide_counts_are_binned_in_powers_of_two(monkeypatch):
    monkeypatch.setattr(summary_module, "_BINS", 16)
    monkeypatch.setattr(run_module, "_MOST_PER_RANGE", 5)
    network = acme.ReactionNetwork.parse("0 -> A : a\n0 -> B : b", a=20.0, b=1.0)
    starts = np.array([[0, 0]] * 20 + [[300, 0]] * 20)  # later parts need wider bins than the first
    options = {"size": 40, "t": np.array([0.0, 1.0])}

    def run(keep):
        rng = np.random.default_rng(5)
        return acme.simulate_ssa(network, starts, options["t"], size=40, rng=rng, keep=keep)

    edges, trajectories = run("summary").histogram("A")
    width = edges[1] - edges[0]
    assert width in (32, 64) and trajectories.sum(axis=1).tolist() == [40, 40]
    for i in range(2):
        expected = np.bincount(run("counts")["A"][:, i] // width, minlength=len(edges) - 1)
        np.testing.assert_array_equal(trajectories[i], expected)
    edges, _ = run("summary").histogram("B")
    assert edges[1] - edges[0] == 1


def test_summaries_do_not_depend_on_threads(scaled):
    size = scaled(5_000, 60)
    one = simulate(two_stage(k_p=3.0, k_m=5.0), size, keep="summary", threads=1)
    many = simulate(two_stage(k_p=3.0, k_m=5.0), size, keep="summary", threads=5)
    for name in ("means", "covariances", "third_moments", "fourth_moments", "counts_of_bins"):
        np.testing.assert_array_equal(getattr(one, name), getattr(many, name))


def test_keep_is_checked():
    with pytest.raises(acme.ParameterError, match="keep must be 'counts', 'summary' or 'events', got 'all'"):
        simulate(birth_death(), 2, keep="all")


@pytest.mark.slow
def test_ten_million_trajectories_fit_in_500_megabytes():
    """Runs in a process of its own, whose largest size is measured; about three minutes on two cores."""
    import subprocess

    script = """
import pathlib, re, resource
import numpy as np, acme_lib as acme
network = acme.ReactionNetwork.parse("0 -> M : k\\nM -> 0 : g", k=10, g=1)
rng = np.random.default_rng(1)
summary = acme.simulate_ssa(network, {}, np.linspace(0, 10, 11), size=10_000_000, rng=rng, keep="summary")
status = pathlib.Path("/proc/self/status")  # Linux: ru_maxrss would count the parent, too
kilobytes = int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) if status.exists() else (
    resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(kilobytes / 1024, summary.mean("M")[-1], summary.fano_factor("M")[-1])
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    megabytes, mean, fano = (float(word) for word in done.stdout.split())
    assert megabytes < 500
    exact = 10 * -np.expm1(-10)
    assert abs(mean - exact) < 5 * np.sqrt(exact / 1e7)
    assert abs(fano - 1) < 5 * np.sqrt(2 / 1e7)


# --- progress ---------------------------------------------------------------------------------------------------------


def test_a_progress_bar_counts_trajectories(capsys):
    simulate(birth_death(), 50, progress=True)
    assert "50/50" in capsys.readouterr().err
    simulate(birth_death(), 50, progress=False)
    simulate(birth_death(), 50)
    assert capsys.readouterr().err == ""


# --- files and tables -------------------------------------------------------------------------------------------------


def test_a_file_gives_the_ensemble_back(tmp_path):
    text = "0 -> M : k/2  # half\nK = 2*g\nM <-> N : g, K\n"
    network = acme.ReactionNetwork.parse(text, k=0.1 + 0.2, g=1.0)
    ensemble = simulate(network, 5, parameters={"g": np.linspace(0.5, 1.5, 5)})
    path = tmp_path / "ensemble.npz"
    ensemble.save(path)
    back = acme.Ensemble.load(path)
    np.testing.assert_array_equal(back.counts, ensemble.counts)
    np.testing.assert_array_equal(back.times, ensemble.times)
    np.testing.assert_array_equal(back.parameters["g"], ensemble.parameters["g"])
    assert back.seed == ensemble.seed and back.species == ("M", "N")
    assert dict(back.network.parameters) == dict(network.parameters)
    np.testing.assert_array_equal(back.network.propensities([3, 4]), network.propensities([3, 4]))
    assert [p.name for p in tmp_path.iterdir()] == ["ensemble.npz"]


def results_of_every_kind():
    network = acme.ReactionNetwork.parse("total = 2*M + P\nK = 2*k\n0 -> M : K\nM -> P : 1\nP -> 0 : g", k=3.0, g=0.5)
    rng = np.random.default_rng(2)
    rows = {"g": np.linspace(0.5, 1.5, 4)}
    division = acme.Adder(1.0, cv=0.1)
    return [
        acme.simulate_ssa(network, {}, [0, 1, 2], size=4, rng=rng, parameters=rows),
        acme.simulate_ssa(network, {}, [0, 1, 2], size=4, rng=rng, parameters=rows, keep="summary"),
        acme.simulate_ssa(network, {}, 3.0, size=4, rng=rng, parameters=rows, keep="events", stop="P > 3"),
        acme.simulate_lineage(network, {}, [0, 1, 3], division=division, growth_rate=0.7, size=3, rng=rng),
        acme.simulate_tree(network, {}, generations=2, division=division, growth_rate=0.7, rng=rng),
        acme.solve_rate_equations(network, {}, [0, 1, 2]),
    ]


@pytest.mark.parametrize("index", range(6))
def test_every_result_comes_back_from_its_file(tmp_path, index):
    result = results_of_every_kind()[index]
    result.save(tmp_path / "result.npz")
    assert_same_fields(type(result).load(tmp_path / "result.npz"), result)


def permuted_network(rng):
    """Return a random network, with events, whose species stand in any order but that of first appearance."""
    n = int(rng.integers(2, 6))
    names = [f"S{i}" for i in rng.permutation(n)]
    lines = [f"0 -> {name} : {rng.integers(1, 20)}" for name in names]
    lines += [f"{name} -> 0 : {rng.uniform(0.5, 2):.3f}" for name in names]
    lines += [f"{a} -> {b} : k" for a, b in itertools.pairwise(names)]
    lines += [f"when t >= 0.5 : {names[0]} = 40, {names[-1]} = {names[-1]} + 7", f"at 0 : {names[1]} = 30"]
    network = acme.ReactionNetwork.parse("\n".join(lines), k=0.3)
    while (order := tuple(rng.permutation(names).tolist())) == network.species:
        pass
    events = network.events[:1] + (dataclasses.replace(network.events[1], initially=False),)
    return dataclasses.replace(network, species=order, events=events)


@pytest.mark.parametrize("seed", range(8))
def test_species_stay_with_their_columns(tmp_path, seed):
    """A network's text, its file and its columns agree, in whatever order the species stand."""
    rng = np.random.default_rng(seed)
    network = permuted_network(rng)
    again = acme.ReactionNetwork.parse(str(network), k=0.3)
    assert again.species == network.species
    state = rng.integers(0, 9, len(network.species))
    np.testing.assert_array_equal(again.propensities(state), network.propensities(state))
    start = {name: i for i, name in enumerate(network.species)}
    quiet = dataclasses.replace(network, events=())
    results = [
        acme.simulate_ssa(network, start, [0, 1], size=3, rng=rng),
        acme.simulate_ssa(network, start, [0, 1], size=3, rng=rng, keep="summary"),
        acme.simulate_ssa(network, start, 1.0, size=3, rng=rng, keep="events"),
        acme.solve_rate_equations(quiet, start, [0, 1]),
        acme.simulate_lineage(quiet, start, [0, 1], division=acme.Adder(1.0), growth_rate=0.7, size=3, rng=rng),
    ]
    for k, result in enumerate(results):
        result.save(tmp_path / f"{k}.npz")
        back = type(result).load(tmp_path / f"{k}.npz")
        assert_same_fields(back, result)
        for name in network.species:
            if isinstance(result, acme.EventRecord):
                i = network.species.index(name)
                np.testing.assert_array_equal(back.state_at(1.0)[:, i], result.state_at(1.0)[:, i])
                np.testing.assert_array_equal(back.to_pandas()[name], result.to_pandas()[name])
                assert back.state_at(0.0)[:, i].min() >= 0 and back.states_of(0).min() >= 0
            elif isinstance(result, EnsembleSummary):
                np.testing.assert_array_equal(back.mean(name), result.mean(name))
                assert back.mean(name)[0] == (30 if name in network.events[1].assignments else start[name])
            else:
                np.testing.assert_array_equal(back[name], result[name])
        if hasattr(result, "to_xarray"):
            text = result.to_xarray().attrs["network"]
            assert acme.ReactionNetwork.parse(text, k=0.3).species == network.species


def test_a_dual_reporter_comes_back_with_its_columns(tmp_path):
    network = acme.dual_reporter(acme.models.two_stage())
    ensemble = acme.simulate_ssa(network, {}, [60.0], size=20, rng=np.random.default_rng(1))
    ensemble.save(tmp_path / "dual.npz")
    back = acme.Ensemble.load(tmp_path / "dual.npz")
    for name in network.species:
        assert back[name].mean() == ensemble[name].mean()


def as_old_file(path):
    """Make a file what the old version would have written: without the order of the species."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    about = json.loads(str(arrays.pop("about")))
    about["format"] = "acme-result-1"
    kept = about["fields"]["network"]
    kept["text"] = "\n".join(line for line in kept["text"].split("\n") if not line.startswith("species:"))
    del kept["initially"]
    np.savez_compressed(path, about=np.array(json.dumps(about)), **arrays)


def test_old_files_are_read_right_or_refused(tmp_path):
    path = tmp_path / "old.npz"
    simulate(birth_death(), 5, seed=1).save(path)
    as_old_file(path)
    np.testing.assert_array_equal(acme.Ensemble.load(path).counts, simulate(birth_death(), 5, seed=1).counts)
    network = dataclasses.replace(acme.models.two_stage(), species=("P", "M"))
    ensemble = acme.simulate_ssa(network, {}, [3.0], size=5, rng=np.random.default_rng(1))
    ensemble.save(path)
    with pytest.raises(acme.ParameterError, match="says which species its columns are; leave species out"):
        acme.Ensemble.load(path, species=["P", "M"])
    as_old_file(path)
    with pytest.raises(acme.ParameterError, match=r"did not keep the order of the species.*species=\['M', 'P'\] where"):
        acme.Ensemble.load(path)
    with pytest.raises(acme.ParameterError, match="species must be the names M, P in the order of the columns, got"):
        acme.Ensemble.load(path, species=["P", "Q"])
    np.testing.assert_array_equal(acme.Ensemble.load(path, species=["P", "M"])["P"], ensemble["P"])


def assert_same_fields(back, result):
    for field in dataclasses.fields(result):
        mine, theirs = getattr(result, field.name), getattr(back, field.name)
        if isinstance(mine, acme.ReactionNetwork):
            assert str(theirs) == str(mine) and dict(theirs.parameters) == dict(mine.parameters)
            assert theirs.species == mine.species
            assert [event.initially for event in theirs.events] == [event.initially for event in mine.events]
            np.testing.assert_array_equal(theirs.stoichiometry, mine.stoichiometry)
        elif dataclasses.is_dataclass(mine):
            assert_same_fields(theirs, mine)
        elif isinstance(mine, Mapping):
            assert list(theirs) == list(mine)
            for name, values in mine.items():
                np.testing.assert_array_equal(theirs[name], values)
        else:
            np.testing.assert_array_equal(theirs, mine)
            assert np.asarray(theirs).dtype == np.asarray(mine).dtype


def test_a_file_of_another_kind_names_its_reader(tmp_path):
    simulate(birth_death(), 5).save(tmp_path / "result.npz")
    with pytest.raises(acme.ParameterError, match="of the kind Ensemble; read it by Ensemble.load"):
        acme.EventRecord.load(tmp_path / "result.npz")


def test_damaged_and_foreign_files_are_refused(tmp_path):
    path = tmp_path / "ensemble.npz"
    simulate(birth_death(), 5).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(acme.ParameterError, match="is not a file that Ensemble.save wrote, or it is damaged"):
        acme.Ensemble.load(path)
    np.savez(path, counts=np.zeros(3))
    with pytest.raises(acme.ParameterError, match="is not a file that Ensemble.save wrote"):
        acme.Ensemble.load(path)
    np.savez(path, about=np.array(json.dumps({"format": "acme-ensemble-0"})))
    with pytest.raises(acme.ParameterError, match="another format"):
        acme.Ensemble.load(path)
    np.savez(path, about=np.array([{"a": 1}], dtype=object))  # what would need pickle is not read
    with pytest.raises(acme.ParameterError, match="is not a file that Ensemble.save wrote"):
        acme.Ensemble.load(path)
    with pytest.raises(FileNotFoundError):
        acme.Ensemble.load(tmp_path / "nothing.npz")


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "ensemble.npz"
    simulate(birth_death(), 5, seed=1).save(path)
    before = path.read_bytes()

    def full(file, **arrays):
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match="no space"):
        simulate(birth_death(), 5, seed=2).save(path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_functions_are_not_stored(tmp_path):
    network = acme.ReactionNetwork.parse("0 => M : rate(M)\nM -> 0 : g", rate=lambda m: 2.0, g=1.0)
    ensemble = simulate(network, 2)
    with pytest.raises(acme.ParameterError, match="Python functions rate, and a file holds no code"):
        ensemble.save(tmp_path / "ensemble.npz")
    assert list(tmp_path.iterdir()) == []


def test_tables():
    ensemble = simulate(two_stage(k_p=3.0, k_m=5.0), 4, parameters={"k_m": np.arange(1.0, 5.0)})
    frame = ensemble.to_pandas()
    assert list(frame.columns) == ["M", "P"] and frame.index.names == ["trajectory", "time"]
    assert frame.loc[(2, 0.5), "P"] == ensemble["P"][2, 1]
    data = ensemble.to_xarray()
    assert data["P"].dims == ("trajectory", "time")
    assert data["P"].sel(time=2.0).isel(trajectory=3) == ensemble["P"][3, 2]
    assert data["k_m"].dims == ("trajectory",)


def test_tables_of_every_kind():
    ensemble, summary, record, lineage, tree, solution = results_of_every_kind()
    frame = ensemble.to_pandas()
    assert frame.loc[(1, 2.0), "total"] == 2 * ensemble["M"][1, 2] + ensemble["P"][1, 2]
    assert float(ensemble.to_xarray()["total"][1, 2]) == frame.loc[(1, 2.0), "total"]
    assert float(summary.to_xarray()["mean"].sel(quantity="total", time=2.0)) == summary.mean("total")[2]
    events = record.to_pandas()
    assert len(events) == len(record.times)
    assert list(events.loc[2, "P"]) == list(record.states_of(2)[1:, record.species.index("P")])
    assert float(lineage.to_xarray()["volume"][2, 1]) == lineage.to_pandas().loc[(2, 1.0), "volume"]
    assert list(tree.to_pandas()["M at birth"]) == list(tree.at_birth("M")) and len(tree.to_pandas()) == 7
    assert solution.to_pandas().loc[2.0, "total"] == solution["total"][2] == float(solution.to_xarray()["total"][2])


# --- observables ------------------------------------------------------------------------------------------------------


def test_observables_are_recorded_like_species():
    """Also those of parameters that differ between trajectories, and in a summary."""
    network = acme.ReactionNetwork.parse("K = 2*k\ny = K*M + t\n0 -> M : k\nM -> 0 : 1", k=4.0)
    k = np.linspace(1, 9, 30)
    ensemble = simulate(network, 30, parameters={"k": k})
    y = 2 * k[:, None] * ensemble["M"] + ensemble.times
    np.testing.assert_allclose(ensemble["y"], y, rtol=1e-14)
    summary = simulate(network, 30, parameters={"k": k}, keep="summary")
    np.testing.assert_allclose(summary.mean("y"), y.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(summary.variance("y"), y.var(axis=0, ddof=1), rtol=1e-12)
    both = [np.cov(ensemble["M"][:, i], y[:, i])[0, 1] for i in range(3)]
    np.testing.assert_allclose(summary.covariance("M", "y"), both, rtol=1e-12)
    with pytest.raises(acme.ParameterError, match="y is an observable, of which a summary keeps moments only"):
        summary.histogram("y")
    with pytest.raises(acme.ParameterError, match="'z' is not a species of this ensemble"):
        ensemble["z"]


@pytest.mark.parametrize(("name", "method"), [("pandas", "to_pandas"), ("xarray", "to_xarray")])
def test_a_missing_table_library_says_how_to_get_it(monkeypatch, name, method):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(acme.MissingExtraError, match=rf'this needs {name}, .*pip install "\.\[data\]"'):
        getattr(simulate(birth_death(), 2), method)()


def test_an_ensemble_can_be_sent_to_another_process():
    ensemble = simulate(two_stage(k_p=3.0, k_m=5.0), 3)
    back = pickle.loads(pickle.dumps(ensemble))
    np.testing.assert_array_equal(back.counts, ensemble.counts)
    assert back.species == ensemble.species
