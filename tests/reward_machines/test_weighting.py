"""Weightings that learn nothing, GradNorm, and their JSON and file forms."""

import json
import subprocess
import sys

import numpy as np
import pytest

from reward_machines.dterm import DTERM
from reward_machines.gradnorm import GradNorm
from reward_machines.weighting import (
    EXPERT,
    ByFamily,
    Fixed,
    OuterOnly,
    Uniform,
    Weighting,
    expert,
    from_spec,
    load,
)

COMPONENTS = ("compile", "tests", "style")
FAMILIES = ["repair", "translate"]
TASKS = np.eye(2, 8, dtype=np.float32)
TABLES = {"repair": {"compile": 1, "tests": 3, "style": 0}, "translate": {"compile": 1, "tests": 1, "style": 2}}

EVERY = [
    Uniform(COMPONENTS),
    Fixed(COMPONENTS),
    Fixed(COMPONENTS, {"tests": 2, "compile": 1, "style": 1}, outer_share=0.1),
    ByFamily(COMPONENTS, TABLES),
    OuterOnly(COMPONENTS),
    GradNorm(COMPONENTS, learning_rate=0.1),
    DTERM(COMPONENTS, 8, prior={"compile": 1, "tests": 2, "style": 1}, hidden=8),
]
NAMES = [type(each).__name__ for each in EVERY]


@pytest.mark.parametrize("weighting", EVERY, ids=NAMES)
def test_every_row_is_on_the_simplex(weighting):
    """Weights are (B, K) float32, not negative, and sum to 1; for no task there are no rows."""
    weights = weighting.weights(TASKS, FAMILIES)
    assert weights.shape == (2, 3)
    assert weights.dtype == np.float32
    assert (weights >= 0).all()
    assert weights.sum(1) == pytest.approx([1, 1], abs=1e-6)
    assert weighting.weights(TASKS[:0], []).shape == (0, 3)


@pytest.mark.parametrize("weighting", EVERY, ids=NAMES)
def test_a_spec_survives_json(weighting):
    """A spec through JSON makes a weighting of the same class, weights and outer share."""
    again = from_spec(json.loads(json.dumps(weighting.spec())))
    assert type(again) is type(weighting)
    assert again.spec() == weighting.spec()
    assert again.outer_share == weighting.outer_share
    assert again.weights(TASKS, FAMILIES) == pytest.approx(weighting.weights(TASKS, FAMILIES))


@pytest.mark.parametrize("weighting", EVERY, ids=NAMES)
def test_an_inactive_component_has_no_weight(weighting):
    """The preference term of eq. 12 is masked until it is trusted: the others keep their proportions."""
    before = weighting.weights(TASKS, FAMILIES)
    weighting.set_active("compile", False)
    masked = weighting.weights(TASKS, FAMILIES)
    weighting.set_active("compile", True)
    assert (masked[:, 0] == 0).all()
    assert masked.sum(1) == pytest.approx([1, 1], abs=1e-6)
    if not isinstance(weighting, DTERM):  # there the floor is added after the mask
        assert masked[:, 1:] == pytest.approx(before[:, 1:] / before[:, 1:].sum(1, keepdims=True), abs=1e-6)
    assert (weighting.weights(TASKS, FAMILIES) == before).all()


def test_what_each_weighting_gives():
    """The tables as given, divided by their sums; the outer share is the whole reward of OuterOnly."""
    assert Uniform(COMPONENTS).weights(TASKS, FAMILIES) == pytest.approx(np.full((2, 3), 1 / 3))
    assert ByFamily(COMPONENTS, TABLES).weights(TASKS, FAMILIES) == pytest.approx(
        np.array([[0.25, 0.75, 0], [0.25, 0.25, 0.5]])
    )
    assert OuterOnly(COMPONENTS).outer_share == 1
    total = EXPERT["compile"] + EXPERT["tests"] + EXPERT["style"]
    row = [EXPERT[name] / total for name in COMPONENTS]
    assert Fixed(COMPONENTS).weights(TASKS, FAMILIES) == pytest.approx(np.array([row, row]))
    assert sum(expert(tuple(EXPERT)).values()) == pytest.approx(1)


def test_by_family_needs_a_table_or_a_default():
    """A family without a table is an error that names the known ones, unless there is a default."""
    with pytest.raises(ValueError, match=r"'search'; there are \['repair', 'translate'\]"):
        ByFamily(COMPONENTS, TABLES).weights(TASKS[:1], ["search"])
    with_default = ByFamily(COMPONENTS, TABLES, default=dict.fromkeys(COMPONENTS, 1))
    assert with_default.weights(TASKS[:1], ["search"]) == pytest.approx(np.full((1, 3), 1 / 3))


def test_when_only_inactive_components_have_weight_the_active_share_it():
    """No row becomes NaN."""
    weighting = Fixed(COMPONENTS, {"compile": 1, "tests": 0, "style": 0})
    weighting.set_active("compile", False)
    assert weighting.weights(TASKS[:1], ["repair"]) == pytest.approx(np.array([[0, 0.5, 0.5]]))


@pytest.mark.parametrize("weighting", EVERY, ids=NAMES)
def test_a_file_brings_back_all(tmp_path, weighting):
    """`load` gives class, arguments and mask back."""
    weighting.set_active("style", False)
    weighting.save(tmp_path / "weighting.npz")
    weighting.set_active("style", True)
    again = load(tmp_path / "weighting.npz")
    assert again.spec() == weighting.spec()
    assert (again.weights(TASKS, FAMILIES)[:, 2] == 0).all()


def test_a_file_of_something_else_is_refused(tmp_path):
    """An npz file without a spec is no weighting."""
    np.savez(tmp_path / "other.npz", a=np.zeros(2))
    with pytest.raises(ValueError, match="holds no weighting"):
        load(tmp_path / "other.npz")


class Mine(Uniform):
    """A weighting of somebody else's module."""


def test_a_weighting_of_another_module_has_a_spec():
    """A class outside of the package is named by module and class."""
    spec = Mine(COMPONENTS).spec()
    assert spec["class"] == f"{__name__}:Mine"
    assert type(from_spec(spec)) is Mine


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(()), "at least one"),
        (lambda: Uniform("tests"), "different names"),
        (lambda: Uniform(("a", "a")), "different names"),
        (lambda: Uniform(("a",), outer_share=1.5), r"in \[0, 1\]; got 1.5"),
        (lambda: Fixed(("a", "b")), r"no weight for \['a', 'b'\]"),
        (lambda: Fixed(("a", "b"), {"a": 1}), "exactly the components"),
        (lambda: Fixed(("a", "b"), {"a": 0, "b": 0}), "not all zero"),
        (lambda: Fixed(("a", "b"), {"a": -1, "b": 2}), "not negative"),
        (lambda: ByFamily(("a",), {}), "tables is empty"),
        (lambda: GradNorm(("a",), learning_rate=0), "must be positive"),
        (lambda: Uniform(("a",)).weights(np.zeros(3), ["x"]), r"embedding\[None\]"),
        (lambda: Uniform(("a",)).weights(np.zeros((1, 3)), ["x", "y"]), "2 families"),
        (lambda: Uniform(("a",)).weights(np.full((1, 3), np.nan), ["x"]), "finite"),
        (lambda: Uniform(("a",)).set_active("b", True), "no component is named 'b'"),
        (lambda: Uniform(("a",)).set_active("a", False), "only active component"),
        (lambda: Uniform(("a",)).observe(np.zeros(3), "f", "t", np.zeros(2), 0.0), "1 finite component returns"),
        (lambda: Uniform(("a",)).observe(np.zeros(3), "f", "t", np.zeros(1), np.nan), "'t' of 'f'"),
        (lambda: from_spec({"class": "Unifrom"}), "no weighting is named 'Unifrom'"),
        (lambda: from_spec({"name": "Uniform"}), "a spec is"),
        (lambda: from_spec({"class": "Uniform", "arguments": {"weight": 1}}), "does not take these arguments"),
        (lambda: from_spec({"class": "json:loads"}), "is no weighting"),
        (lambda: from_spec({"class": "no.module:X"}), "cannot be imported"),
    ],
)
def test_mistakes_are_named(make, message):
    """Bad input gets an error that says what was expected."""
    with pytest.raises(ValueError, match=message):
        make()


def test_the_package_is_light():
    """`import reward_machines` and the weightings without learning need neither torch nor transformers."""
    program = (
        "import sys, reward_machines, reward_machines.weighting, reward_machines.gradnorm; "
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {"torch", "transformers", "code_envs"} & set(answer.stdout.split()) == set()


def reference_gradnorm(scales, norms, losses, first, rate, asymmetry):
    """One update of Chen et al.'s algorithm 1, with loops: the objective before it, and the new scales."""
    k = len(scales)
    mean = sum(scales[i] * norms[i] for i in range(k)) / k
    ratio = [losses[i] / first[i] for i in range(k)]
    moved, objective = [], 0.0
    for i in range(k):
        target = mean * (ratio[i] / (sum(ratio) / k)) ** asymmetry
        sign = np.sign(scales[i] * norms[i] - target)
        objective += abs(scales[i] * norms[i] - target) / (sum(norms) / k)
        moved.append(scales[i] - rate * sign * norms[i] / (sum(norms) / k))
    return objective, [each * k / sum(moved) for each in moved]


def test_gradnorm_is_the_papers_update():
    """Three updates equal those of a loop over the paper's equations; all stay on the simplex."""
    random = np.random.default_rng(0)
    weighting = GradNorm(COMPONENTS, learning_rate=0.05, asymmetry=1.5)
    scales, first = [1.0, 1.0, 1.0], None
    for _ in range(3):
        norms, losses = random.uniform(0.1, 3, 3), random.uniform(0.1, 1, 3)
        first = losses if first is None else first
        weighting.observe_gradients(norms, losses)
        figures = weighting.update()
        loss, scales = reference_gradnorm(scales, norms, losses, first, 0.05, 1.5)
        assert figures["meta_loss"] == pytest.approx(loss)
        assert weighting.weights(TASKS[:1], ["repair"])[0] == pytest.approx(np.array(scales) / 3, abs=1e-6)


def test_gradnorms_gradient_is_that_of_its_objective():
    """The gradient equals finite differences of the objective with target and mean norm held constant."""
    weighting = GradNorm(COMPONENTS)
    norms, losses = np.array([0.5, 2.0, 1.0]), np.array([1.0, 0.5, 0.2])
    weighting.observe_gradients(norms, losses)
    weighting.update()
    scales = weighting._scales.copy()
    _, slope = weighting.objective(norms, losses * 0.9)
    mean = (scales * norms).mean()
    ratio = losses * 0.9 / losses
    target = mean * (ratio / ratio.mean()) ** 1.5

    def objective(w):
        return np.abs(w * norms - target).sum() / norms.mean()

    for i in range(3):
        step = np.eye(3)[i] * 1e-6
        assert slope[i] == pytest.approx((objective(scales + step) - objective(scales - step)) / 2e-6, abs=1e-4)


def test_gradnorm_balances_norms():
    """A component with a tenfold gradient ends with about a tenth of the weight."""
    weighting = GradNorm(("a", "b"), learning_rate=0.01, asymmetry=0)
    for _ in range(400):
        weighting.observe_gradients([10.0, 1.0], [1.0, 1.0])
        weighting.update()
    low, high = weighting.weights(TASKS[:1], ["repair"])[0]
    assert 5 < high / low < 20


def test_gradnorm_without_gradients_says_what_to_do(tmp_path):
    """A plain wrapper cannot train it; what was learned survives a file, what waits for an update as well."""
    weighting = GradNorm(COMPONENTS)
    with pytest.raises(RuntimeError, match=r"agents\.ppo\.PPO"):
        weighting.update()
    with pytest.raises(ValueError, match="finite and not negative"):
        weighting.observe_gradients([1, 2, -1], [1, 1, 1])
    weighting.observe_gradients([1, 2, 3], [1, 1, 1])
    weighting.update()
    weighting.observe_gradients([3, 2, 1], [1, 1, 2])
    weighting.save(tmp_path / "gradnorm.npz")
    again = load(tmp_path / "gradnorm.npz")
    assert again.update() == weighting.update()
    assert (again.weights(TASKS, FAMILIES) == weighting.weights(TASKS, FAMILIES)).all()


def test_a_weighting_must_give_weights():
    """The interface cannot be made."""
    with pytest.raises(TypeError, match="abstract"):
        Weighting(COMPONENTS)
