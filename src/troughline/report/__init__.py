"""Figures, tables and the single-file page, drawn from results.json and nothing else."""
