"""Policies of dosing compared in a virtual population: who is treated, what is true, what is assumed."""
