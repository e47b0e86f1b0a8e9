r"""The augmented chemical master equation: discrete states × continuum species, with what is no reaction.

A species moves from discrete to continuum by changing one line of the space; the network stays as it is, in molecules:

>>> import acme_lib as acme
>>> from acme_lib import augmented
>>> network = acme.ReactionNetwork.parse(
...     "0 => M : r0 + r1*P^n/(K^n + P^n)\nM -> M + P : gamma*B\nM -> 0 : gamma\nP -> 0 : 1",
...     gamma=10, r0=2, r1=10, n=4, K=200, B=40)
>>> space = augmented.AugmentedSpace(
...     network, M=augmented.Discrete(29), P=augmented.Continuum(upper=8.0, cells=160, system_size=200))
>>> system = augmented.build_augmented(space, diffusion=False)
>>> law = augmented.solve_augmented_stationary(system)
>>> law.marginal("P").shape
(160,)
>>> solution = augmented.solve_augmented(system, space.density("exp(-20*(P - 1)**2)", M=0), [0.5, 1.0])
>>> solution.mass().round(9)
array([1., 1.])

Bursts, and a first passage by an abstract state that is frozen (only collects what reaches it):

>>> network = acme.ReactionNetwork.parse("P -> 0 : 1")
>>> space = augmented.AugmentedSpace(network, fate=augmented.States("waiting", frozen="switched"),
...                                  P=augmented.Continuum(upper=5.0, cells=200, system_size=200))
>>> system = augmented.build_augmented(
...     space,
...     augmented.Burst("P", "r0 + r1*P^4/(K^4 + P^4)", augmented.ExponentialJump(40.0)),
...     augmented.Transition("waiting", "switched", "alpha*(P > 0.825*K)"),
...     diffusion=False, r0=2, r1=10, K=200, alpha=1000)
>>> mode = augmented.solve_growth_mode(system)  # minus its rate is how the tail of the waiting time decays

Everything a process says is in molecules (n = Ω x); grids, densities and moments are in units of x. Sizes and other
quantities that are no species are axes of a space without a network: ``AugmentedSpace(None, x=Continuum(12.0, 2400))``.
"""

from acme_lib.augmented.axes import Continuum, Discrete, States
from acme_lib.augmented.burst import Burst
from acme_lib.augmented.drift_diffusion import Diffusion, Drift
from acme_lib.augmented.fragmentation import Fragmentation
from acme_lib.augmented.growth import Death, Growth
from acme_lib.augmented.influx import Influx
from acme_lib.augmented.refinement import GridError, estimate_grid_error
from acme_lib.augmented.schemes import FluxScheme, LimitedScheme, LinearScheme
from acme_lib.augmented.solution import AugmentedDensity, AugmentedSolution
from acme_lib.augmented.space import AugmentedSpace
from acme_lib.augmented.stationary import (
    GrowthMode,
    StationaryDensity,
    solve_augmented_stationary,
    solve_growth_mode,
)
from acme_lib.augmented.system import AugmentedSystem, build_augmented
from acme_lib.augmented.transient import solve_augmented
from acme_lib.augmented.transition import Transition
from acme_lib.processes import (
    ArbitraryJump,
    ArbitraryKernel,
    BetaFraction,
    ExponentialJump,
    FixedFraction,
    FixedJump,
    GammaJump,
    PowerLawKernel,
    SelfSimilarKernel,
    UniformJump,
)

__all__ = [
    "ArbitraryJump",
    "ArbitraryKernel",
    "AugmentedDensity",
    "AugmentedSolution",
    "AugmentedSpace",
    "AugmentedSystem",
    "BetaFraction",
    "Burst",
    "Continuum",
    "Death",
    "Diffusion",
    "Discrete",
    "Drift",
    "ExponentialJump",
    "FixedFraction",
    "FixedJump",
    "FluxScheme",
    "Fragmentation",
    "GammaJump",
    "Growth",
    "GridError",
    "GrowthMode",
    "Influx",
    "LimitedScheme",
    "LinearScheme",
    "PowerLawKernel",
    "SelfSimilarKernel",
    "States",
    "StationaryDensity",
    "Transition",
    "UniformJump",
    "build_augmented",
    "estimate_grid_error",
    "solve_augmented",
    "solve_augmented_stationary",
    "solve_growth_mode",
]
