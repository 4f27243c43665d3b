"""Equations 5, 7, 8, 9 and 10 of DTERM against NumPy, and their gradients against finite differences."""

import numpy as np
import pytest
import torch

from reward_machines.film import VALUE_HEADS, FilmValueHeads
from reward_machines.fusion import ResidualFusion
from reward_machines.hypernetwork import MIXTURES, MODES, Hypernetwork

B, D, K, P = 4, 6, 5, 3
PRIOR = torch.tensor([0.1, 0.5, 0.2, 0.1, 0.1])
LEARNED = ("prototypes", "direct", "mixed", "static", "global")


def made(mode="prototypes", mixture="scores", trained=True, **arguments):
    """A small hypernetwork in double precision, with random parameters if trained."""
    generator = torch.Generator().manual_seed(0)
    arguments = {"prototypes": P, "hidden": 16, "prior": PRIOR, **arguments}
    network = Hypernetwork(K, D, mode=mode, mixture=mixture, generator=generator, **arguments).double().eval()
    if trained:
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
    return network


def tasks():
    return torch.randn(B, D, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def numbers(network):
    return {name: value.numpy() for name, value in network.state_dict().items()}


def softmax(x):
    weights = np.exp(x - x.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def mlp(p, x, name="trunk"):
    """The 3-layer MLP; its last layer is eq. 5's w_i and b_i."""
    for layer in (0, 2):
        x = np.maximum(x @ p[f"{name}.{layer}.weight"].T + p[f"{name}.{layer}.bias"], 0)
    return x @ p[f"{name}.4.weight"].T + p[f"{name}.4.bias"]


def reference(network, embeddings, mode, mixture, temperature, active, floor):
    """Weights by the equations, task by task and component by component."""
    p = numbers(network)
    barred = np.where(active, p["log_prior"], -np.inf)
    rows = []
    for e in embeddings:
        e = e / np.sqrt((e**2).mean() + 1e-12)
        if mode in ("prototypes", "mixed", "static"):
            prototypes = p["prototypes"]
            a = softmax(np.array([prototypes[j] @ p["attend"] @ e for j in range(P)]))  # eq. 8
            scores = p["free"] if mode == "static" else np.array([mlp(p, prototypes[j]) for j in range(P)])
        if mode == "global":
            a, scores = np.ones(1), p["free"]
        if mode == "direct":
            a, scores = np.ones(1), mlp(p, e)[None]
        if mode == "mixed":
            rho = 1 / (1 + np.exp(-p["mixing"]))
            a, scores = np.append((1 - rho) * a, rho), np.vstack([scores, mlp(p, e)])
        if mixture == "scores":
            alpha = softmax(sum(a[j] * scores[j] for j in range(len(a))) / temperature + barred)  # eq. 5
        else:
            patterns = [softmax(scores[j] / temperature + barred) for j in range(len(a))]
            alpha = np.array([sum(a[j] * patterns[j][i] for j in range(len(a))) for i in range(K)])  # eq. 9
        rows.append((1 - floor) * alpha + floor * active / active.sum())
    return np.array(rows)


@pytest.mark.parametrize("mixture", MIXTURES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("temperature", [1.0, 0.1])
def test_weights_are_those_of_the_equations(mode, mixture, temperature):
    """Every mode and mixture equals a loop over the paper's equations, with and without a masked component."""
    network = made(mode, mixture, floor=0.02)
    for active in (np.ones(K, bool), np.array([True, True, False, True, True])):
        with torch.no_grad():
            weights = network(tasks(), temperature, torch.from_numpy(active)).numpy()
        expected = reference(network, tasks().numpy(), mode, mixture, temperature, active, 0.02)
        assert weights.shape == (B, K)
        assert weights == pytest.approx(expected, abs=1e-6)
        assert weights.sum(1) == pytest.approx(np.ones(B))
        assert (weights[:, ~active] == 0).all()
        assert (weights[:, active] >= 0.02 / active.sum() - 1e-9).all()


@pytest.mark.parametrize("mixture", MIXTURES)
@pytest.mark.parametrize("mode", MODES)
def test_gradients_of_the_weights(mode, mixture):
    """Gradients in the parameters and in the embedding equal finite differences."""
    network, coefficients = made(mode, mixture), torch.randn(B, K, dtype=torch.float64)
    rows = tasks().requires_grad_()

    def value():
        return (network(rows, 0.7) * coefficients).sum()

    value().backward()
    assert (rows.grad is None) == (mode == "global")
    for parameter in [*network.parameters(), *([] if mode == "global" else [rows])]:
        flat, slope = parameter.data.view(-1), parameter.grad.view(-1)
        for place in np.linspace(0, len(flat) - 1, 5).astype(int):
            kept = flat[place].item()
            flat[place] = kept + 1e-6
            above = value().item()
            flat[place] = kept - 1e-6
            below = value().item()
            flat[place] = kept
            assert slope[place].item() == pytest.approx((above - below) / 2e-6, abs=1e-6)


@pytest.mark.parametrize("mixture", MIXTURES)
@pytest.mark.parametrize("mode", MODES)
def test_it_starts_at_the_prior(mode, mixture):
    """The last layer is zero: all weights start at the prior, with the floor, for every task and temperature."""
    network = made(mode, mixture, trained=False, floor=0.02)
    for temperature in (0.02, 1.0):
        weights = network(tasks(), temperature).detach().numpy()
        assert weights == pytest.approx(np.tile(0.98 * PRIOR.numpy() + 0.02 / K, (B, 1)), abs=1e-6)


def test_the_network_is_the_papers():
    """Three layers of width 256, and attention that starts at I / sqrt(D)."""
    network = Hypernetwork(K, 64, PRIOR, generator=torch.Generator().manual_seed(0))
    layers = [each for each in network.trunk if isinstance(each, torch.nn.Linear)]
    assert [(each.in_features, each.out_features) for each in layers] == [(64, 256), (256, 256), (256, K)]
    assert network.attend.detach().numpy() == pytest.approx(np.eye(64) / 8)


def test_one_prototype_is_the_global_mode():
    """With one prototype every task gets the same weights; with several they differ."""
    assert made(prototypes=1)(tasks()).std(0).max().item() < 1e-12
    assert made(prototypes=P)(tasks()).std(0).max().item() > 1e-3


def test_a_mixture_of_weights_is_convex():
    """Eq. 9 never leaves the hull of its patterns."""
    network = made(mixture="weights", floor=0.0)
    patterns, weights = network.patterns(), network(tasks())
    assert (weights <= patterns.max(0).values + 1e-12).all()
    assert (weights >= patterns.min(0).values - 1e-12).all()
    assert patterns.sum(1).detach().numpy() == pytest.approx(np.ones(P))


def test_a_seed_gives_the_same_network_and_leaves_the_global_generator_alone():
    """Making a network draws from its own generator only."""
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, two = made(trained=False), made(trained=False)
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_noise_acts_in_training_only():
    """In evaluation the same task has the same weights; in training it is jittered."""
    network = made(noise=0.3)
    assert torch.equal(network(tasks()), network(tasks()))
    network.train()
    assert not torch.equal(network(tasks()), network(tasks()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "prototype"}, "mode must be one of"),
        ({"mixture": "both"}, "mixture must be one of"),
        ({"floor": 1.0}, r"\[0, 1\)"),
        ({"prototypes": 0}, "must be positive"),
        ({"noise": -1.0}, "standard deviation"),
    ],
)
def test_mistakes_are_named(arguments, message):
    """Bad arguments say what is allowed."""
    with pytest.raises(ValueError, match=message):
        made(**arguments)


def test_attention_needs_prototypes():
    """The modes without prototypes say so."""
    with pytest.raises(ValueError, match="has no prototypes"):
        made("direct").attention(tasks())


HEADS = 3


def heads():
    """FiLM heads in double precision with random parameters."""
    torch.manual_seed(0)
    made_heads = FilmValueHeads(D, 7, HEADS, rank=2, hidden=5).double()
    with torch.no_grad():
        made_heads.scale.normal_()
        made_heads.shift.normal_()
    return made_heads, torch.randn(B, D, dtype=torch.float64), torch.randn(B, 7, dtype=torch.float64)


def test_film_is_equation_7():
    """h' = (1 + g_i(e)) * h + b_i(e) and a linear head, by loops."""
    module, features, embedding = heads()
    p = numbers(module)
    expected = np.zeros((B, HEADS))
    for row in range(B):
        h, e = features[row].numpy(), embedding[row].numpy()
        hidden = np.tanh(p["task.0.weight"] @ e + p["task.0.bias"])
        code = (p["task.2.weight"] @ hidden + p["task.2.bias"]).reshape(HEADS, 2)
        for i in range(HEADS):
            g, b = code[i] @ p["scale"][i], code[i] @ p["shift"][i]
            expected[row, i] = p["readout.weight"][i] @ ((1 + g) * h + b) + p["readout.bias"][i]
    assert module(features, embedding).detach().numpy() == pytest.approx(expected)


def test_gradients_of_film():
    """Gradients in features, embedding and parameters pass PyTorch's check by finite differences."""
    module, features, embedding = heads()
    assert torch.autograd.gradcheck(module, (features.requires_grad_(), embedding.requires_grad_()))
    module(features, embedding).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in module.parameters())


def test_film_starts_as_a_linear_layer_and_learns_what_a_task_changes():
    """Before training the task changes nothing; after it, a value whose sign the task sets is predicted."""
    torch.manual_seed(0)
    module = FilmValueHeads(4, 2, 1)
    features, embedding = torch.randn(256, 4), torch.nn.functional.one_hot(torch.arange(256) % 2).float()
    assert torch.equal(module(features, embedding), module.readout(features))
    target = torch.where(embedding[:, :1] > 0, features[:, :1], -features[:, :1])
    adam = torch.optim.Adam(module.parameters(), lr=5e-2)
    for _ in range(80):
        loss = (module(features, embedding) - target).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert loss.item() < 0.02


@pytest.mark.parametrize("kind", sorted(VALUE_HEADS))
def test_every_kind_of_head_has_one_shape(kind):
    """(B, K + 1) float32, and only the linear heads see no task."""
    torch.manual_seed(0)
    module = VALUE_HEADS[kind](D, 7, HEADS)
    if kind == "film":
        torch.nn.init.normal_(module.scale)
    features, embedding = torch.randn(B, D), torch.randn(B, 7)
    values = module(features, embedding)
    assert values.shape == (B, HEADS)
    assert values.dtype == torch.float32
    assert torch.equal(values, module(features, -embedding)) == (kind == "linear")


def fusion():
    torch.manual_seed(0)
    module = ResidualFusion(text=6, image=4, width=5).double()
    rows = torch.randn(B, 11, dtype=torch.float64)
    rows[:, -1] = torch.tensor([1.0, 0.0, 1.0, 0.0])
    return module, rows


def test_fusion_is_equation_10():
    """e = LN(MLP(e_text)) + has_image * g * P(v), by hand."""
    module, rows = fusion()
    torch.nn.init.constant_(module.gate, 0.7)
    p = numbers(module)
    erf = np.vectorize(lambda x: torch.erf(torch.tensor(x, dtype=torch.float64)).item())
    for row, fused in zip(rows.numpy(), module(rows).detach().numpy(), strict=True):
        text, image, has_image = row[:6], row[6:10], row[10]
        hidden = p["mlp.0.weight"] @ text + p["mlp.0.bias"]
        hidden = hidden * 0.5 * (1 + erf(hidden / np.sqrt(2)))
        out = p["mlp.2.weight"] @ hidden + p["mlp.2.bias"]
        out = (out - out.mean()) / np.sqrt(out.var() + 1e-5) * p["mlp.3.weight"] + p["mlp.3.bias"]
        assert fused == pytest.approx(out + has_image * 0.7 * (p["project.weight"] @ image))


def test_an_absent_image_changes_nothing_and_the_gate_starts_closed():
    """At the start images do nothing; later a row without an image is still its text alone; gradients are right."""
    module, rows = fusion()
    other = rows.clone()
    other[:, 6:10] = 3.0
    assert torch.equal(module(rows), module(other))
    torch.nn.init.constant_(module.gate, 0.7)
    same = (module(rows) == module(other)).all(1)
    assert same.tolist() == [False, True, False, True]
    assert torch.autograd.gradcheck(module, (rows.requires_grad_(),))
    with pytest.raises(ValueError, match="11 in all; got 6"):
        module(rows[:, :6])
