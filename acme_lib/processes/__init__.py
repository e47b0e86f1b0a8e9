"""What happens to cells besides reactions, defined once for every simulator and solver: burst sizes, divisions."""

from acme_lib.processes.burst_sizes import ArbitraryJump, ExponentialJump, FixedJump, GammaJump, UniformJump
from acme_lib.processes.division import (
    Adder,
    ArbitraryKernel,
    BetaFraction,
    FixedFraction,
    Hazard,
    PowerLawKernel,
    SelfSimilarKernel,
    Sizer,
    Timer,
)

__all__ = [
    "Adder",
    "ArbitraryJump",
    "ArbitraryKernel",
    "BetaFraction",
    "ExponentialJump",
    "FixedFraction",
    "FixedJump",
    "GammaJump",
    "Hazard",
    "PowerLawKernel",
    "SelfSimilarKernel",
    "Sizer",
    "Timer",
    "UniformJump",
]
