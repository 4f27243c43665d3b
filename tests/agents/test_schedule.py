"""Temperature and margin over training."""

from __future__ import annotations

import math

import pytest
import torch
from alignment_toys import FillIn

from agents.cross_modal_extractor import CrossModalFusionExtractor
from agents.schedule import ContrastiveSchedule

U = torch.tensor([0.3, -0.4])


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def values(schedule, progress=U, done=0.0):
    return tuple(each.item() for each in schedule(progress, done))


@pytest.mark.parametrize(("direction", "sign"), [("relax", -1), ("tighten", 1)])
def test_closed_form_is_equations_4_and_5(direction, sign):
    """tau falls with progress; the margin falls by the text's reading and rises by the equation's sign."""
    schedule = ContrastiveSchedule("closed", slope=1.5, margin_direction=direction)
    logit = 1.5 * 0.3 + 1.5 * -0.4
    tau, margin = values(schedule)
    assert tau == pytest.approx(1 - 0.9 * sigmoid(logit))
    assert margin == pytest.approx(0.1 + 0.4 * sigmoid(sign * logit))


def test_defaults_span_the_range():
    """From a beginner, [-1, -1], to a master, [1, 1], tau goes from about 0.99 to about 0.11."""
    schedule = ContrastiveSchedule("closed")
    first, last = values(schedule, -torch.ones(2)), values(schedule, torch.ones(2))
    assert first == pytest.approx((0.989, 0.495), abs=1e-3)
    assert last == pytest.approx((0.111, 0.105), abs=1e-3)


def test_static_curriculum_and_fixed():
    """Constants; a line from top to bottom; and what is fixed does not move in any mode."""
    assert values(ContrastiveSchedule(temperature=0.2, margin=0.4), done=0.7) == pytest.approx((0.2, 0.4))
    curriculum = ContrastiveSchedule("curriculum")
    for done, expected in ((0, (1, 0.5)), (0.5, (0.55, 0.3)), (1, (0.1, 0.1)), (1.2, (0.1, 0.1))):
        assert values(curriculum, done=done) == pytest.approx(expected)
    for mode in ("curriculum", "closed", "clip", "dcrl"):
        fixed = ContrastiveSchedule(mode, fixed=("temperature", "margin"), temperature=0.2, margin=0.4)
        assert values(fixed) == pytest.approx((0.2, 0.4))
        half = ContrastiveSchedule(mode, fixed=("margin",), temperature=0.2, margin=0.4)
        assert values(half)[1] == pytest.approx(0.4)


def test_clip_learns_its_temperature_by_the_loss():
    """The gradient of a loss in tau reaches the parameter, which stays in its range."""
    schedule = ContrastiveSchedule("clip", temperature=0.2)
    parameters = schedule.trained_by("loss")
    assert len(parameters) == 1
    tau, margin = schedule(U)
    assert not margin.requires_grad
    (3 * tau).backward()
    assert parameters[0].grad.item() == pytest.approx(0.6)
    with torch.no_grad():
        parameters[0].sub_(100)
    schedule.keep_within()
    assert values(schedule)[0] == pytest.approx(0.1)


def test_dcrl_begins_as_the_closed_form():
    """The network begins at zero; after it moves, the residual leaks towards ten times its output."""
    schedule, closed = ContrastiveSchedule("dcrl"), ContrastiveSchedule("closed")
    assert values(schedule) == pytest.approx(values(closed))
    with torch.no_grad():
        schedule.psi[2].bias.copy_(torch.tensor([0.1, -0.2]))
    tau, margin = values(closed)
    expected = (0.0, 0.0)
    for _ in range(5):
        proposed = tuple(each.item() for each in schedule.proposal(U))
        schedule.advance(U)
        expected = 0.9 * expected[0] + 0.3 * 0.1, 0.9 * expected[1] + 0.05 * -0.2
        assert schedule.residual.tolist() == pytest.approx(expected)
        assert values(schedule) == pytest.approx(proposed)
        assert values(schedule) == pytest.approx((tau * math.exp(expected[0]), margin + expected[1]))


def test_integrator_is_equations_16_to_18():
    """The literal form adds the network's output each time and is clipped to the ranges."""
    schedule = ContrastiveSchedule("dcrl", form="integrator", temperature=0.3, margin=0.2)
    assert values(schedule) == pytest.approx((0.3, 0.2))
    with torch.no_grad():
        schedule.psi[2].bias.copy_(torch.tensor([0.25, -0.06]))
    seen = []
    for _ in range(4):
        schedule.advance(U)
        seen += values(schedule)
    assert seen == pytest.approx([0.55, 0.14, 0.8, 0.1, 1.0, 0.1, 1.0, 0.1])


@pytest.mark.parametrize("form", ["residual", "integrator"])
def test_gradients_reach_what_they_should(form):
    """A proposal has gradients in alpha to delta and in the network, and clipping lets them through."""
    schedule = ContrastiveSchedule("dcrl", form=form, temperature_range=(0.1, 0.2))
    torch.nn.init.normal_(schedule.psi[2].weight, std=0.1, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        schedule.psi[2].bias.copy_(torch.tensor([5.0, 5.0]))  # far beyond both ranges
    tau, margin = schedule.proposal(U)
    assert (tau.item(), margin.item()) == pytest.approx((0.2, 0.5))
    (tau + 2 * margin).backward()
    learned = schedule.trained_by("hypergradient")
    assert all(each.grad is not None and each.grad.any() for each in learned)
    assert any(each is schedule.coefficients for each in learned) == (form == "residual")
    if form == "residual":
        assert (schedule.coefficients.grad != 0).all()


def test_only_what_a_mode_trains_is_trained():
    """The other modes have no parameters of their own."""
    for mode in ("static", "curriculum", "closed"):
        schedule = ContrastiveSchedule(mode)
        assert schedule.trained_by("loss") == schedule.trained_by("hypergradient") == []
        assert not any(each.requires_grad for each in schedule(U))


def test_the_auxiliary_network_is_small():
    """82 parameters, and with the coefficients less than 1 % of the default extractor's."""
    schedule = ContrastiveSchedule("dcrl")
    psi = sum(each.numel() for each in schedule.psi.parameters())
    extractor = CrossModalFusionExtractor(FillIn().observation_space)
    assert psi == 82
    own = sum(each.numel() for each in schedule.trained_by("hypergradient"))
    assert own < 0.01 * sum(each.numel() for each in extractor.parameters())


def test_a_running_baseline_keeps_the_sigmoid_in_the_middle():
    """With a baseline, progress that stays where it is gives the middle of the ranges in the end."""
    schedule = ContrastiveSchedule("closed", baseline_rate=0.1)
    for _ in range(100):
        schedule.advance(torch.ones(2))
    assert values(schedule, torch.ones(2)) == pytest.approx((0.55, 0.3), abs=1e-3)


def test_state_and_seed():
    """The same seed gives the same network; the state holds the residual."""
    one, two = ContrastiveSchedule("dcrl", seed=3), ContrastiveSchedule("dcrl", seed=3)
    assert all(map(torch.equal, one.psi.parameters(), two.psi.parameters()))
    assert not torch.equal(ContrastiveSchedule("dcrl", seed=4).psi[0].weight, one.psi[0].weight)
    with torch.no_grad():
        one.psi[2].bias.fill_(0.1)
    one.advance(U)
    two.load_state_dict(one.state_dict())
    assert values(two) == values(one)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "hot"}, "mode must be one of"),
        ({"fixed": ("tau",)}, "fixed must be one of"),
        ({"temperature_range": (0.0, 1.0)}, "temperature_range must be"),
        ({"margin_range": (0.5, 0.1)}, "margin_range must be"),
        ({"temperature": 0.0}, "temperature must be positive"),
        ({"form": "leaky"}, "form must be one of"),
        ({"margin_direction": "up"}, "margin_direction must be one of"),
    ],
)
def test_bad_arguments(arguments, message):
    """Each says what was expected."""
    with pytest.raises(ValueError, match=message):
        ContrastiveSchedule(**arguments)
