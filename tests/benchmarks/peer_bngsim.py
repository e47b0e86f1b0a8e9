"""bngsim; runs in its own environment."""

import tempfile
from pathlib import Path

import bngsim
from peer import serve


def make(name, model):
    species = list(model["start"])
    lines = ["begin parameters"]
    for j, (constant, left, _) in enumerate(model["reactions"]):
        pair = len(left) == 2 and left[0] == left[1]  # in this format the constant holds the factor 1/2
        lines.append(f"{j + 1} c{j} {constant / 2 if pair else constant}")
    lines += ["end parameters", "begin species"]
    lines += [f"{i + 1} {s}() {count}" for i, (s, count) in enumerate(model["start"].items())]
    lines += ["end species", "begin reactions"]
    for j, (_, *sides) in enumerate(model["reactions"]):
        left, right = (",".join(str(species.index(s) + 1) for s in side) or "0" for side in sides)
        lines.append(f"{j + 1} {left} {right} c{j}")
    lines += ["end reactions", "begin groups", *(f"{i + 1} {s} {i + 1}" for i, s in enumerate(species)), "end groups"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.net")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        simulator = bngsim.Simulator(bngsim.Model.from_net(str(path)), method="ssa")
    seeds = iter(range(1, 100_000_000, 100_000))

    def run(size):
        result = simulator.run_replicates(size, t_span=(0, 100), n_points=101, seed=next(seeds), squeeze=True)
        return result.species[:, :, -1]

    return run


serve(bngsim.__version__, make)
