"""Trees of actions with rewards at some of their leaves."""

import numpy as np

from theorylab.numerics.domain import in_domain

__all__ = ["random_reward_tree"]


def random_reward_tree(A: int, H: int, rewarded: int, tree: int) -> np.ndarray:
    """Rewards of the leaves of a tree of depth H with A actions: 1 at so many random leaves, 0 elsewhere [A^H].

    tree: seed of the places. Domain: 0 <= rewarded <= A^H. Raises ValueError outside it.
    """
    in_domain(0 <= rewarded <= A**H, "rewarded", rewarded, f"0 <= rewarded <= A^H = {A**H}")
    leaves = np.zeros(A**H)
    leaves[np.random.default_rng(tree).choice(A**H, rewarded, replace=False)] = 1.0
    return leaves
