r"""acme: stochastic gene expression, from reactions to distributions.

>>> import acme_lib as acme
>>> network = acme.ReactionNetwork.parse("0 -> M : k\nM -> 0 : g", k=10.0, g=1.0)

Names are loaded when they are first used, so that the import itself is fast.
"""

import importlib

import acme_lib.kernel_cache  # noqa: F401  # before numba looks for a folder

__version__ = "0.1.0"

_HOMES = {
    "acme_lib.errors": [
        "AcmeError",
        "CannotTellWarning",
        "CountsFileError",
        "DomainError",
        "EmptyStartWarning",
        "EquationError",
        "GradebookError",
        "LargeProblemWarning",
        "MissingExtraError",
        "NetworkSyntaxError",
        "NotInterchangeableWarning",
        "ParameterError",
        "PropensityError",
        "RateLawWarning",
        "ReleaseError",
        "SBMLError",
        "ShortRecordWarning",
        "StabilityError",
        "StateSpaceError",
        "TruncationWarning",
    ],
    "acme_lib.network": ["ReactionNetwork", "Reaction", "Event", "dual_reporter"],
    "acme_lib.sbml": ["read_sbml", "write_sbml"],
    "acme_lib.simulate": [
        "simulate_ssa",
        "simulate_next_reaction",
        "simulate_tau_leap",
        "simulate_langevin",
        "simulate_slow_scale",
        "simulate_jump_drift",
        "simulate_population",
        "simulate_lineage",
        "simulate_tree",
        "solve_rate_equations",
        "Ensemble",
        "EventRecord",
        "RateEquationSolution",
        "CellTable",
        "Population",
        "LineageEnsemble",
    ],
    "acme_lib.processes": [
        "ExponentialJump",
        "GammaJump",
        "FixedJump",
        "UniformJump",
        "Hazard",
        "Timer",
        "Sizer",
        "Adder",
        "FixedFraction",
        "BetaFraction",
    ],
    "acme_lib.master": [
        "StateSpace",
        "Generator",
        "build_generator",
        "solve_stationary",
        "solve_transient",
        "solve_finite_state_projection",
        "solve_first_passage",
        "find_first_passage_moments",
        "find_splitting_probabilities",
        "find_probability_fluxes",
        "find_relaxation",
        "find_stationary_sensitivity",
        "find_transient_sensitivity",
        "total_variation",
    ],
    "acme_lib.augmented.coagulation": ["geometric_sizes", "solve_coagulation"],
    "acme_lib.augmented.first_passage": ["solve_augmented_first_passage"],
    "acme_lib.augmented": [
        "AugmentedSpace",
        "Continuum",
        "Discrete",
        "States",
        "Burst",
        "ExponentialJump",
        "Fragmentation",
        "Transition",
        "Growth",
        "Death",
        "Influx",
        "Drift",
        "build_augmented",
        "solve_augmented",
        "solve_augmented_stationary",
        "solve_growth_mode",
        "estimate_grid_error",
    ],
    "acme_lib.approximate": [
        "compare",
        "compare_ensembles",
        "compare_with_exact",
        "EnsembleComparison",
        "expand_kramers_moyal",
        "find_fixed_points",
        "solve_linear_noise",
        "solve_moments",
        "solve_stationary_fokker_planck",
        "solve_stationary_linear_noise",
        "solve_stationary_moments",
    ],
    "acme_lib.noise": [
        "Estimate",
        "fano_factor",
        "coefficient_of_variation",
        "skewness",
        "squared_coefficient_of_variation",
    ],
    "acme_lib.plot": ["show"],
}
_ROOMS = "network models sbml simulate master augmented approximate laws noise plot cases teach errors".split()
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted([*_HOME_OF, *_ROOMS])


def __getattr__(name):
    if name not in __all__:
        raise AttributeError(f"acme_lib has no name {name!r}; it offers {', '.join(__all__)}")
    try:
        if name in _HOME_OF:
            value = getattr(importlib.import_module(_HOME_OF[name]), name)
        else:
            value = importlib.import_module(f"acme_lib.{name}")
    except ModuleNotFoundError as error:  # the library alone: say which extra brings what is missing
        raise importlib.import_module(f"{__name__}.extras").explain(error) from None
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *__all__])
