"""DTERM: its objectives against NumPy, what it learns, what the naive objective does, and files."""

import copy
import json
import math
import pickle
import time

import numpy as np
import pytest
import torch

from reward_machines import objectives
from reward_machines.alignment import SPREAD, EpisodeMemory, Episodes, standardised
from reward_machines.dterm import DTERM
from reward_machines.weighting import from_spec, load

COMPONENTS = ("compile", "tests", "similarity", "style", "efficiency")
D = 16
USEFUL = {"translate": 2, "format": 3, "repair": 1}
"""The component that success follows in each family, besides the tests."""


def families(seed=0):
    """Centre of each family's embeddings."""
    random = np.random.default_rng(seed)
    return {family: random.normal(size=D) for family in USEFUL}


def tasks(count, seed):
    """Tasks around the centres: family, name, embedding."""
    random = np.random.default_rng(seed)
    return [
        (family, f"{seed}/{number}", (centre + 0.5 * random.normal(size=D)).astype(np.float32))
        for family, centre in families().items()
        for number in range(count)
    ]


def episode(random, family):
    """Compiling is easy and says nothing; success follows the tests a little and the useful component a lot."""
    returns = np.clip(random.normal([0.9, 0.3, 0.3, 0.3, 0.5], [0.05, 0.2, 0.2, 0.2, 0.2]), 0, 1)
    success = random.random() < 0.6 * returns[USEFUL[family]] + 0.3 * returns[1]
    return returns.astype(np.float32), float(success)


def train(weighting, updates, seed=0, per_task=6):
    """Let a weighting see episodes of eight tasks of each family; returns the figures of every update."""
    random, known = np.random.default_rng(seed), tasks(8, seed=1)
    figures = []
    for _ in range(updates):
        for family, task_id, embedding in known:
            for _ in range(per_task):
                weighting.observe(embedding, family, task_id, *episode(random, family))
        figures.append(weighting.update())
    return figures


def rows(of):
    """Embeddings and families of tasks."""
    return np.stack([embedding for _, _, embedding in of]), [family for family, _, _ in of]


def made(**arguments):
    return DTERM(COMPONENTS, D, **{"prior": "uniform", "warm_up": 0, **arguments})


@pytest.fixture(scope="module")
def trained():
    """The default DTERM after forty updates, and its figures."""
    weighting = made()
    return weighting, train(weighting, 40)


def test_the_naive_objective_collapses_on_the_easiest_component():
    """Maximising the weighted reward ends on `compile`, in every family, though success never follows it."""
    weighting = made(objective="naive")
    train(weighting, 40)
    weights = weighting.weights(*rows(tasks(8, seed=1)))
    assert (weights[:, 0] > 0.9).all()


def test_ours_does_not_collapse(trained):
    """The same episodes: `compile` gets little, the component that success follows the most."""
    weighting, figures = trained
    embeddings, kinds = rows(tasks(8, seed=1))
    weights = weighting.weights(embeddings, kinds)
    assert (weights[:, 0] < 0.2).all()
    assert (weights == weighting.weights(embeddings, kinds)).all()  # the noise of training is off
    assert (weights.argmax(1) == [USEFUL[kind] for kind in kinds]).mean() > 0.9
    assert figures[-1]["entropy"] == pytest.approx(math.log(2), abs=0.02)
    assert np.mean([each["meta_loss"] for each in figures[-5:]]) < figures[0]["meta_loss"]


def test_unseen_tasks_of_a_family_get_its_weights(trained):
    """Zero-shot: weights by task type differ in the right direction on tasks that were never seen."""
    weighting, _ = trained
    embeddings, kinds = rows(tasks(20, seed=2))
    weights = weighting.weights(embeddings, kinds)
    assert (weights.argmax(1) == [USEFUL[kind] for kind in kinds]).mean() > 0.85
    for family, component in USEFUL.items():
        own = np.array([kind == family for kind in kinds])
        assert weights[own, component].mean() > 2 * weights[~own, component].mean()


@pytest.mark.parametrize("mode", ["direct", "mixed", "static"])
def test_every_mode_with_an_embedding_learns_by_family(mode):
    """The ablations that see the task find the useful component, too."""
    weighting = made(mode=mode)
    train(weighting, 40)
    embeddings, kinds = rows(tasks(8, seed=1))
    assert (weighting.weights(embeddings, kinds).argmax(1) == [USEFUL[kind] for kind in kinds]).mean() > 0.8


def test_the_global_mode_gives_every_task_the_same():
    """Without an embedding only what helps on average is found: the tests."""
    weighting = made(mode="global")
    train(weighting, 30)
    weights = weighting.weights(*rows(tasks(8, seed=1)))
    assert np.ptp(weights, 0).max() < 1e-6
    assert weights[0].argmax() == 1


def test_the_regression_learns_by_family():
    """The joint regression finds the predictive components."""
    weighting = made(objective="regression")
    train(weighting, 40)
    embeddings, kinds = rows(tasks(8, seed=1))
    assert (weighting.weights(embeddings, kinds).argmax(1) == [USEFUL[kind] for kind in kinds]).mean() > 0.8


def test_without_success_the_weights_stay_at_the_prior():
    """No outer return, no signal: nothing moves, however noisy the components are."""
    weighting, random = DTERM(COMPONENTS, D, warm_up=0), np.random.default_rng(0)
    before = weighting.weights(*rows(tasks(2, seed=1)))
    for _ in range(10):
        for family, task_id, embedding in tasks(2, seed=1):
            for _ in range(4):
                weighting.observe(embedding, family, task_id, random.random(5), 0.0)
        weighting.update()
    assert weighting.weights(*rows(tasks(2, seed=1))) == pytest.approx(before, abs=1e-6)


def test_chance_does_not_move_the_weights():
    """Success that follows no component leaves the weights near the prior, after few episodes as after many."""
    weighting, random = made(), np.random.default_rng(0)
    for _ in range(15):
        for family, task_id, embedding in tasks(4, seed=1):
            for _ in range(4):
                weighting.observe(embedding, family, task_id, random.random(5), float(random.random() < 0.2))
        weighting.update()
        assert np.abs(weighting.weights(*rows(tasks(4, seed=1))) - 0.2).mean() < 0.1


def test_the_warm_up_keeps_the_prior():
    """Until enough episodes were seen the weights are the prior's; then they move."""
    weighting = made(warm_up=24 * 6 * 3)
    prior = np.full((24, 5), 0.2)
    figures = train(weighting, 2)
    assert not weighting.warm
    assert "meta_loss" not in figures[-1]
    assert weighting.weights(*rows(tasks(8, seed=1))) == pytest.approx(prior)
    train(weighting, 2)
    assert weighting.warm
    assert np.abs(weighting.weights(*rows(tasks(8, seed=1))) - prior).max() > 0.05


def test_frozen_it_learns_nothing(trained):
    """Frozen, episodes are not kept and an update does nothing."""
    weighting = copy.deepcopy(trained[0])
    before = {name: value.copy() for name, value in weighting.state().items()}
    weighting.freeze()
    assert train(weighting, 1) == [{}]
    weighting.freeze(False)
    assert all((before[name] == value).all() for name, value in weighting.state().items())


def test_a_seed_gives_the_same_weights():
    """Same seed and episodes, same weights, whatever the global generator does; another seed, others."""
    states = []
    for seed in (3, 3, 4):
        torch.manual_seed(len(states))
        weighting = made(seed=seed)
        train(weighting, 3)
        states.append(weighting.weights(*rows(tasks(8, seed=1))))
    assert (states[0] == states[1]).all()
    assert not (states[0] == states[2]).all()


@pytest.mark.parametrize("objective", ["alignment", "regression", "naive", "meta_gradient"])
def test_it_goes_on_after_a_file_as_if_nothing_had_happened(tmp_path, objective):
    """Saved between observing and updating, and then trained on, it equals the one that was not saved."""

    def feed(weighting, seed):
        random = np.random.default_rng(seed)
        for family, task_id, embedding in tasks(3, seed=1):
            for _ in range(3):
                weighting.observe(embedding, family, task_id, *episode(random, family))
        if objective == "meta_gradient":
            embeddings, kinds = rows(tasks(3, seed=1))
            weighting.observe_influence(embeddings, kinds, random.normal(size=(9, 5)), random.normal(size=9))

    one = made(objective=objective, hidden=16)
    for seed in range(6):
        feed(one, seed)
        if seed < 5:
            one.update()
    one.set_active("style", False)
    one.save(tmp_path / "dterm.npz")
    two, three = load(tmp_path / "dterm.npz"), pickle.loads(pickle.dumps(one))
    for seed in (7, 8):
        figures = [each.update() for each in (one, two, three)]
        assert figures[0] == figures[1] == figures[2]
        for each in (one, two, three):
            feed(each, seed)
    weights = [each.weights(*rows(tasks(3, seed=1))) for each in (one, two, three)]
    assert (weights[0] == weights[1]).all()
    assert (weights[0] == weights[2]).all()
    assert (weights[0][:, 3] == 0).all()


def test_a_spec_makes_an_untrained_twin(trained):
    """What was learned is not in the spec; the arguments are, through JSON."""
    twin = from_spec(json.loads(json.dumps(trained[0].spec())))
    assert twin.spec() == trained[0].spec()
    assert twin.weights(*rows(tasks(1, seed=1))) == pytest.approx(np.full((3, 5), 0.2))


def test_the_prior_is_the_expert_table_unless_given():
    """The start: the expert's weights with the floor."""
    weights = DTERM(COMPONENTS, D).weights(*rows(tasks(1, seed=1)))[0]
    assert weights.argmax() == 1
    given = DTERM(COMPONENTS, D, prior=dict.fromkeys(COMPONENTS, 3.0), floor=0).weights(*rows(tasks(1, seed=1)))[0]
    assert given == pytest.approx(np.full(5, 0.2))


def test_an_inactive_component_takes_no_part():
    """The preference term (eq. 12) gets no weight and leaves no trace until it is trusted."""
    weighting = made()
    weighting.set_active("style", False)
    train(weighting, 10)
    assert (weighting.weights(*rows(tasks(8, seed=1)))[:, 3] == 0).all()
    sums = weighting._episodes.moments()
    assert (sums["product"][:, 3] == 0).all()
    assert (sums["square"][:, 3] == 0).all()
    weighting.set_active("style", True)
    assert (weighting.weights(*rows(tasks(8, seed=1)))[:, 3] > 0).all()


def test_the_meta_gradient_moves_weight_to_what_helps():
    """A component whose advantage agrees with the influence on success gains; no episodes are needed."""
    weighting, random = made(objective="meta_gradient"), np.random.default_rng(0)
    embeddings, kinds = rows(tasks(8, seed=1))
    for _ in range(20):
        influence = random.normal(size=24)
        advantages = random.normal(size=(24, 5))
        advantages[:, 2] += influence
        weighting.observe_influence(embeddings, kinds, advantages, influence)
        figures = weighting.update()
    assert set(figures) >= {"meta_loss", "entropy"}
    assert (weighting.weights(embeddings, kinds).argmax(1) == 2).all()
    with pytest.raises(RuntimeError, match="influence of samples"):
        weighting.update()


def reference_standardised(values, tasks_of, families_of, present):
    """Loops over episodes: mean of the others of the task, else of the family."""
    centred, known = [], []
    for s in present:
        others = [o for o in range(len(values)) if o != s and tasks_of[o] == tasks_of[s]]
        others = others or [o for o in range(len(values)) if o != s and families_of[o] == families_of[s]]
        known.append(bool(others))
        m = len(others)
        mean = np.mean([values[o] for o in others], axis=0) if others else 0
        centred.append(np.sqrt(m / (m + 1)) * (values[s] - mean) if others else 0 * values[s])
    centred = np.array(centred)
    spread = np.sqrt((centred[known] ** 2).mean(0))
    return centred / (spread + SPREAD), np.array(known)


def test_returns_are_standardised_as_the_definition_says():
    """Two rollouts with repeated, single and lonely tasks, against loops."""
    random = np.random.default_rng(0)
    groups = [(np.array([0, 0, 1, 2, 3]), np.array([0, 0, 0, 1, 2])), (np.array([0, 4, 2, 5]), np.array([0, 0, 1, 3]))]
    past, present = (
        Episodes(task, family, random.random((len(task), 3)), random.random(len(task))) for task, family in groups
    )
    components, outer, known = standardised(present, [past])
    values = np.column_stack(
        [np.concatenate([past.returns, present.returns]), np.concatenate([past.outer, present.outer])]
    )
    tasks_of, families_of = (np.concatenate([each[i] for each in groups]) for i in (0, 1))
    expected, expected_known = reference_standardised(values, tasks_of, families_of, range(5, 9))
    assert known.tolist() == expected_known.tolist() == [True, True, True, False]
    assert np.column_stack([components, outer]) == pytest.approx(expected)


def test_products_are_unbiased():
    """Centring on few others would shrink a covariance; the factor takes that back."""
    random = np.random.default_rng(0)
    x = random.normal(size=(20000, 1))
    y = 0.5 * x[:, 0] + random.normal(size=20000)
    batch = Episodes(np.repeat(np.arange(10000), 2), np.zeros(20000, int), x, y)
    components, outer, _ = standardised(batch, [])
    scale = (1 + SPREAD) * (math.sqrt(1.25) + SPREAD)
    assert (components[:, 0] * outer).mean() == pytest.approx(0.5 / scale, abs=0.03)


def memory_of_two_rollouts():
    random, memory = np.random.default_rng(0), EpisodeMemory(3, 4, recent=1, memory=10)
    seen = []
    for _ in range(2):
        chosen = random.integers(0, 3, 12)
        batch = Episodes(chosen, np.zeros(12, int), random.random((12, 3)), random.random(12))
        for task, returns, outer in zip(chosen, batch.returns, batch.outer, strict=True):
            memory.add(np.eye(4)[task], "family", str(task), returns, outer)
        seen.append(batch)
        memory.close(np.ones(3, bool))
    return memory, seen


def test_objectives_on_sums_are_those_on_episodes():
    """Alignment, regression and the naive reward: sums by task give the loss that loops over all episodes give."""
    memory, seen = memory_of_two_rollouts()
    names = [int(task) for _, task in memory._numbers]
    scores = np.random.default_rng(1).normal(size=(3, 3))
    weights = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    totals, count = np.zeros(3), 0.0
    for age, (batch, past) in enumerate(((seen[1], [seen[0]]), (seen[0], []))):
        # numbers of tasks in the memory follow their first appearance
        components, outer, known = standardised(batch, past)
        kept = math.exp(-age / 10)
        for s in np.flatnonzero(known):
            beta, alpha = scores[names.index(batch.tasks[s])], weights[names.index(batch.tasks[s])]
            x, y = components[s], outer[s]
            totals += kept * np.array(
                [
                    sum((beta[i] - x[i] * y) ** 2 for i in range(3)),
                    (y - sum(beta[i] * x[i] for i in range(3))) ** 2,
                    -sum(alpha[i] * batch.returns[s][i] for i in range(3)),
                ]
            )
            count += kept
    sums = {name: torch.from_numpy(array) for name, array in memory.moments().items()}
    beta, alpha = torch.tensor(scores, dtype=torch.float32), torch.tensor(weights, dtype=torch.float32)
    found = [objectives.alignment(beta, sums), objectives.regression(beta, sums), objectives.naive(alpha, sums)]
    assert np.array([each.item() for each in found]) == pytest.approx(totals / count, rel=1e-4)


def test_gradients_of_the_objectives():
    """By finite differences, in double precision; the least of the alignment is the mean product."""
    memory, _ = memory_of_two_rollouts()
    sums = {name: torch.from_numpy(array).double() for name, array in memory.moments().items()}
    point = torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    for objective in (objectives.alignment, objectives.regression, objectives.naive):
        assert torch.autograd.gradcheck(lambda x, f=objective: f(x, sums), (point,))
    advantages, influence = torch.randn(3, 3, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: objectives.meta_gradient(x, advantages, influence), (point,))
    best = (sums["product"] / sums["count"].unsqueeze(1)).requires_grad_()
    (slope,) = torch.autograd.grad(objectives.alignment(best, sums), best)
    assert slope.abs().max() < 1e-12


def test_the_meta_gradient_is_its_definition():
    """Minus the mean of c_s sum_i alpha_i A_i, over the root mean square of c A."""
    random = np.random.default_rng(0)
    weights, advantages, influence = random.random((6, 4)), random.normal(size=(6, 4)), random.normal(size=6)
    total = sum(influence[s] * sum(weights[s, i] * advantages[s, i] for i in range(4)) for s in range(6)) / 6
    unit = math.sqrt(np.mean([(influence[s] * advantages[s, i]) ** 2 for s in range(6) for i in range(4)]))
    found = objectives.meta_gradient(*map(torch.from_numpy, (weights, advantages, influence)))
    assert found.item() == pytest.approx(-total / unit, rel=1e-6)


def test_many_tasks_are_taken_in_parts(monkeypatch):
    """Above the limit a step takes a random part of the tasks, the same for the same seed."""
    monkeypatch.setattr("reward_machines.dterm.MOST_TASKS", 10)
    one, two = made(), made()
    for weighting in (one, two):
        train(weighting, 2)
    assert len(one._moments()["count"]) == 10
    assert len(two._moments()["count"]) == 10
    assert (one.weights(*rows(tasks(8, seed=1))) == two.weights(*rows(tasks(8, seed=1)))).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: made(objective="align"), "objective must be one of"),
        (lambda: made(mode="x"), "mode must be one of"),
        (lambda: made(prior="best"), "prior must be"),
        (lambda: made(prior={"compile": 1}), "a positive weight"),
        (lambda: made(prior={**dict.fromkeys(COMPONENTS, 1), "tests": 0}), "a positive weight"),
        (lambda: made(target_entropy=2.0), "at most log 5"),
        (lambda: made(steps=0), "must be positive"),
        (lambda: made(warm_up=-1), "not negative"),
        (lambda: made().weights(np.zeros((1, 3)), ["x"]), "embeddings of width 16, got 3"),
        (lambda: made().observe(np.zeros(3), "f", "t", np.zeros(5), 0.0), "width=embedding.width"),
        (lambda: made().observe_influence(np.zeros((1, D)), ["f"], np.zeros((1, 5)), np.zeros(1)), "takes influences"),
        (
            lambda: made(objective="meta_gradient").observe_influence(
                np.zeros((2, D)), ["f"] * 2, np.zeros((2, 4)), np.zeros(2)
            ),
            r"advantages must be \(2, 5\)",
        ),
    ],
)
def test_mistakes_are_named(make, message):
    """Bad input gets an error that says what was expected."""
    with pytest.raises(ValueError, match=message):
        make()


def test_an_update_is_cheap():
    """K = 5, D = 64, 64 tasks, 256 new episodes: milliseconds of CPU time, printed with -s."""
    weighting, random = DTERM(COMPONENTS, 64, warm_up=0), np.random.default_rng(0)
    embeddings = random.normal(size=(64, 64)).astype(np.float32)
    spent = []
    for _ in range(8):
        for number in range(256):
            weighting.observe(embeddings[number % 64], "f", str(number % 64), random.random(5), random.random())
        started = time.process_time()
        weighting.update()
        spent.append(1000 * (time.process_time() - started))
    print(f"update: {np.median(spent):.1f} ms of CPU time")
    assert np.median(spent) < 200
