"""Patients' records: the study file, the four tables, their checks, exposure metrics and outcomes."""
