"""One model language and one engine: drug models as files, compiled once, simulated exactly."""
