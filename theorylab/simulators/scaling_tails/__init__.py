"""Finite data with heavy tails: unseen items, generations of resampling, bigrams, associative memories."""

from theorylab.simulators.scaling_tails.bigram import simulate_bigram
from theorylab.simulators.scaling_tails.generations import simulate_item_generations
from theorylab.simulators.scaling_tails.memory import simulate_associative_memory
from theorylab.simulators.scaling_tails.unseen import simulate_unseen_items, simulate_unseen_items_fast

__all__ = [
    "simulate_associative_memory",
    "simulate_bigram",
    "simulate_item_generations",
    "simulate_unseen_items",
    "simulate_unseen_items_fast",
]
