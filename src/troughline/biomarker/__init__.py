"""Biomarkers: change over time, association with stage, and whether a marker predicts or prognoses."""
