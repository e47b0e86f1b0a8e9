"""What the two sources say is taught: each claim of theirs has its place in a chapter.

A row: heading of the source, the claim in our words, the chapter, the heading under which it is taught. One list for
each chapter that a part of the source belongs to.
"""

import re
from pathlib import Path

import pytest

COURSE = Path(__file__).resolve().parents[2] / "course"

INTRODUCTION = "Introduction"
PRINCIPLES = "Principles and Mechanisms"
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

AUGMENTED_EQUATION = [
    (
        "Introduction",
        "few molecules stay counts, many become amounts: a hybrid",
        "06_augmented_master_equation.md",
        "1 One line of difference",
    ),
    (
        "Introduction",
        "abstract states, such as a promoter open or closed, are discrete too",
        "06_augmented_master_equation.md",
        "2 The equation term by term",
    ),
    (
        "Introduction",
        "counting cells in every state inflates the state space: 10^100 for 50 cells",
        "06_augmented_master_equation.md",
        "2 The equation term by term",
    ),
    (
        "Introduction",
        "fast production machinery appears as jumps",
        "06_augmented_master_equation.md",
        "3 How far does a burst jump?",
    ),
    (
        "Augmented CME framework",
        "large numbers go to the continuum: drift, and noise of order 1/Ω (3)",
        "06_augmented_master_equation.md",
        "2 The equation term by term",
    ),
    (
        "Augmented CME framework",
        "p approximates P times the system size",
        "06_augmented_master_equation.md",
        "2 The equation term by term",
    ),
    (
        "Augmented CME framework",
        "non-local changes: a rate and a kernel of sizes (4)",
        "06_augmented_master_equation.md",
        "2 The equation term by term",
    ),
    (
        "Augmented CME framework",
        "discrete states exchange probability at rates that may depend on x",
        "06_augmented_master_equation.md",
        "2 The equation term by term",
    ),
    (
        "Augmented CME framework",
        "the whole equation (5), and its two special cases",
        "06_augmented_master_equation.md",
        "2 The equation term by term",
    ),
    (
        "The augmentation and its interpretation",
        "classical: kernels are densities and rates are not negative",
        "06_augmented_master_equation.md",
        "2 The equation term by term",
    ),
    (
        "The augmentation and its interpretation",
        "without these rules the density is a number of cells",
        "06_augmented_master_equation.md",
        "2 The equation term by term",
    ),
    (
        "The augmentation and its interpretation",
        "phantom states come from negative rates",
        "06_augmented_master_equation.md",
        "2 The equation term by term",
    ),
    (
        "The augmentation and its interpretation",
        "what happens to one cell or to none belongs in, what happens to two does not",
        "06_augmented_master_equation.md",
        "2 The equation term by term",
    ),
    (
        "The Flips library",
        "exact sampling is right and needs many samples; its refinements",
        "06_augmented_master_equation.md",
        "7 Which method for what?",
    ),
    ("The Flips library", "tau-leaping approximates it", "06_augmented_master_equation.md", "7 Which method for what?"),
    (
        "The Flips library",
        "finite state projection, time-scale separation, lumping, spectral methods",
        "06_augmented_master_equation.md",
        "7 Which method for what?",
    ),
    (
        "The Flips library",
        "the Langevin equation is to Fokker–Planck what paths are to the master equation",
        "06_augmented_master_equation.md",
        "7 Which method for what?",
    ),
    (
        "The Flips library",
        "hybrids divide by reactions, by counts or by species",
        "06_augmented_master_equation.md",
        "7 Which method for what?",
    ),
    (
        "The Flips library",
        "where p is no probability nothing can be sampled",
        "06_augmented_master_equation.md",
        "7 Which method for what?",
    ),
    (
        "The Flips library",
        "conservative finite volumes after Kurganov and Tadmor",
        "06_augmented_master_equation.md",
        "4 Finite volumes by hand",
    ),
    (
        "The Flips library",
        "operators act along the direction of each reaction",
        "06_augmented_master_equation.md",
        "4 Finite volumes by hand",
    ),
    (
        "The Flips library",
        "the step in x is small, and larger than a molecule",
        "06_augmented_master_equation.md",
        "5 A scheme of your own",
    ),
    (
        "The Flips library",
        "the network is written down as it is",
        "06_augmented_master_equation.md",
        "1 One line of difference",
    ),
    (
        "The Flips library",
        "flux limiter, time stepping and its order can be chosen",
        "06_augmented_master_equation.md",
        "4 Finite volumes by hand",
    ),
    (
        "The Flips library",
        "a scheme of one's own in twenty lines",
        "06_augmented_master_equation.md",
        "5 A scheme of your own",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "the network (6): transcription by a Hill function of the protein",
        "06_augmented_master_equation.md",
        "1 One line of difference",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "a short-lived transcript gives bursts of geometric size (7)",
        "06_augmented_master_equation.md",
        "3 How far does a burst jump?",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "the exponential kernel is the limit of geometric sizes",
        "06_augmented_master_equation.md",
        "3 How far does a burst jump?",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "the hybrid with counted transcripts (8), the Hill rate (9)",
        "06_augmented_master_equation.md",
        "6 A gene that raises itself",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "the bursty limit (10) and its exact stationary law (12)",
        "06_augmented_master_equation.md",
        "6 A gene that raises itself",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "transcripts are counted up to a largest number",
        "06_augmented_master_equation.md",
        "8 Where this fails",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "figure 3A: hybrid, master equation and limit agree, ten molecules to a cell",
        "06_augmented_master_equation.md",
        "6 A gene that raises itself",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "figure 3B: the error of the limit falls as 1/γ in every norm",
        "06_augmented_master_equation.md",
        "6 A gene that raises itself",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "two humps, of which bursts make the lower",
        "06_augmented_master_equation.md",
        "6 A gene that raises itself",
    ),
    (
        "Discussion",
        "mass is kept if kernels are densities; positivity needs rates that are not negative",
        "06_augmented_master_equation.md",
        "2 The equation term by term",
    ),
    (
        "Discussion",
        "aggregation is outside the linear equation",
        "06_augmented_master_equation.md",
        "2 The equation term by term",
    ),
    (
        "Discussion",
        "the step in time follows from that in x",
        "06_augmented_master_equation.md",
        "4 Finite volumes by hand",
    ),
    ("Discussion", "the curse of dimensionality stays", "06_augmented_master_equation.md", "8 Where this fails"),
]

FIRST_PASSAGE = [
    (
        "The augmentation and its interpretation",
        "discrete states may be abstract, such as cell fates",
        "07_first_passage.md",
        "5 The whole law from every start",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "a protein made in bursts at a Hill rate of itself",
        "07_first_passage.md",
        "3 A gene that rewards itself",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "noise of single molecules is left out: the limit of a large system",
        "07_first_passage.md",
        "3 A gene that rewards itself",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "the exact stationary density (12) is bimodal",
        "07_first_passage.md",
        "3 A gene that rewards itself",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "it is a dynamic equilibrium: each cell keeps switching",
        "07_first_passage.md",
        "3 A gene that rewards itself",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "an arbitrary boundary 0.825 between the modes",
        "07_first_passage.md",
        "3 A gene that rewards itself",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "the mean switching time (13) from either side",
        "07_first_passage.md",
        "4 The mean switching time",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "an abstract absorbing state, entered at a rate α beyond the boundary",
        "07_first_passage.md",
        "5 The whole law from every start",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "a large α stands for immediate absorption",
        "07_first_passage.md",
        "9 Where this fails",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "the density of the switching time is the rate of absorption",
        "07_first_passage.md",
        "5 The whole law from every start",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "Fig 4: cumulative law, mean, median and mode from each start",
        "07_first_passage.md",
        "6 Mean median and mode",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "the numerical mean agrees with the exact one",
        "07_first_passage.md",
        "6 Mean median and mode",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "the mean is ten times the mode for starts in (0.35, 2.25)",
        "07_first_passage.md",
        "6 Mean median and mode",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "the mean is above the median from everywhere",
        "07_first_passage.md",
        "6 Mean median and mode",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "small samples are dominated by times near the mode",
        "07_first_passage.md",
        "8 Twenty cells and an hour",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "Fig 5A: the modes near the boundary, and how far the means lie",
        "07_first_passage.md",
        "5 The whole law from every start",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "Fig 5B: tails on a logarithmic scale, of two slopes",
        "07_first_passage.md",
        "5 The whole law from every start",
    ),
    (
        "First-passage times in self-regulated gene expression",
        "an exponential tail means a separable profile",
        "07_first_passage.md",
        "7 Two tails",
    ),
]

SELECTION = [
    ("Author summary", "growth and selection depend on what a cell expresses", "08_selection.md", "8 · Selection"),
    (
        "Author summary",
        "the master equation of one cell does not see who multiplies",
        "08_selection.md",
        "8 · Selection",
    ),
    (
        "Introduction",
        "a pressure that depends on the state changes the distribution of a population",
        "08_selection.md",
        "8 · Selection",
    ),
    (
        "Introduction",
        "following the number of cells in each state is exact, as a Markov chain of the population",
        "08_selection.md",
        "1 Two kinds of cells",
    ),
    (
        "Introduction",
        "up to 99 molecules in each of 50 cells: 10^100 states",
        "08_selection.md",
        "1 Two kinds of cells",
    ),
    (
        "Introduction",
        "for a large population expected numbers live on the state space of one cell",
        "08_selection.md",
        "1 Two kinds of cells",
    ),
    (
        "Introduction",
        "for a small one fluctuations must be kept",
        "08_selection.md",
        "9 Where this fails",
    ),
    (
        "The augmentation and its interpretation",
        "numbers of cells take the place of probabilities",
        "08_selection.md",
        "1 Two kinds of cells",
    ),
    (
        "The augmentation and its interpretation",
        "negative rates make states that are no configuration of a cell",
        "08_selection.md",
        "3 Phantom states",
    ),
    (
        "The augmentation and its interpretation",
        "what is kept and what is not: columns that sum to zero, and columns that sum to G",
        "08_selection.md",
        "1 Two kinds of cells",
    ),
    (
        "The augmentation and its interpretation",
        "single cells that divide, die or enter are covered; cells that meet are not",
        "08_selection.md",
        "9 Where this fails",
    ),
    (
        "Phenotypic selection",
        "daughters inherit the concentration of their mother",
        "08_selection.md",
        "4 A protein that drives growth",
    ),
    (
        "Phenotypic selection",
        "growth adds G times the density, so that the mass is not kept",
        "08_selection.md",
        "1 Two kinds of cells",
    ),
    (
        "Phenotypic selection",
        "dividing by the mass keeps probability, and makes the equation nonlinear",
        "08_selection.md",
        "2 Why shares are harder than numbers",
    ),
    (
        "Phenotypic selection",
        "the linear solution, normalised at the end, solves the nonlinear equation",
        "08_selection.md",
        "2 Why shares are harder than numbers",
    ),
    (
        "Phenotypic selection",
        "growth as a transition to a phantom state at the rate -G",
        "08_selection.md",
        "3 Phantom states",
    ),
    (
        "Phenotypic selection",
        "the phantom's density is negative and may be left alone",
        "08_selection.md",
        "3 Phantom states",
    ),
    (
        "Phenotypic selection",
        "instead one can normalise at each step: no second state, no overflow",
        "08_selection.md",
        "3 Phantom states",
    ),
    (
        "Phenotypic selection",
        "the unnormalised density gives the growth rate as well",
        "08_selection.md",
        "5 The growth rate is an eigenvalue",
    ),
    (
        "Phenotypic selection",
        "births Λx(1-x) and deaths x, with a critical point at 1-1/Λ",
        "08_selection.md",
        "4 A protein that drives growth",
    ),
    (
        "Phenotypic selection",
        "figure 6A: the population drifts to the critical point, then grows in place",
        "08_selection.md",
        "4 A protein that drives growth",
    ),
    (
        "Phenotypic selection",
        "the normalised profile tends to a Gaussian at the critical point",
        "08_selection.md",
        "4 A protein that drives growth",
    ),
    (
        "Phenotypic selection",
        "growth rate of the numerical solution: dP0/dt over P0",
        "08_selection.md",
        "5 The growth rate is an eigenvalue",
    ),
    ("Phenotypic selection", "it tends to g(1-1/Λ)", "08_selection.md", "5 The growth rate is an eigenvalue"),
    (
        "Phenotypic selection",
        "figure 6B: growth rates for several Λ and g",
        "08_selection.md",
        "5 The growth rate is an eigenvalue",
    ),
    (
        "Divide and fragment",
        "with a negative rate no path of a single cell belongs to the equation",
        "08_selection.md",
        "3 Phantom states",
    ),
]

GROWTH_AND_FRAGMENTATION = [
    (
        "Divide and fragment",
        "a population is described by a member's size (or age), not only by molecules",
        "09_growth_fragmentation.md",
        "1 A population of sizes",
    ),
    (
        "Divide and fragment",
        "a number density of sizes; the volume density is the size times it",
        "09_growth_fragmentation.md",
        "1 A population of sizes",
    ),
    (
        "Divide and fragment",
        "growth is a flux along sizes, with none at size zero",
        "09_growth_fragmentation.md",
        "1 A population of sizes",
    ),
    (
        "Divide and fragment",
        "the growth–fragmentation equation: mothers leave, daughters arrive",
        "09_growth_fragmentation.md",
        "2 Division and its three rules",
    ),
    (
        "Divide and fragment",
        "the model reaches beyond cells",
        "09_growth_fragmentation.md",
        "9 · Growth and fragmentation",
    ),
    (
        "Divide and fragment",
        "the number does not depend explicitly on growth",
        "09_growth_fragmentation.md",
        "3 Who sets the growth rate?",
    ),
    (
        "Divide and fragment",
        "the volume does not depend explicitly on fragmentation",
        "09_growth_fragmentation.md",
        "3 Who sets the growth rate?",
    ),
    (
        "Divide and fragment",
        "a piece and the other one are made at equal rates",
        "09_growth_fragmentation.md",
        "2 Division and its three rules",
    ),
    (
        "Divide and fragment",
        "so B and b are not independent: algebraic conditions",
        "09_growth_fragmentation.md",
        "2 Division and its three rules",
    ),
    (
        "Divide and fragment",
        "fragmentation is a rate and a kernel, as a burst is",
        "09_growth_fragmentation.md",
        "2 Division and its three rules",
    ),
    (
        "Divide and fragment",
        "pure fragmentation with uniform pieces and its self-similar solution",
        "09_growth_fragmentation.md",
        "4 Breaking without growing",
    ),
    (
        "Divide and fragment",
        "number diverges near size zero, density vanishes at each size, volume is kept",
        "09_growth_fragmentation.md",
        "4 Breaking without growing",
    ),
    ("Divide and fragment", "figure 7A and its inset", "09_growth_fragmentation.md", "4 Breaking without growing"),
    (
        "Divide and fragment",
        "growth and decay by a change of variables, and the solution",
        "09_growth_fragmentation.md",
        "5 Growing and breaking",
    ),
    ("Divide and fragment", "in the end a profile that stays", "09_growth_fragmentation.md", "5 Growing and breaking"),
    (
        "Divide and fragment",
        "figure 7B and its inset; close to the limit by t = 2",
        "09_growth_fragmentation.md",
        "5 Growing and breaking",
    ),
    (
        "Divide and fragment",
        "computed and exact densities agree",
        "09_growth_fragmentation.md",
        "5 Growing and breaking",
    ),
    (
        "Divide and fragment",
        "a start at the exact solution; the time that it belongs to",
        "09_growth_fragmentation.md",
        "4 Breaking without growing",
    ),
    (
        "Divide and fragment",
        "reactions and division couple in one framework; division may depend on a gene",
        "09_growth_fragmentation.md",
        "7 Genes in cells that divide",
    ),
    (
        "Divide and fragment",
        "division depends on size and on the stage of the cell cycle",
        "09_growth_fragmentation.md",
        "6 How does a cell know when?",
    ),
    (
        "Augmented CME framework",
        "breakup is a relative of coalescence: Smoluchowski's equation",
        "09_growth_fragmentation.md",
        "8 When individuals merge",
    ),
    (
        "Discussion",
        "the kernel of division is two probability densities: number is not conserved",
        "09_growth_fragmentation.md",
        "2 Division and its three rules",
    ),
    (
        "Discussion",
        "aggregation is of higher order and left out",
        "09_growth_fragmentation.md",
        "8 When individuals merge",
    ),
    (
        "Discussion",
        "a nonlinear process brings covariances that an expectation does not hold",
        "09_growth_fragmentation.md",
        "8 When individuals merge",
    ),
    ("Discussion", "several auxiliary processes at once", "09_growth_fragmentation.md", "7 Genes in cells that divide"),
]

_C10, _C11 = "10_developmental_noise.md", "11_inference.md"

DEVELOPMENT = [
    (INTRODUCTION, "development needs gene expression that is regulated precisely", _C10, "10 · Developmental noise"),
    (INTRODUCTION, "identical cells in one environment differ, as do their fates", _C10, "4 Two fates"),
    (INTRODUCTION, "noise comes from few molecules, and so does the error of a place", _C10, "2 Where is the border?"),
    (INTRODUCTION, "how robust organisms develop from unreliable parts", _C10, "3 Averaging and its price"),
    (INTRODUCTION, "noise is managed to make patterns robust", _C10, "6 Five ways to be quiet"),
    (INTRODUCTION, "cells harness noise for their own benefit", _C10, "5 Bets on an unknown season"),
    (INTRODUCTION, "noise is used to drive decisions between fates", _C10, "4 Two fates"),
    (INTRODUCTION, "chance in single molecules, order in the whole", _C10, "1 A gradient of your own making"),
    (PRINCIPLES, "an orderly rate equation is blind to which way a single cell goes", _C10, "4 Two fates"),
    (PRINCIPLES, "noise is a nuisance in one system and a feature in another", _C10, "5 Bets on an unknown season"),
    (QUANTIFYING, "cells compare a morphogen with a threshold", _C10, "2 Where is the border?"),
    (
        QUANTIFYING,
        "the relative error of the morphogen sets the precision of a pattern",
        _C10,
        "2 Where is the border?",
    ),
    (QUANTIFYING, "negative feedback in development: quieter, and at a price", _C10, "6 Five ways to be quiet"),
    (ORIGINS, "embryos differ as a whole: extrinsic noise that all their cells share", _C10, "2 Where is the border?"),
    (ORIGINS, "what cells share cannot be averaged away among them", _C10, "3 Averaging and its price"),
    (FLUIDS, "from the random world of molecules to precise patterns: with which tools", _C10, "7 Where this fails"),
]

INFERENCE = [
    (
        QUANTIFYING,
        "F above 1: overdispersed, a sign of bursts, and of a detector that varies",
        _C11,
        "5 The detector belongs in the likelihood",
    ),
    (
        QUANTIFYING,
        "pooling cells of different means inflates the variance, and a fit takes it for switching",
        _C11,
        "6 Which law?",
    ),
    (
        QUANTIFYING,
        "waiting times between events are exponential: the likelihood of a film",
        _C11,
        "7 Where does time come from?",
    ),
    (
        QUANTIFYING,
        "transcripts are Poisson with mean k/γ; its maximum likelihood",
        _C11,
        "1 The likelihood of a histogram",
    ),
    (
        ORIGINS,
        "law of total variance: capture that varies between cells",
        _C11,
        "5 The detector belongs in the likelihood",
    ),
    (ORIGINS, "extrinsic: a regulator differs from cell to cell, and looks like switching", _C11, "6 Which law?"),
    (BURSTING, "the telegraph model: rates in units of the transcript's loss", _C11, "1 The likelihood of a histogram"),
    (
        BURSTING,
        "in the bursting limit the law is negative binomial: a ridge on which k_off is not told",
        _C11,
        "3 What cannot be told",
    ),
]

ROWS = [
    *DEVELOPMENT,
    *INFERENCE,
    *NOISE_METRICS,
    *INTRINSIC_EXTRINSIC,
    *BURSTING_AND_APPROXIMATIONS,
    *AUGMENTED_EQUATION,
    *FIRST_PASSAGE,
    *SELECTION,
    *GROWTH_AND_FRAGMENTATION,
]


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
