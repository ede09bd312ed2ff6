"""How should a policy be trained if only the best, or the worst, of several of its responses counts?

By a tilt, as ever, but of a transform of the reward's quantile that depends on the procedure and on beta. Simple
exponentials of the quantile come close, the quantile itself does not.
"""

from theorylab import simulators, theory
from theorylab.compare.claims import asymptotic, exact, identity, order
from theorylab.compare.contrasts import stack
from theorylab.experiment import Experiment, geomspace, preset
from theorylab.sweep.spec import Sweep

PAPER = "Balashankar et al., InfAlign: Inference-aware Language Model Alignment, 2024 (arXiv 2412.19792)"

# n responses differ from a continuum by order 1/n^2; error: of the trapezoid rule on 2001 points

CLAIMS = (
    asymptotic(
        "Trained on the win rate of best-of-4 or worst-of-4, a policy wins as often as the tilt of the transform",
        sweep="trained", of="win", size="responses", order=2, margin=5e-4, pointwise=5e-4, error=5e-6,
        figure="fig_win_rate",
    ),
    asymptotic(
        "Its divergence is that of the tilt",
        sweep="trained", of="kl", size="responses", order=2, margin=2e-3, pointwise=2e-3, error=2e-4,
        figure="fig_win_rate",
    ),
    asymptotic(
        "Tilts by exponentials of the quantile win at that divergence as often as the integrals say",
        sweep="trained", of="tilted_win", size="responses", order=2, margin=5e-4, pointwise=5e-4, error=5e-6,
        figure="fig_win_rate",
    ),
    order(
        "The trained policy wins more often than the tilts by the quantile and its exponentials of the same divergence",
        sweep="trained", of=lambda data: data.win - data.tilted_win, figure="fig_win_rate",
    ),
    order(
        "The exponentials win more often the more curved they are, up to t = 10",
        sweep="trained", of=lambda data: data.tilted_win.diff("t"), where={"beta": [0.15, 0.4]}, figure="fig_win_rate",
    ),
    asymptotic(
        "beta log pi/ref of the trained policy is the transformed reward, steep where the procedure looks",
        sweep="trained", of="transform", size="responses", order=2, margin=2e-3, pointwise=5e-3, figure="fig_transform",
    ),
    identity(
        "For a single response the transform is the quantile itself, to 12 digits",
        sweep="single", of="transform", equals=lambda data: data.u - 1, digits=12, figure="fig_transform",
    ),
    identity(
        "For small beta worst-of-N wins all but beta/N of its tournaments: within 1e-6 for N/beta >= 20",
        sweep="worst", of="win", equals=lambda data: 1 - data.beta / data.n_best, tolerance=1e-6,
    ),
    exact(
        "Calibration on K samples has the mean squared error of u (1 - u) / K",
        sweep="calibration", of="error",
    ),
    order(
        "The win rate of one response rises with K, and stays below that of the exact quantile",
        sweep="calibration", of=lambda data: stack(data.win.diff("samples"), (data.exact_win - data.win)[..., 1:]),
    ),
    order(
        "Tilted by a skewed reward without calibration, a response wins less often even than with K = 10",
        sweep="calibration", of=lambda data: data.win - data.raw_win,
    ),
)  # fmt: skip


def get_config(name: str):
    from ml_collections import ConfigDict

    both = dict(mode=("best", "worst"), n_best=4)
    return ConfigDict(
        dict(
            trained=dict(
                **both, responses=(256, 512, 1024), beta=(0.15, 0.4, 1.2), steps=400, t=(0.0, 1.0, 5.0, 10.0),
                u=(0.1, 0.3, 0.6, 0.9), grid=2001, replicates=preset(name, quick=8, paper=32),
            ),
            lines=dict(**both, beta=(0.15, 0.4, 1.2), u=(0.0, 1.0), grid=501),
            single=dict(mode=("best", "worst"), n_best=1, beta=0.3, u=(0.0, 0.3, 1.0), grid=501),
            worst=dict(mode="worst", n_best=(2, 6), beta=(0.05, 0.1), grid=4001),
            calibration=dict(
                responses=128, samples=(10, 100, 1000), kl=0.5, spread=1.0, repeats=128,
                replicates=preset(name, quick=64, paper=1000),
            ),
        )
    )  # fmt: skip


def tilted_win(n_best: float, beta: float, mode: str, t: float, grid: int):
    """Win rate of an exponential tilt of the divergence of the best policy."""
    kl = theory.inference_aware_policy(n_best, beta, mode, grid).kl
    return theory.transformed_tilt_at_kl(n_best, t, kl, mode, grid).win


def transformed_reward(n_best: float, beta: float, mode: str, u: float, grid: int):
    from jax.numpy import interp

    policy = theory.inference_aware_policy(n_best, beta, mode, grid)
    return interp(u, policy.u, policy.Rt)


def calibration_error(responses: float, samples: float):
    """The mean of u (1 - u) / K over u = 1/responses, 2/responses, .., 1."""
    return (1 - responses**-2) / (6 * samples)


def experiment(config) -> Experiment:
    family = simulators.inference_aware
    train = dict(simulate=family.simulate_inference_aware_training, over=("mode", "responses", "beta"), batch=16)
    policy = theory.inference_aware_policy
    return Experiment(
        dict(
            trained=Sweep(
                **train, values=config.trained, curve={"beta": geomspace(0.12, 3, 10)},
                predict=dict(win=policy, kl=policy, tilted_win=tilted_win, transform=transformed_reward),
                measure=dict(win=(), kl=(), tilted_win=("t",), transform=("u",)),
            ),
            lines=Sweep(
                predict=transformed_reward, values=config.lines, over=("mode", "beta"), measure={"transform": ("u",)},
                curve={"u": tuple(i / 40 for i in range(41))},
            ),
            single=Sweep(
                predict=transformed_reward, values=config.single, over=("mode",), measure={"transform": ("u",)},
            ),
            worst=Sweep(predict=policy, values=config.worst, over=("n_best", "beta"), measure={"win": ()}),
            calibration=Sweep(
                simulate=family.simulate_finite_calibration, predict=dict(error=calibration_error),
                values=config.calibration, batch=4,
                measure=dict(error=("samples",), win=("samples",), raw_win=(), exact_win=()),
            ),
        ),
        CLAIMS,
    )  # fmt: skip
