"""From a printed Kaplan–Meier curve, or from its summary, back to a table of patients with a stated error."""
