"""Packages that only a part of acme needs: which extra brings each, and how an extra is installed."""

import importlib

from acme_lib.errors import MissingExtraError

# By the name under which a package is imported; pyproject.toml holds the same packages by the name on the index.
EXTRA_OF = {
    "IPython": "course",
    "PIL": "course",
    "ipywidgets": "course",
    "jupyter_core": "course",
    "jupyterlab": "course",
    "jupytext": "course",
    "nbclient": "course",
    "nbformat": "course",
    "packaging": "course",
    "traitlets": "course",
    "docutils": "book",
    "fontTools": "book",
    "furo": "book",
    "myst_nb": "book",
    "numpydoc": "book",
    "sphinx": "book",
    "nbconvert": "grade",
    "nbgrader": "grade",
    "pygments": "grade",
    "sqlalchemy": "grade",
    "libsbml": "sbml",
    "pandas": "data",
    "xarray": "data",
    "dask": "cluster",
    "distributed": "cluster",
    "psycopg": "postgres",
}


def how_to_install(extra):
    """Return the command that installs an extra."""
    return f'run pip install ".[{extra}]" in the folder of the repository'


def import_extra(name):
    """Import a package that an extra brings.

    Raises
    ------
    MissingExtraError
        If it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise explain(error, name) from None


def explain(error, name=None):
    """Return the `MissingExtraError` for an import that failed, or the error itself where no extra would help."""
    top = (name or getattr(error, "name", None) or "").partition(".")[0]
    if top not in EXTRA_OF:
        return error
    return MissingExtraError(f"this needs {top}, which is not installed: {how_to_install(EXTRA_OF[top])}")
