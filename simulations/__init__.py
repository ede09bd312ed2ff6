"""Experiments, one module each: the question, the paper, the claims, the configuration, the sweeps."""
