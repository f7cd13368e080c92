"""From exposure to survival: the model of sorafenib in hepatocellular carcinoma, and its runner."""
