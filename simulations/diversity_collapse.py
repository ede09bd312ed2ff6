"""Does training on verified answers lose diversity, pass@k, and does the divergence of its penalty matter?

At equal pass@1 divergences differ only because prompts do: forward KL lifts rare answers that reverse KL leaves rare.
Below its reference a policy falls only where the verifier is sometimes wrong on easy prompts, under every divergence.
"""

from theorylab import simulators, theory
from theorylab.compare.claims import bound, exact, identity, order
from theorylab.compare.contrasts import stack
from theorylab.experiment import Experiment, geomspace, preset
from theorylab.sweep.spec import Sweep

PAPER = "Li et al., The Choice of Divergence, 2025 (arXiv 2509.07430)"

NAMES = ("reverse_kl", "jsd", "forward_kl")


def _by_name(data, name):
    return data.sel(name=name, drop=True)


def _covering_first(solved):
    """forward KL over jsd over reverse KL."""
    reverse, jsd, forward = (_by_name(solved, name) for name in NAMES)
    return stack(forward - jsd, jsd - reverse)


def _below_the_reference(data):
    """By how much the best divergence stays below the reference, and reverse KL below the others."""
    reverse, jsd, forward = (_by_name(data.pass_at_k, name) for name in NAMES)
    return stack(data.base.max("name") - data.pass_at_k.max("name"), jsd - reverse, forward - reverse)


CLAIMS = (
    exact(
        "Trained, then sampled: pass@k follows the closed form, with and without a noisy verifier (k <= 4)",
        sweep="solved", of="sampled", where={"k": lambda k: k <= 4}, figure="fig_pass_at_k",
    ),
    exact(
        "So does the expectation of pass@k under the trained policies, at every k",
        sweep="solved", of="pass_at_k", figure="fig_pass_at_k",
    ),
    order(
        "At equal pass@1 forward KL solves more within 2 to 32 answers than jsd, and that more than reverse KL",
        sweep="solved", of=lambda data: _covering_first(data.pass_at_k),
        where={"prompts": "all", "k": lambda k: (k >= 2) & (k <= 32)},
        figure="fig_pass_at_k",
    ),
    identity(
        "Not for prompts of one kind: there pass@k is the same for all divergences at equal pass@1",
        sweep="alike", of="pass_at_k", equals="of_pass_at_1", digits=9, figure="fig_pass_at_k",
    ),
    order(
        "On prompts of all kinds every divergence, reverse KL too, stays above the reference, noisy verifier or not",
        sweep="solved", of=lambda data: data.pass_at_k - data.base, where={"prompts": "all"}, figure="fig_pass_at_k",
    ),
    order(
        "With a perfect verifier so it is on easy prompts (p0 >= 0.1)",
        sweep="solved", of=lambda data: data.pass_at_k - data.base,
        where={"prompts": "easy", "q": 0.0, "k": lambda k: k <= 16},
        figure="fig_pass_at_k",
    ),
    order(
        "There all fall below the reference at 16 to 64 answers if it is wrong on 20% of them, reverse KL furthest",
        sweep="solved", of=_below_the_reference, figure="fig_pass_at_k",
        where={"prompts": "easy", "q": 0.2, "k": lambda k: (k >= 16) & (k <= 64)},
    ),
    exact(
        "The success on a prompt follows the closed form for every divergence and every p0",
        sweep="prompts", of="p_c", figure="fig_hard_prompts",
    ),
    order(
        "On hard prompts (p0 <= 0.01) forward KL succeeds more often than jsd, and that more often than reverse KL",
        sweep="prompts", of=lambda data: _covering_first(data.p_c), where={"p0": lambda p0: p0 <= 0.01},
        figure="fig_hard_prompts",
    ),
    order(
        "On easier ones (p0 >= 0.1) it is the other way round",
        sweep="prompts", of=lambda data: -_covering_first(data.p_c), where={"p0": lambda p0: p0 >= 0.1},
        figure="fig_hard_prompts",
    ),
    bound(
        "Forward KL leaves wrong answers at least beta/(1+beta) of their probability, however often it succeeds",
        sweep="floor", of="u_w", upper=False, figure="fig_hard_prompts",
    ),
    identity(
        "For p0 -> 0 forward KL succeeds with 1 - beta, jsd with 1 - 1/(e^(1/beta) - 1): to 0.1% at p0 = 10^-5",
        sweep="rare", of="p_c", equals="limit", tolerance=1e-3, where={"name": ["jsd", "forward_kl"]},
        figure="fig_hard_prompts",
    ),
    identity(
        "Reverse KL multiplies a small success by e^(1/beta), no more: to 0.1% at p0 = 10^-5",
        sweep="rare", of="p_c", equals="limit", tolerance=1e-3, where={"name": "reverse_kl"},
        figure="fig_hard_prompts",
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    setting = dict(prompts="all", alpha=0.5, name=NAMES)
    return ConfigDict(
        dict(
            solved=dict(
                **{**setting, "prompts": ("all", "easy")}, q=(0.0, 0.2), k=(1, 2, 4, 8, 16, 32, 64, 128, 256),
                copies=256, replicates=preset(name, quick=64, paper=4000),
            ),
            alike=dict(**{**setting, "prompts": "one kind"}, q=0.0, k=(1, 2, 4, 16, 64)),
            prompts=dict(**setting, q=0.0, p0=(1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 0.6, 0.9), replicates=16),
            floor=dict(
                **{**setting, "name": ("forward_kl",)}, q=0.0, p0=(1e-3, 0.01, 0.1, 0.5, 0.9, 0.99), replicates=16,
            ),
            rare=dict(**setting, q=0.0, p0=1e-5),
        )
    )  # fmt: skip


def p0_of_prompts(prompts: str):
    """Success of the reference on eight prompts."""
    from numpy import array

    p0 = {
        "all": (0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.45),
        "easy": (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45),
        "one kind": (0.1,) * 8,
    }
    return array(p0[prompts])


def pass_at_1(prompts: str) -> float:
    """What the divergences are to reach alike."""
    return 0.78 if prompts == "easy" else 0.6


def equal_pass_at_1(p0_grid, q: float, target: float, name: str, alpha: float) -> float:
    """The penalty at which a divergence reaches the target."""
    from jax import jit

    return float(jit(theory.f_divergence_beta_at_pass, static_argnames="name")(p0_grid, q, target, name, alpha))


def reference_at_k(p0_grid, k: float):
    return (1 - (1 - p0_grid) ** k).mean()


def of_pass_at_1(target: float, k: float):
    return 1 - (1 - target) ** k


def least_of_forward_kl(beta: float):
    return beta / (1 + beta)


def limit(p0: float, beta: float, name: str):
    from jax.numpy import exp, expm1

    return {"reverse_kl": p0 * exp(1 / beta), "jsd": 1 - 1 / expm1(1 / beta), "forward_kl": 1 - beta}[name]


def at_equal_pass_at_1():
    return dict(p0_grid=p0_of_prompts, target=pass_at_1, beta=equal_pass_at_1)


def experiment(config) -> Experiment:
    family = simulators.f_divergence
    passed = theory.f_divergence_pass_at_k
    return Experiment(
        dict(
            solved=Sweep(
                simulate=family.simulate_verified_prompts, values=config.solved, over=("prompts", "q", "name"),
                predict=dict(sampled=passed, pass_at_k=passed, base=reference_at_k), paired=("name",), batch=16,
                measure=dict.fromkeys(("sampled", "pass_at_k", "base"), ("k",)), derive=at_equal_pass_at_1(),
            ),
            alike=Sweep(
                predict=dict(pass_at_k=theory.f_divergence_pass_at_k, of_pass_at_1=of_pass_at_1), values=config.alike,
                over=("name", "k"), measure=dict(pass_at_k=(), of_pass_at_1=()), derive=at_equal_pass_at_1(),
            ),
            prompts=Sweep(
                simulate=family.simulate_verified_policy, predict=theory.binary_f_divergence_policy,
                values=config.prompts, over=("name",), measure=dict(p_c=("p0",), u_w=("p0",)),
                derive=at_equal_pass_at_1(), curve={"p0": geomspace(1e-4, 0.95, 60)}, batch=16,
            ),
            floor=Sweep(
                simulate=family.simulate_verified_policy, predict=least_of_forward_kl, values=config.floor,
                over=("name",), measure=dict(u_w=("p0",)), derive=at_equal_pass_at_1(), batch=16,
            ),
            rare=Sweep(
                predict=dict(p_c=theory.binary_f_divergence_policy, limit=limit), values=config.rare, over=("name",),
                measure=dict(p_c=(), limit=()), derive=at_equal_pass_at_1(),
            ),
        ),
        CLAIMS,
    )  # fmt: skip
