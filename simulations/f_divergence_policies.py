"""What does the divergence that holds a policy near its reference do to the policy?

Every f-divergence has its own optimum in closed form, up to one number, and its own preference loss with that optimum.
At equal reward they spread the rest of the probability differently; each is best at its own price only.
"""

from theorylab import problems, simulators, theory
from theorylab.compare.claims import exact, identity, order
from theorylab.compare.contrasts import stack
from theorylab.experiment import Experiment, geomspace, preset
from theorylab.sweep.spec import Sweep

PAPER = "Wang et al., Beyond Reverse KL, 2024 (arXiv 2309.16240)"

NAMES = ("reverse_kl", "jsd", "alpha", "forward_kl", "chi2")
SMOOTH = {"name": ["reverse_kl", "jsd", "alpha", "forward_kl"]}


def _reward_and_kl(data):
    return stack(data.reward, data.reverse_kl)


def _best_at_its_price(data, name):
    """For each beta, by how much the policies of other divergences, at any of theirs, have less reward - beta price."""
    own = data.sel(name=name, drop=True)
    others = data.sel(name=[other for other in data.name.values if other != name]).rename(beta="other_beta")
    return (own.reward - own.beta * own[name]) - (others.reward - own.beta * others[name])


def _kept_by_the_worst(data):
    """Differences, in a fixed order of the divergences, of the probability of the responses of lowest reward."""
    worst = data.worst.sel(name=["chi2", "reverse_kl", "jsd", "alpha", "forward_kl"])
    return stack(*(worst.isel(name=i + 1, drop=True) - worst.isel(name=i, drop=True) for i in range(4)))


CLAIMS = (
    exact(
        "Newton's method on reward - beta D_f from any start ends at ref (f')^-1((r - mu)/beta)",
        sweep="policies", of="pi", where=SMOOTH, figure="fig_policies",
    ),
    exact(
        "For chi2 too, which clips responses to probability zero",
        sweep="policies", of=lambda data: 1 + data.pi, where={"name": "chi2"}, figure="fig_policies",
    ),
    identity(
        "The policies compared have the same reward, 3",
        sweep="policies", on="samples", digits=9, of="reward", equals=3.0, figure="fig_policies",
    ),
    order(
        "At that reward forward KL leaves most to the worst responses, then alpha, jsd, reverse KL, and chi2 least",
        sweep="policies", of=_kept_by_the_worst, figure="fig_policies",
    ),
    exact(
        "The preference loss f-DPO of reverse KL, jsd and forward KL has the same minimiser, without access to rewards",
        sweep="preferences", of="pi", figure="fig_policies",
    ),
    exact(
        "Reward and reverse KL follow the closed form along beta",
        sweep="frontier", of=_reward_and_kl, figure="fig_frontier",
    ),
    exact(
        "So does forward KL, which is finite for all but chi2",
        sweep="frontier", of="forward_kl", where=SMOOTH, figure="fig_frontier",
    ),
    order(
        "At a price on reverse KL only the reverse-KL policy is best",
        sweep="frontier", of=lambda data: _best_at_its_price(data, "reverse_kl"), figure="fig_frontier",
    ),
    order(
        "At a price on forward KL only the forward-KL policy is best",
        sweep="frontier", of=lambda data: _best_at_its_price(data, "forward_kl"), where=SMOOTH,
        figure="fig_frontier",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    one = dict(instance=2, outcomes=12, alpha=0.5)
    replicates = preset(name, quick=16, paper=256)
    return ConfigDict(
        dict(
            policies=dict(**one, name=NAMES, target=3.0, outcome=tuple(range(12)), replicates=replicates),
            preferences=dict(
                **one,
                name=("reverse_kl", "jsd", "forward_kl"),
                target=3.0,
                outcome=tuple(range(12)),
                replicates=replicates,
            ),
            frontier=dict(**one, name=NAMES, beta=geomspace(0.2, 10.0, 9), replicates=replicates),
        )
    )


def beta_of_target(logref, reward, target: float, name: str, alpha: float) -> float:
    """The penalty at which the policy has the target as its mean reward."""
    from jax import jit

    solve = jit(theory.f_divergence_beta_at_reward, static_argnames="name")
    return float(solve(logref, reward, target, name, alpha))


def probability(logref, reward, beta: float, name: str, alpha: float, outcome: float):
    from jax.numpy import asarray

    return theory.f_divergence_policy(logref, reward, beta, name, alpha).pi[asarray(outcome, int)]


def prices(logref, reward, beta: float, name: str, alpha: float):
    return problems.policy_prices(theory.f_divergence_policy(logref, reward, beta, name, alpha).pi, logref, reward)


def experiment(config) -> Experiment:
    family = simulators.f_divergence
    matched = dict(problem=problems.response_problem, beta=beta_of_target)
    return Experiment(
        dict(
            policies=Sweep(
                simulate=family.simulate_f_divergence_policy, values=config.policies, over=("name",), batch=16,
                predict=dict(pi=probability), derive=matched,
                measure=dict(pi=("outcome",), reward=(), worst=()),
            ),
            preferences=Sweep(
                simulate=family.simulate_f_dpo, predict=probability, values=config.preferences, over=("name",),
                measure=dict(pi=("outcome",)), derive=matched,
            ),
            frontier=Sweep(
                simulate=family.simulate_f_divergence_policy, predict=prices, values=config.frontier, over=("name",),
                measure=dict.fromkeys(("reward", "reverse_kl", "forward_kl"), ("beta",)), batch=16,
                derive=dict(problem=problems.response_problem), curve={"beta": geomspace(0.15, 50.0, 60)},
            ),
        ),
        CLAIMS,
    )  # fmt: skip
