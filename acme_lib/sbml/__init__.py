"""SBML: networks from and to the Systems Biology Markup Language, Levels 2 and 3."""

from acme_lib.sbml.read import read_sbml
from acme_lib.sbml.write import write_sbml

__all__ = ["read_sbml", "write_sbml"]
