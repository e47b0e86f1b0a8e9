"""Deterministic changes and noise of a continuum species, beside those of reactions."""

from dataclasses import dataclass

from acme_lib.augmented.process import Process, find_continuum


@dataclass(frozen=True)
class Drift(Process):
    """A deterministic change of a continuum species at `rate` molecules per unit of time, of either sign."""

    species: str
    rate: str | float
    states: tuple[str, ...] | str | None = None

    def enter(self, entries, rates):
        """Add the rate to the velocity."""
        axis, _ = find_continuum(entries.space, self.species, self)
        factor = 1.0 / axis.system_size
        entries.drift[self.species].append(lambda at: factor * rates.acting(signed=True, environment=at))


@dataclass(frozen=True)
class Diffusion(Process):
    """Noise of a continuum species: the variance grows by 2 × `coefficient` molecules² per unit of time.

    As for reactions it is meant in the sense of Itô: it contributes ∂²(D p)/∂x².
    """

    species: str
    coefficient: str | float
    states: tuple[str, ...] | str | None = None

    def rates(self):
        """Return the texts of the rates by name."""
        return {"coefficient": self.coefficient}

    def enter(self, entries, rates):
        """Add the coefficient to the noise."""
        axis, _ = find_continuum(entries.space, self.species, self)
        factor = 1.0 / axis.system_size**2
        entries.noise[self.species].append(lambda at: factor * rates.acting("coefficient", environment=at))
