"""The contrastive loss of DCRL and its figures, against references in plain Python."""

from __future__ import annotations

import math

import pytest
import torch

from agents.contrastive import contrastive_figures, contrastive_loss

GROUPS = torch.tensor([0, 1, 1, 2, 3])


@pytest.fixture
def embeddings():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(5, 4, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(2)]


def cos(first, second):
    dot = sum(a * b for a, b in zip(first, second, strict=True))
    return dot / math.sqrt(sum(a * a for a in first) * sum(b * b for b in second))


def reference(code, text, groups, temperature, margin, form, symmetric):
    """Eq. 6, pair by pair."""
    code, text = code.tolist(), text.tolist()
    directions = [(code, text), (text, code)] if symmetric else [(code, text)]
    entropies, margins = [], []
    for asks, told in directions:
        for number, vector in enumerate(asks):
            own = cos(vector, told[number])
            others = [cos(vector, told[each]) for each in range(len(told)) if groups[each] != groups[number]]
            total = sum(math.exp(each / temperature) for each in [own, *others])
            entropies.append(-math.log(math.exp(own / temperature) / total))
            gap = max(others, default=-math.inf) - own + margin
            soft = 0.1 * math.log1p(math.exp(gap / 0.1)) if others else 0.0
            margins.append(soft if form == "softplus" else max(0.0, gap))
    return sum(entropies) / len(entropies), sum(margins) / len(margins)


@pytest.mark.parametrize("form", ["softplus", "hinge"])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("groups", [torch.arange(5), GROUPS])
def test_loss_is_equation_6(embeddings, form, symmetric, groups):
    """Both terms are those of the reference; pairs of one task are no negatives of each other."""
    loss = contrastive_loss(*embeddings, 0.3, 0.2, groups, margin_form=form, symmetric=symmetric)
    expected = reference(*(each.detach() for each in embeddings), groups.tolist(), 0.3, 0.2, form, symmetric)
    assert loss.cross_entropy.item() == pytest.approx(expected[0])
    assert loss.margin.item() == pytest.approx(expected[1])
    assert loss.total.item() == pytest.approx(sum(expected))


def test_groups_default_to_all_different(embeddings):
    """Without tasks every other pair is a negative."""
    given = contrastive_loss(*embeddings, 0.3, 0.2, torch.arange(5)).total
    assert contrastive_loss(*embeddings, 0.3, 0.2).total == given


def test_without_negatives_there_is_nothing_to_learn(embeddings):
    """One task alone: the loss is zero, and so is its gradient."""
    loss = contrastive_loss(*embeddings, 0.3, 0.2, torch.zeros(5, dtype=torch.int64)).total
    loss.backward()
    assert loss == 0
    assert not embeddings[0].grad.any()


def test_random_negatives(embeddings):
    """A random negative is drawn by the generator, is no pair of the same task, and is not always the hardest."""
    drawn = set()
    for seed in range(30):
        generator = torch.Generator().manual_seed(seed)
        loss = contrastive_loss(*embeddings, 0.3, 0.2, GROUPS, negative="random", generator=generator)
        drawn.add(round(loss.margin.item(), 9))
        again = torch.Generator().manual_seed(seed)
        same = contrastive_loss(*embeddings, 0.3, 0.2, GROUPS, negative="random", generator=again)
        assert same.margin == loss.margin
    hardest = contrastive_loss(*embeddings, 0.3, 0.2, GROUPS).margin.item()
    assert len(drawn) > 10
    assert max(drawn) <= hardest + 1e-9


def test_gradients_reach_temperature_and_margin(embeddings):
    """d/d tau and d/d m are those of finite differences."""

    def at(temperature, margin):
        return contrastive_loss(*embeddings, temperature, margin, GROUPS).total

    values = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (0.3, 0.2)]
    assert torch.autograd.gradcheck(at, values)
    at(*values).backward()
    assert all(value.grad.abs() > 1e-3 for value in values)


@pytest.mark.parametrize(("form", "zero"), [("hinge", True), ("softplus", False)])
def test_a_hinge_has_no_hypergradient_in_the_margin(embeddings, form, zero):
    """The mixed derivative in embeddings and margin is exactly zero for a hinge, and not for the softplus."""
    margin = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    loss = contrastive_loss(*embeddings, 0.3, margin, margin_form=form).total
    gradient = torch.autograd.grad(loss, embeddings[0], create_graph=True)[0]
    found = torch.autograd.grad(gradient.square().sum() + 0 * margin, margin)[0]
    assert (found == 0) == zero


def test_limits_of_the_temperature(embeddings):
    """Hot: the logarithm of the number of texts. Cold: gaps to the best text, divided by the temperature."""
    hot = contrastive_loss(*embeddings, 1e6, 0.2).cross_entropy.item()
    assert hot == pytest.approx(math.log(5), abs=1e-5)
    cosines = torch.nn.functional.cosine_similarity(embeddings[0][:, None], embeddings[1][None], dim=-1)
    gaps = [(view.amax(1) - view.diagonal()).mean() for view in (cosines, cosines.T)]
    cold = 1e-4 * contrastive_loss(*embeddings, 1e-4, 0.2).cross_entropy
    assert cold.item() == pytest.approx(sum(gaps).item() / 2, abs=1e-4)


def test_training_aligns():
    """A few steps on the loss pull each code to its text; the figures show it."""
    generator = torch.Generator().manual_seed(0)
    code = torch.randn(16, 8, generator=generator, requires_grad=True)
    text = torch.randn(16, 8, generator=generator, requires_grad=True)
    before = contrastive_figures(code, text)
    optimizer = torch.optim.Adam([code, text], lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        contrastive_loss(code, text, 0.1, 0.3).total.backward()
        optimizer.step()
    after = contrastive_figures(code, text)
    assert after.accuracy == 1 > before.accuracy
    assert after.separation > before.separation + 0.5
    assert after.alignment > 0.8


def test_figures(embeddings):
    """Alignment, separation, accuracy and uniformity are those of loops over pairs."""
    code, text = (each.tolist() for each in embeddings)
    table = [[cos(one, two) for two in text] for one in code]
    groups = GROUPS.tolist()
    pairs = [(i, j) for i in range(5) for j in range(5) if groups[i] != groups[j]]
    matched = sum(table[i][i] for i in range(5)) / 5
    unmatched = sum(table[i][j] for i, j in pairs) / len(pairs)
    right = [table[i][i] > max(table[i][j] for a, j in pairs if a == i) for i in range(5)]
    spread = [math.log(sum(math.exp(-4 * (1 - cos(x[i], x[j]))) for i, j in pairs) / len(pairs)) for x in (code, text)]
    found = contrastive_figures(*embeddings, GROUPS)
    assert found == pytest.approx((matched, matched - unmatched, sum(right) / 5, sum(spread) / 2))
    collapsed = contrastive_figures(torch.ones(4, 3), torch.ones(4, 3))
    assert collapsed == pytest.approx((1, 0, 0, 0), abs=1e-6)


def test_unknown_options_are_refused(embeddings):
    """The options are named."""
    with pytest.raises(ValueError, match="margin_form must be one of"):
        contrastive_loss(*embeddings, 0.3, 0.2, margin_form="soft")
