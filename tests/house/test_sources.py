"""What the source on stochastic gene expression says is taught: each claim has its place in a chapter.

A row: heading of the source, the claim in our words, the chapter, the heading under which it is taught. One list for
each chapter that a part of the source belongs to.
"""

import re
from pathlib import Path

import pytest

COURSE = Path(__file__).resolve().parents[2] / "course"

QUANTIFYING = "Quantifying and Analyzing Stochasticity"
ORIGINS = "The Origins of Noise: Intrinsic versus Extrinsic Variability"
BURSTING = "Transcriptional Bursting: The Role of Promoter Dynamics"
FLUIDS = "Approximations to the Chemical Master Equation"

_C1, _C2, _C3 = "01_chemical_master_equation.md", "02_noise_metrics.md", "03_intrinsic_extrinsic.md"
_C4, _C5 = "04_bursting.md", "05_approximations.md"

NOISE_METRICS = [
    (QUANTIFYING, "the full equation is large: one simulates, or looks at moments", _C2, "5 A protein inherits noise"),
    (QUANTIFYING, "Gillespie's algorithm simulates the process exactly", _C1, "5 Gillespie's algorithm from scratch"),
    (QUANTIFYING, "Fano factor: variance over mean", _C2, "1 Four numbers for one histogram"),
    (QUANTIFYING, "but the Fano factor is not dimensionless", _C2, "2 Counts and arbitrary units"),
    (QUANTIFYING, "independent events at a constant rate are Poisson, F = 1", _C2, "4 The yardstick"),
    (QUANTIFYING, "F above 1: overdispersed, a sign of bursts, and of other things", _C2, "9 Pooled populations"),
    (QUANTIFYING, "F below 1: negative feedback", _C2, "8 Below Poisson and what it costs"),
    (QUANTIFYING, "CV and CV² compare noise at different means", _C2, "1 Four numbers for one histogram"),
    (
        QUANTIFYING,
        "where a threshold decides, as in patterning, the CV counts",
        _C2,
        "1 Four numbers for one histogram",
    ),
    (QUANTIFYING, "pooling cells of different means inflates the variance", _C2, "9 Pooled populations"),
    (QUANTIFYING, "strata undo the inflation", _C2, "9 Pooled populations"),
    (QUANTIFYING, "transcripts of a gene that is on are a birth-death process", _C1, "1 A snapshot of identical cells"),
    (QUANTIFYING, "waiting times between events are exponential", _C1, "4 How long until something happens?"),
    (QUANTIFYING, "transcripts are Poisson with mean k/γ and F = 1", _C1, "8 One law met three ways"),
    (QUANTIFYING, "the protein's Fano factor from the moment equations", _C2, "5 A protein inherits noise"),
    (QUANTIFYING, "its 1 is the protein's own, the rest comes from the transcripts", _C2, "5 A protein inherits noise"),
    (QUANTIFYING, "the inherited part depends on the time scales", _C2, "6 Noise travels between time scales"),
]

INTRINSIC_EXTRINSIC = [
    (ORIGINS, "variability has two sources", _C3, "1 The law of total variance"),
    (ORIGINS, "intrinsic: random reactions in a constant cell", _C3, "1 The law of total variance"),
    (ORIGINS, "extrinsic: other components differ from cell to cell", _C3, "1 The law of total variance"),
    (ORIGINS, "extrinsic: other components change in time", _C3, "5 Cells that change their mind"),
    (ORIGINS, "cell size and cycle are extrinsic", _C3, "8 Cells that grow and divide"),
    (ORIGINS, "shared polymerases and ribosomes are extrinsic", _C3, "7 When two colours lie"),
    (ORIGINS, "law of total variance", _C3, "1 The law of total variance"),
    (ORIGINS, "intrinsic variance: mean of the variances at given state", _C3, "1 The law of total variance"),
    (ORIGINS, "extrinsic variance: variance of the means over states", _C3, "1 The law of total variance"),
    (ORIGINS, "two identical promoters, two colours, one cell", _C3, "3 Two reporters"),
    (ORIGINS, "both see the same cell; their own events are independent", _C3, "3 Two reporters"),
    (ORIGINS, "the covariance is the extrinsic variance", _C3, "3 Two reporters"),
    (ORIGINS, "variance less covariance is the intrinsic variance", _C3, "3 Two reporters"),
    (ORIGINS, "95 and 60 give 60 extrinsic and 35 intrinsic", _C3, "3 Two reporters"),
    (ORIGINS, "the two assumptions can fail", _C3, "7 When two colours lie"),
]

BURSTING_AND_APPROXIMATIONS = [
    (BURSTING, "transcripts come in bursts with silence between", _C4, "4 · Bursting"),
    (BURSTING, "bursts make counts vary more than a Poisson law", _C4, "2 Mean and noise"),
    (
        BURSTING,
        "telegraph model: a promoter that is on or off, and transcribes while on",
        _C4,
        "1 A gene that switches",
    ),
    (BURSTING, "three time scales decide: opening, closing, degradation", _C4, "3 The law in every regime"),
    (
        BURSTING,
        "slow switching both ways is said to give bursts; it gives two humps",
        _C4,
        "3 The law in every regime",
    ),
    (BURSTING, "a stay in ON makes several transcripts before they are lost", _C4, "1 A gene that switches"),
    (BURSTING, "the law is skewed, with a broad tail", _C4, "3 The law in every regime"),
    (BURSTING, "in the burst limit the law is negative binomial", _C4, "4 Bursts and generating functions"),
    (BURSTING, "its Fano factor is well above 1", _C4, "4 Bursts and generating functions"),
    (BURSTING, "skewness is the third cumulant over the cubed SD", _C4, "5 Skewness and a rule put to the test"),
    (BURSTING, "skewness of a Poisson law", _C4, "5 Skewness and a rule put to the test"),
    (BURSTING, "skewness of a negative binomial law", _C4, "5 Skewness and a rule put to the test"),
    (BURSTING, "above a skewness of 0.3 a Gaussian is poor", _C4, "5 Skewness and a rule put to the test"),
    (BURSTING, "very slow switching makes the law bimodal", _C4, "3 The law in every regime"),
    (BURSTING, "a refractory cycle with three states", _C4, "6 A gene that must rest"),
    (BURSTING, "more regular times off lower the Fano factor at equal mean times", _C4, "6 A gene that must rest"),
    (FLUIDS, "the master equation is exact and too large, approximations have limits", _C5, "5 · Approximations"),
    (FLUIDS, "Kramers–Moyal: expand in derivatives", _C5, "1 From jumps to drift and diffusion"),
    (FLUIDS, "truncated at second order: the Fokker–Planck equation", _C5, "1 From jumps to drift and diffusion"),
    (
        FLUIDS,
        "drift is the mean change, diffusion its variance, per time",
        _C5,
        "1 From jumps to drift and diffusion",
    ),
    (FLUIDS, "drift and diffusion of birth and death", _C5, "1 From jumps to drift and diffusion"),
    (FLUIDS, "its density for birth and death", _C5, "2 The density of a fluid gene"),
    (FLUIDS, "the same process as a stochastic differential equation", _C5, "3 The chemical Langevin equation"),
    (FLUIDS, "linear noise is its linearisation", _C5, "4 Linear noise"),
    (FLUIDS, "accurate for large systems, by the system-size expansion", _C5, "4 Linear noise"),
    (FLUIDS, "each reaction must change the state by little", _C5, "1 From jumps to drift and diffusion"),
    (FLUIDS, "Gaussian fluctuations around a deterministic mean", _C5, "4 Linear noise"),
    (FLUIDS, "linear rates: mean and covariance exact at all times, the law not", _C5, "4 Linear noise"),
    (FLUIDS, "fails at low copy number", _C5, "2 The density of a fluid gene"),
    (FLUIDS, "may give negative numbers of molecules", _C5, "3 The chemical Langevin equation"),
    (FLUIDS, "misses several modes: expansion around one peak", _C5, "8 Where this fails"),
    (FLUIDS, "fails for slow switching", _C5, "6 A computed map"),
    (FLUIDS, "then only the master equation or exact simulation remains", _C5, "8 Where this fails"),
    (FLUIDS, "in summary: foundation, metrics and approximations together", _C5, "Recap"),
]

ROWS = [*NOISE_METRICS, *INTRINSIC_EXTRINSIC, *BURSTING_AND_APPROXIMATIONS]


def headings(chapter):
    text = re.sub(r"^```.*?^```", "", (COURSE / chapter).read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return set(re.findall(r"^#+ +(.+?)\s*$", text, flags=re.MULTILINE))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1])
def test_each_claim_of_the_source_has_its_place(row):
    assert len(row) == 4
    assert all(cell.strip() for cell in row)
    source, _, chapter, heading = row
    assert heading in headings(chapter), f"{chapter} has no heading {heading!r}"


def test_no_claim_stands_twice():
    assert len({row[1] for row in ROWS}) == len(ROWS)


def test_each_section_of_a_chapter_that_teaches_the_source_is_read():
    """A heading inside a code cell or a text of another level would otherwise pass for a section."""
    assert "5 A protein inherits noise" in headings(_C2)
    assert "1. propensities" not in headings(_C1)
