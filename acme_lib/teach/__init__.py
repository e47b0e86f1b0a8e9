"""What teaches: sliders, predictions, checks that explain, a learner's progress, and the check of the installation.

Names are loaded when they are first used.
"""

import importlib

from acme_lib.extras import explain

_HOMES = {
    "acme_lib.teach.widgets": ["SliderFigure", "explore", "slider"],
    "acme_lib.teach.densities": ["explore_density"],
    "acme_lib.teach.prediction": ["Prediction", "predict"],
    "acme_lib.teach.overview": ["Progress", "my_progress"],
    "acme_lib.teach.record": ["forget_record", "my_predictions"],
    "acme_lib.teach.selfcheck": ["Report", "check_installation"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name):
    if name not in _HOME_OF:
        raise AttributeError(f"acme_lib.teach has no name {name!r}; it offers {', '.join(__all__)}")
    try:
        value = getattr(importlib.import_module(_HOME_OF[name]), name)
    except ModuleNotFoundError as error:  # the library alone has no widgets
        raise explain(error) from None
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *__all__])
