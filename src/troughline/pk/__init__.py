"""Pharmacokinetics of the individual: estimates, exposure, diagnostics."""
