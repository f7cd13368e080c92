"""A model as SBML (Level 3 Version 2), for other simulators."""

from troughline.model.sbml.export import to_sbml

__all__ = ["to_sbml"]
