"""Growing and dividing cells as results: a table of cells, and lineages over time."""

from dataclasses import dataclass, field

import numpy as np

from acme_lib.arrays import freeze, freeze_fields
from acme_lib.errors import ParameterError
from acme_lib.network import ReactionNetwork
from acme_lib.network.expression import suggest
from acme_lib.simulate.storage import Result, to_dataset, to_table


@dataclass(frozen=True)
class CellTable(Result):
    """Cells, one a row; mothers stand before their daughters.

    Attributes
    ----------
    network : ReactionNetwork
    parent : ndarray of int64, shape (cell,)
        Row of the mother, or -1.
    founder : ndarray of int64, shape (cell,)
        Which of the first cells it comes from.
    generation : ndarray of int64, shape (cell,)
        0 for the first cells.
    birth_times, end_times : ndarray, shape (cell,)
        A cell ends by its division, or because the simulation ends.
    divided : ndarray of bool, shape (cell,)
    birth_volumes, end_volumes : ndarray, shape (cell,)
    birth_counts, end_counts : ndarray of int64, shape (cell, species)
        Molecules at birth, and just before the division or at the end.
    seed : tuple of int
    """

    network: ReactionNetwork = field(repr=False)
    parent: np.ndarray = field(repr=False)
    founder: np.ndarray = field(repr=False)
    generation: np.ndarray = field(repr=False)
    birth_times: np.ndarray = field(repr=False)
    end_times: np.ndarray = field(repr=False)
    divided: np.ndarray = field(repr=False)
    birth_volumes: np.ndarray = field(repr=False)
    end_volumes: np.ndarray = field(repr=False)
    birth_counts: np.ndarray = field(repr=False)
    end_counts: np.ndarray = field(repr=False)
    seed: tuple[int, ...] = field(repr=False)

    def __post_init__(self):
        freeze_fields(self)

    def __len__(self):
        return len(self.parent)

    def __repr__(self):
        founders = int((self.parent < 0).sum())
        return (
            f"CellTable of {len(self)} cells from {founders} (generations 0 … {self.generation.max()}; "
            f"{int(self.divided.sum())} divided)"
        )

    @property
    def species(self):
        """Names of the species."""
        return self.network.species

    def at_birth(self, name):
        """Return the counts of a species at birth, shape (cell,)."""
        return self.birth_counts[:, self._index(name)]

    def at_end(self, name):
        """Return the counts of a species just before division, or at the end, shape (cell,)."""
        return self.end_counts[:, self._index(name)]

    def daughters(self, cell):
        """Return the rows of the daughters of a cell that are in the table."""
        return np.flatnonzero(self.parent == cell)

    def alive_at(self, t):
        """Return the rows of the cells that live at time `t`: from their birth until just before their end."""
        lives_on = (t < self.end_times) | ((t == self.end_times) & ~self.divided)
        return np.flatnonzero((self.birth_times <= t) & lives_on)

    def to_pandas(self):
        """Return a `pandas.DataFrame`: a row for each cell."""
        names = (
            "parent",
            "founder",
            "generation",
            "birth_times",
            "end_times",
            "divided",
            "birth_volumes",
            "end_volumes",
        )
        columns = {name.removesuffix("s"): getattr(self, name) for name in names}
        for name in self.species:
            columns |= {f"{name} at birth": self.at_birth(name), f"{name} at end": self.at_end(name)}
        return to_table(columns, {"cell": np.arange(len(self))})

    def _index(self, name):
        return _species_index(self.network, name)


@dataclass(frozen=True)
class LineageEnsemble(Result):
    """Lineages: at each division one daughter is followed.

    Attributes
    ----------
    times : ndarray, shape (time,)
    counts : ndarray of int64, shape (lineage, time, species)
        At the moment of a division those of the daughter.
    volumes : ndarray, shape (lineage, time)
    cells : CellTable
        All cells of all lineages; ``cells.founder`` is the lineage.
    """

    times: np.ndarray
    counts: np.ndarray = field(repr=False)
    volumes: np.ndarray = field(repr=False)
    cells: CellTable

    def __post_init__(self):
        freeze(self.times, self.counts, self.volumes)

    def __getitem__(self, name):
        return self.counts[:, :, _species_index(self.cells.network, name)]

    def __len__(self):
        return len(self.counts)

    @property
    def species(self):
        """Names of the species, in the order of the last axis of `counts`."""
        return self.cells.species

    def concentration(self, name):
        """Return count over volume, shape (lineage, time)."""
        return self[name] / self.volumes

    def to_pandas(self):
        """Return a `pandas.DataFrame`: a row for each lineage and time, a column for each species and the volume."""
        index = {"lineage": np.repeat(np.arange(len(self)), len(self.times)), "time": np.tile(self.times, len(self))}
        columns = {name: self[name].ravel() for name in self.species}
        return to_table(columns | {"volume": self.volumes.ravel()}, index)

    def to_xarray(self):
        """Return an `xarray.Dataset`: a variable for each species and the volume, over lineage and time."""
        variables = {name: (("lineage", "time"), self[name]) for name in self.species}
        variables["volume"] = (("lineage", "time"), self.volumes)
        return to_dataset(variables, {"time": self.times}, network=self.cells.network, seed=self.cells.seed)


def _species_index(network, name):
    if name not in network.species:
        known = ", ".join(network.species)
        raise ParameterError(f"{name!r} is not a species of these cells{suggest(str(name), network.species)}: {known}")
    return network.species.index(name)
