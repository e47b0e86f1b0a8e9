"""Case studies: the figures of Lunz, Batt, Ruess & Bonnans (2021), computed and drawn, and what lies beyond them.

D. Lunz, G. Batt, J. Ruess, J. F. Bonnans, PLoS Comput. Biol. 17, e1009214 (2021). doi:10.1371/journal.pcbi.1009214

``python -m acme_lib.cases --output DIR`` writes them all.
"""

from acme_lib.cases.cells import compare_cell_populations, follow_coagulation
from acme_lib.cases.division import follow_fragmentation, follow_growth_and_fragmentation
from acme_lib.cases.gallery import FIGURES, CaseFigure, write_gallery
from acme_lib.cases.selection import find_selection_rates, follow_selection, selection_system
from acme_lib.cases.self_regulation import (
    compare_messenger_laws,
    find_switching_times,
    measure_messenger_convergence,
)

__all__ = [
    "FIGURES",
    "CaseFigure",
    "compare_cell_populations",
    "compare_messenger_laws",
    "find_selection_rates",
    "find_switching_times",
    "follow_coagulation",
    "follow_fragmentation",
    "follow_growth_and_fragmentation",
    "follow_selection",
    "measure_messenger_convergence",
    "selection_system",
    "write_gallery",
]
