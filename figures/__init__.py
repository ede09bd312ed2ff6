"""Figures, one module per experiment: results in, matplotlib figures out; nothing is computed here."""
