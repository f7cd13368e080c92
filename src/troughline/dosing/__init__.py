"""Dosing: from one patient's levels to a feasible regimen, with its probabilities."""
