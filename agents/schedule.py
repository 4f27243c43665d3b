"""Temperature and margin of the contrastive loss over training: fixed, scheduled, or following the agent's progress.

Progress is u = [R, eta], normalised return and share of solved tasks, both in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

__all__ = ["MODES", "ContrastiveSchedule"]

MODES = ("static", "curriculum", "closed", "clip", "dcrl")
DIRECTIONS = ("relax", "tighten")
FORMS = ("residual", "integrator")
NAMES = ("temperature", "margin")
LEAK = 0.9
STEPS = (0.3, 0.05)
"""Scales of the network's outputs: of the logarithm of the temperature, and of the margin."""


class ContrastiveSchedule(nn.Module):
    """Says what temperature and margin are.

    | mode | temperature and margin | trained by |
    |---|---|---|
    | `static` | constant | nothing |
    | `curriculum` | linear from the top of the ranges to the bottom over training | nothing |
    | `closed` | eq. 4-5 with fixed coefficients | nothing |
    | `clip` | temperature is a parameter, margin constant | the contrastive loss, as in CLIP |
    | `dcrl` | eq. 4-5 and the auxiliary network, eq. 16-18 | the hypergradient |

    Eq. 4-5: `tau = tau_max - (tau_max - tau_min) sigmoid(alpha R + beta eta)` and
    `m = m_min + (m_max - m_min) sigmoid(gamma R + delta eta)`. With positive gamma and delta the margin grows, against
    the paper's text, which wants it high at first: so they begin negative ("relax"), or positive ("tighten").

    Eq. 16-18 have no target and drift to a bound wherever the network's output is not zero. Here the network moves a
    leaky residual on top of the closed form: `d <- 0.9 d + (0.3, 0.05) MLP(u)`, `tau = clip(tau_closed exp(d_1))`,
    `m = clip(m_closed + d_2)`. `form="integrator"` is the literal `tau <- clip(tau + MLP(u)_1)`, from `temperature` and
    `margin` on, without the closed form. The network begins at zero: as the closed form, or as constants.

    Clipping passes gradients straight through.

    Args:
        mode: One of `MODES`.
        temperature: Constant, or where `clip` and the integrator begin.
        margin: The same.
        temperature_range: (lowest, highest).
        margin_range: (lowest, highest).
        slope: alpha, beta, and the size of gamma and delta, to begin with.
        margin_direction: "relax" or "tighten".
        fixed: Of "temperature" and "margin", what stays constant: the paper's ablations.
        form: Of `dcrl`: "residual" or "integrator".
        hidden: Width of the auxiliary network.
        baseline_rate: Eq. 4-5 read u minus its running mean, which moves by this share at each `advance`; 0: plain u.
        seed: Draws the network's first layer.

    Attributes:
        coefficients: alpha, beta, gamma, delta, (4,) float32.
        psi: The auxiliary network, 82 parameters.

    Raises:
        ValueError: If an argument cannot be used.

    Source: DCRL, eq. 4-5 and 16-18.
    """

    residual: torch.Tensor
    state: torch.Tensor
    baseline: torch.Tensor

    def __init__(
        self,
        mode: str = "static",
        *,
        temperature: float = 0.1,
        margin: float = 0.3,
        temperature_range: tuple[float, float] = (0.1, 1.0),
        margin_range: tuple[float, float] = (0.1, 0.5),
        slope: float = 2.2,
        margin_direction: str = "relax",
        fixed: Sequence[str] = (),
        form: str = "residual",
        hidden: int = 16,
        baseline_rate: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        _check(mode, MODES, "mode")
        _check(margin_direction, DIRECTIONS, "margin_direction")
        _check(form, FORMS, "form")
        for name in fixed:
            _check(name, NAMES, "fixed")
        for name, (low, high) in zip(NAMES, (temperature_range, margin_range), strict=True):
            if not low < high or (name == "temperature" and low <= 0):
                raise ValueError(f"{name}_range must be (low, high), temperatures above 0; got {(low, high)}.")
        if temperature <= 0:
            raise ValueError(f"temperature must be positive, got {temperature!r}.")
        self.mode, self.form, self.fixed = mode, form, tuple(fixed)
        self.start = (float(temperature), float(margin))
        self.low = (temperature_range[0], margin_range[0])
        self.high = (temperature_range[1], margin_range[1])
        self.baseline_rate = baseline_rate
        sign = -1.0 if margin_direction == "relax" else 1.0
        learns = mode == "dcrl"
        first = torch.tensor([slope, slope, sign * slope, sign * slope])
        self.coefficients = nn.Parameter(first, requires_grad=learns and form == "residual")
        self.psi = _network(hidden, seed).requires_grad_(learns)
        self.log_temperature = nn.Parameter(torch.tensor(self.start[0]).log(), requires_grad=mode == "clip")
        self.register_buffer("residual", torch.zeros(2))
        self.register_buffer("state", torch.tensor(self.start))
        self.register_buffer("baseline", torch.zeros(2))

    def forward(self, progress: torch.Tensor, done: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
        """Temperature and margin now, () float32 each.

        Args:
            progress: u, (2,) float32.
            done: Share of the training that is done, in [0, 1]; for the curriculum.

        Returns:
            Both, with a graph to what is trained in this mode.
        """
        return self._held(*getattr(self, f"_{self.mode}")(progress, done))

    def proposal(self, progress: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Temperature and margin after the next `advance`, with a graph to the coefficients and the network.

        Args:
            progress: u, (2,) float32.
        """
        if self.mode != "dcrl":
            return self(progress)
        return self._held(*self._dynamic(progress, self._moved(progress)))

    @torch.no_grad()
    def advance(self, progress: torch.Tensor) -> None:
        """Take what the network proposes; the paper's update every k steps.

        Args:
            progress: u, (2,) float32.
        """
        if self.mode == "dcrl":
            moved = self._moved(progress)
            self.state.copy_(torch.stack(self._dynamic(progress, moved)))
            self.residual.copy_(moved)
        self.baseline.lerp_(progress, self.baseline_rate)

    @torch.no_grad()
    def keep_within(self) -> None:
        """Put a learned temperature back into its range, after a step of its optimizer."""
        low, high = torch.tensor([self.low[0], self.high[0]]).log()
        self.log_temperature.clamp_(low, high)

    def trained_by(self, signal: str) -> list[nn.Parameter]:
        """Parameters that a signal trains.

        Args:
            signal: "loss" (the contrastive loss) or "hypergradient".

        Raises:
            ValueError: If the signal is unknown.
        """
        _check(signal, ("loss", "hypergradient"), "signal")
        wanted = "clip" if signal == "loss" else "dcrl"
        return [each for each in self.parameters() if each.requires_grad] if self.mode == wanted else []

    # the modes ------------------------------------------------------------------------------------

    def _static(self, progress: torch.Tensor, done: float) -> tuple[torch.Tensor, torch.Tensor]:
        temperature, margin = torch.tensor(self.start)
        return temperature, margin

    def _curriculum(self, progress: torch.Tensor, done: float) -> tuple[torch.Tensor, torch.Tensor]:
        low, high = torch.tensor(self.low), torch.tensor(self.high)
        temperature, margin = high - (high - low) * min(max(done, 0.0), 1.0)
        return temperature, margin

    def _closed(self, progress: torch.Tensor, done: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
        alpha_beta, gamma_delta = self.coefficients[:2], self.coefficients[2:]
        seen = progress - self.baseline
        falling = torch.sigmoid(alpha_beta @ seen)
        rising = torch.sigmoid(gamma_delta @ seen)
        return (
            self.high[0] - (self.high[0] - self.low[0]) * falling,
            self.low[1] + (self.high[1] - self.low[1]) * rising,
        )

    def _clip(self, progress: torch.Tensor, done: float) -> tuple[torch.Tensor, torch.Tensor]:
        return self.log_temperature.exp(), torch.tensor(self.start[1])

    def _dcrl(self, progress: torch.Tensor, done: float) -> tuple[torch.Tensor, torch.Tensor]:
        if self.form == "integrator":
            temperature, margin = self.state
            return temperature, margin
        return self._dynamic(progress, self.residual)

    def _moved(self, progress: torch.Tensor) -> torch.Tensor:
        """The next residual; of the integrator, the step itself."""
        output = self.psi(progress)
        return output if self.form == "integrator" else LEAK * self.residual + torch.tensor(STEPS) * output

    def _dynamic(self, progress: torch.Tensor, moved: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if self.form == "integrator":
            temperature, margin = self.state + moved
        else:
            temperature, margin = self._closed(progress)
            temperature, margin = temperature * moved[0].exp(), margin + moved[1]
        return (
            _straight_through(temperature, self.low[0], self.high[0]),
            _straight_through(margin, self.low[1], self.high[1]),
        )

    def _held(self, temperature: torch.Tensor, margin: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """With what is fixed."""
        constants = torch.tensor(self.start)
        return (
            constants[0] if "temperature" in self.fixed else temperature,
            constants[1] if "margin" in self.fixed else margin,
        )


def _network(hidden: int, seed: int) -> nn.Sequential:
    """The auxiliary network, whose output begins at zero."""
    network = nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, 2))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for each in network[0].parameters():
            each.uniform_(-(0.5**0.5), 0.5**0.5, generator=generator)
        for each in network[2].parameters():
            each.zero_()
    return network


def _straight_through(value: torch.Tensor, low: float, high: float) -> torch.Tensor:
    return value + (value.clamp(low, high) - value).detach()


def _check(given: str, known: Sequence[str], name: str) -> None:
    if given not in known:
        raise ValueError(f"{name} must be one of {tuple(known)}, got {given!r}.")
