"""Every figure of a report; Matplotlib is imported in this folder and nowhere else."""
