"""Where the claims of a source are taught: "Stochasticity in gene expression", bursting and approximations.

Each row: heading in the source, claim in our words, chapter, heading in the chapter.
"""

_BURSTING = "Transcriptional Bursting: The Role of Promoter Dynamics"
_FLUIDS = "Approximations to the Chemical Master Equation"
_FOUR = "04_bursting.md"
_FIVE = "05_approximations.md"

ROWS = [
    (_BURSTING, "transcripts come in bursts with silence between", _FOUR, "4 · Bursting"),
    (_BURSTING, "bursts make counts vary more than a Poisson law", _FOUR, "2 Mean and noise"),
    (
        _BURSTING,
        "telegraph model: a promoter that is on or off, and transcribes while on",
        _FOUR,
        "1 A gene that switches",
    ),
    (_BURSTING, "three time scales decide: opening, closing, degradation", _FOUR, "3 The law in every regime"),
    (
        _BURSTING,
        "slow switching both ways is said to give bursts; it gives two humps",
        _FOUR,
        "3 The law in every regime",
    ),
    (_BURSTING, "a stay in ON makes several transcripts before they are lost", _FOUR, "1 A gene that switches"),
    (_BURSTING, "the law is skewed, with a broad tail", _FOUR, "3 The law in every regime"),
    (_BURSTING, "in the burst limit the law is negative binomial", _FOUR, "4 Bursts and generating functions"),
    (_BURSTING, "its Fano factor is well above 1", _FOUR, "4 Bursts and generating functions"),
    (_BURSTING, "skewness is the third cumulant over the cubed SD", _FOUR, "5 Skewness and a rule put to the test"),
    (_BURSTING, "skewness of a Poisson law", _FOUR, "5 Skewness and a rule put to the test"),
    (_BURSTING, "skewness of a negative binomial law", _FOUR, "5 Skewness and a rule put to the test"),
    (_BURSTING, "above a skewness of 0.3 a Gaussian is poor", _FOUR, "5 Skewness and a rule put to the test"),
    (_BURSTING, "very slow switching makes the law bimodal", _FOUR, "3 The law in every regime"),
    (_BURSTING, "a refractory cycle with three states", _FOUR, "6 A gene that must rest"),
    (_BURSTING, "more regular times off lower the Fano factor at equal mean times", _FOUR, "6 A gene that must rest"),
    (_FLUIDS, "the master equation is exact and too large, approximations have limits", _FIVE, "5 · Approximations"),
    (_FLUIDS, "Kramers–Moyal: expand in derivatives", _FIVE, "1 From jumps to drift and diffusion"),
    (_FLUIDS, "truncated at second order: the Fokker–Planck equation", _FIVE, "1 From jumps to drift and diffusion"),
    (
        _FLUIDS,
        "drift is the mean change, diffusion its variance, per time",
        _FIVE,
        "1 From jumps to drift and diffusion",
    ),
    (_FLUIDS, "drift and diffusion of birth and death", _FIVE, "1 From jumps to drift and diffusion"),
    (_FLUIDS, "its density for birth and death", _FIVE, "2 The density of a fluid gene"),
    (_FLUIDS, "the same process as a stochastic differential equation", _FIVE, "3 The chemical Langevin equation"),
    (_FLUIDS, "linear noise is its linearisation", _FIVE, "4 Linear noise"),
    (_FLUIDS, "accurate for large systems, by the system-size expansion", _FIVE, "4 Linear noise"),
    (_FLUIDS, "each reaction must change the state by little", _FIVE, "1 From jumps to drift and diffusion"),
    (_FLUIDS, "Gaussian fluctuations around a deterministic mean", _FIVE, "4 Linear noise"),
    (_FLUIDS, "linear rates: mean and covariance exact at all times, the law not", _FIVE, "4 Linear noise"),
    (_FLUIDS, "fails at low copy number", _FIVE, "2 The density of a fluid gene"),
    (_FLUIDS, "may give negative numbers of molecules", _FIVE, "3 The chemical Langevin equation"),
    (_FLUIDS, "misses several modes: expansion around one peak", _FIVE, "8 Where this fails"),
    (_FLUIDS, "fails for slow switching", _FIVE, "6 A computed map"),
    (_FLUIDS, "then only the master equation or exact simulation remains", _FIVE, "8 Where this fails"),
    (_FLUIDS, "in summary: foundation, metrics and approximations together", _FIVE, "Recap"),
]
