"""Is it enough to know the values of the uniform policy, in order to act well where rewards are right or wrong?

On a deterministic tree with rewards in {0, 1} the greedy policy on these values is optimal, and their softmax succeeds
nearly as often with many different solutions. Neither survives graded rewards.
"""

from theorylab import problems, simulators, theory
from theorylab.compare.claims import bound, exact, identity, order
from theorylab.compare.contrasts import at, stack
from theorylab.experiment import Experiment, geomspace, preset
from theorylab.sweep.spec import Sweep

PAPER = (
    "He et al., Random Policy Valuation is Enough for LLM Reasoning with Verifiable Rewards, 2025 (arXiv 2509.24981)"
)


def _between_greedy_and_uniform(data):
    """Distinct solutions in a group of draws at an intermediate temperature, less those at either end."""
    found = data.distinct.sel(k=16, drop=True)
    middle = at(found, temperature=0.2)
    return stack(middle - at(found, temperature=0.001), middle - at(found, temperature=3.0))


CLAIMS = (
    identity(
        "With rewards in {0, 1} the greedy policy on the values of the uniform policy finds a reward on every tree",
        sweep="greedy", of="reward", equals="best", on="samples", where={"graded": False}, digits=12,
        figure="fig_greedy",
    ),
    order(
        "With graded rewards it does not: it follows the better average, and misses the best leaf",
        sweep="greedy", of=lambda data: data.best - data.reward, where={"graded": True}, figure="fig_greedy",
    ),
    exact(
        "On values averaged over n episodes the greedy policy succeeds as often as one of them did: 1 - (1 - V)^n",
        sweep="rollouts", of="success", figure="fig_greedy",
    ),
    exact(
        "The softmax of these values succeeds with the probability of a forward recursion over the tree: one solution",
        sweep="softmax", of="success", where={"rewarded": 1, "temperature": lambda t: (t > 0.001) & (t <= 0.2)},
        figure="fig_success",
    ),
    exact(
        "The softmax of these values succeeds with the probability of a forward recursion over the tree: several",
        sweep="softmax", of="success", where={"rewarded": [6, 20], "temperature": lambda t: t >= 0.1},
        figure="fig_success",
    ),
    bound(
        "It fails at most with the probability of a step to an action of value 0, weighed by exp(-max Q / temperature)",
        sweep="floor", of="success", upper=False, figure="fig_success",
    ),
    exact(
        "The leaves that it reaches have the entropy of the product of the softmax probabilities",
        sweep="softmax", of="entropy", where={"rewarded": [6, 20]}, figure="fig_success",
    ),
    order(
        "Their entropy grows with the temperature",
        sweep="softmax", of=lambda data: data.entropy.diff("temperature"),
        where={"temperature": lambda t: (t >= 0.03) & (t <= 0.5)}, figure="fig_success",
    ),
    exact(
        "k draws find sum_l 1 - (1 - P_l)^k distinct solutions",
        sweep="softmax", of="distinct", where={"rewarded": [6, 20], "temperature": lambda t: t >= 0.2},
        figure="fig_success",
    ),
    order(
        "Where solutions lie unevenly, a softmax in between finds more of them than the greedy and the uniform policy",
        sweep="softmax", of=_between_greedy_and_uniform, where={"rewarded": 20}, figure="fig_success",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    tree = dict(A=3, tree=1)
    return ConfigDict(
        dict(
            softmax=dict(
                **tree, H=4, rewarded=(1, 6, 20), k=(1, 4, 16, 64),
                temperature=(0.001, 0.01, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 3.0), draws=512,
                replicates=preset(name, quick=400, paper=4000),
            ),
            floor=dict(
                **tree, H=5, rewarded=(5, 60), temperature=(0.01, 0.02, 0.05, 0.1, 0.2), draws=512, k=(1,),
                replicates=preset(name, quick=128, paper=4000),
            ),
            rollouts=dict(
                **tree, H=4, rewarded=(1, 2, 4), episodes=(10, 30, 100), repeats=32,
                replicates=preset(name, quick=1200, paper=8000),
            ),
            greedy=dict(
                A=3, H=(3, 4, 5), share=(0.1, 0.3), graded=(False, True), trees=16,
                replicates=preset(name, quick=64, paper=1000),
            ),
        )
    )  # fmt: skip


def success(leaves, A: int, H: int, temperature: float):
    return theory.softmax_tree_success(theory.uniform_policy_values(leaves, A, H), temperature)


def lower_bound(leaves, A: int, H: int, temperature: float):
    return success(leaves, A, H, temperature).bound


def entropy(leaves, A: int, H: int, temperature: float):
    return theory.softmax_tree_leaves(theory.uniform_policy_values(leaves, A, H), temperature)


def distinct(leaves, A: int, H: int, temperature: float, k: float):
    Q = theory.uniform_policy_values(leaves, A, H)
    return theory.expected_distinct_leaves(theory.softmax_tree_leaves(Q, temperature).prob * leaves, k)


def after_rollouts(leaves, episodes: float):
    return theory.greedy_rollout_success(leaves.mean(), episodes)


def experiment(config) -> Experiment:
    family = simulators.random_policy_valuation
    trees, both = dict(leaves=problems.random_reward_tree), ("rewarded", "temperature")
    dense = {"temperature": geomspace(0.001, 3.0, 120)}
    return Experiment(
        dict(
            softmax=Sweep(
                simulate=family.simulate_softmax_tree, values=config.softmax, over=both, derive=trees,
                predict=dict(success=success, entropy=entropy, distinct=distinct),
                measure=dict(success=(), entropy=(), distinct=("k",)), curve=dense, block=256, batch=16,
            ),
            floor=Sweep(
                simulate=family.simulate_softmax_tree, predict=lower_bound, values=config.floor, over=both,
                derive=trees, measure=dict(success=()), curve=dense, block=256, batch=16,
            ),
            rollouts=Sweep(
                simulate=family.simulate_rollout_tree, predict=after_rollouts, values=config.rollouts,
                over=("rewarded",), derive=trees, measure=dict(success=("episodes",)),
                curve={"episodes": tuple(range(1, 151))}, block=256, batch=16,
            ),
            greedy=Sweep(
                simulate=family.simulate_greedy_tree, values=config.greedy, over=("H", "share", "graded"),
                measure=dict(reward=(), best=()), block=256, batch=16,
            ),
        ),
        CLAIMS,
    )  # fmt: skip
