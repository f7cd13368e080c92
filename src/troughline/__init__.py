"""Troughline: exposure-guided sorafenib therapy in hepatocellular carcinoma. Research software."""

__version__ = "0.1.0"
