"""Published numbers and drugs, as data with their sources."""
