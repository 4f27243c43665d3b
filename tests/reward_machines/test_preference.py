"""The preference head: order recovered from noisy labels, loss against an independent one, masking, files."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import torch

from reward_machines.components import Components
from reward_machines.preference import Comparison, PreferenceHead, read_comparisons, write_comparisons

FEATURES = ("tests", "findings", "lines")


def quality(facts):
    """The annotator's hidden order."""
    return 3 * facts["tests"] - 0.2 * facts["findings"] - abs(facts["lines"] - 10) / 10


def programs(count, random):
    columns = random.random(count), random.poisson(3, count), random.integers(1, 30, count)
    return [dict(zip(FEATURES, map(float, row), strict=True)) for row in zip(*columns, strict=True)]


def annotated(count, noise, seed=0):
    """Comparisons of random programs by a scripted annotator who errs with probability `noise`."""
    random = np.random.default_rng(seed)
    first, second = programs(count, random), programs(count, random)
    flips = random.random(count) < noise
    return [
        Comparison(a, b, (quality(a) > quality(b)) != flip) for a, b, flip in zip(first, second, flips, strict=True)
    ]


def right(head, count=500):
    """Share of new pairs that the head orders as the annotator would without errors."""
    pairs = annotated(count, 0, seed=99)
    scores = head.scores([each.first for each in pairs]) - head.scores([each.second for each in pairs])
    return np.mean((scores > 0) == [each.first_preferred for each in pairs])


@pytest.mark.parametrize(("noise", "least"), [(0.0, 0.94), (0.2, 0.85)])
def test_the_order_is_recovered_through_noise(noise, least):
    """New programs are ordered as the annotator means, not as the flipped labels say."""
    head = PreferenceHead(FEATURES)
    told = head.fit(annotated(400, noise))
    assert right(head) > least
    assert told["pairs"] == 400
    assert told["accuracy"] == head.accuracy
    assert head.active


def test_contradicted_labels_are_outvoted():
    """A pair whose label was flipped is still ordered as the unflipped ones want."""
    clean, noisy = annotated(300, 0), annotated(300, 0.2)
    flipped = [each for each, other in zip(noisy, clean, strict=True) if each.first_preferred != other.first_preferred]
    assert len(flipped) > 40
    head = PreferenceHead(FEATURES)
    head.fit(noisy)
    agrees = [(head.scores([each.first]) > head.scores([each.second]))[0] == each.first_preferred for each in flipped]
    assert np.mean(agrees) < 0.35


@pytest.mark.parametrize("seeds", [range(3), pytest.param(range(3, 20), marks=pytest.mark.slow)], ids=str)
def test_random_labels_never_count(seeds):
    """With labels that mean nothing, accuracy on left-out pairs stays near a half, and the component is masked."""
    for seed in seeds:
        head = PreferenceHead(FEATURES)
        head.fit(annotated(240, 0.5, seed))
        assert 0.35 < head.accuracy <= 0.6
        assert not head.active


def test_it_counts_from_200_pairs_on():
    """199 perfect pairs are too few."""
    head = PreferenceHead(FEATURES)
    assert not head.active
    head.fit(annotated(199, 0))
    assert not head.active
    assert head.component().value(annotated(1, 0)[0].first) == 0
    head.fit(annotated(200, 0))
    assert head.active


def test_the_loss_is_bradley_terrys():
    """What training reports is the mean of -log sigma(r(preferred) - r(other)), by the scores it ends with."""
    pairs = annotated(50, 0.1)
    head = PreferenceHead(FEATURES, hidden=0)
    told = head.fit(pairs)
    better = head.scores([each.first if each.first_preferred else each.second for each in pairs])
    worse = head.scores([each.second if each.first_preferred else each.first for each in pairs])
    assert told["loss"] == pytest.approx(np.mean(np.log1p(np.exp(worse - better))), abs=1e-4)
    assert told["loss"] < np.log(2)


def test_a_linear_head_is_logistic_regression():
    """At the optimum the gradient of the penalised logistic loss vanishes."""
    pairs = annotated(300, 0.1)
    head = PreferenceHead(FEATURES, hidden=0)
    head.fit(pairs)
    rows = np.array([[[facts[name] for name in FEATURES] for facts in each[:2]] for each in pairs])  # (N, 2, F)
    sign = np.array([1 if each.first_preferred else -1 for each in pairs])
    deviation = rows.reshape(-1, 3).std(0)
    difference = (rows[:, 0] - rows[:, 1]) / deviation * sign[:, None]
    weight = head._network[0].weight.detach().numpy()[0]
    gradient = -(difference / (1 + np.exp(difference @ weight))[:, None]).mean(0) + 1e-3 * weight
    assert np.abs(gradient).max() < 1e-3


def test_the_output_is_the_standardised_score():
    """sigma((r - mean) / deviation) over the programs that were compared, in (0, 1)."""
    pairs = annotated(200, 0)
    head = PreferenceHead(FEATURES)
    head.fit(pairs)
    compared = [facts for each in pairs for facts in each[:2]]
    scores = head.scores(compared)
    expected = 1 / (1 + np.exp(-(scores - scores.mean()) / scores.std()))
    assert [head(facts) for facts in compared] == pytest.approx(expected.tolist())
    extreme = {"tests": 1e9, "findings": -1e9, "lines": 0.0}
    assert 0 <= head.component().value(extreme) <= 1


def test_same_seed_same_head():
    """Training uses no random numbers but its own, and leaves torch's alone."""
    heads = [PreferenceHead(FEATURES, seed=3) for _ in range(2)]
    heads.append(PreferenceHead(FEATURES, seed=4))
    scores = []
    for number, head in enumerate(heads):
        torch.manual_seed(number)
        before = torch.get_rng_state()
        head.fit(annotated(60, 0.1))
        assert torch.equal(torch.get_rng_state(), before)
        scores.append(head.scores(programs(5, np.random.default_rng(1))).tolist())
    assert scores[0] == scores[1] != scores[2]


def test_a_saved_head_is_the_same(tmp_path):
    """Scores, output and mask; as a component it survives JSON by its path."""
    path = tmp_path / "head.pt"
    head = PreferenceHead(FEATURES)
    head.fit(annotated(200, 0))
    head.save(path)
    again = PreferenceHead.load(path)
    some = programs(5, np.random.default_rng(1))
    assert [again(facts) for facts in some] == [head(facts) for facts in some]
    assert (again.active, again.pairs, again.accuracy) == (True, 200, head.accuracy)
    components = Components(["tests", {"name": "preference", "path": str(path)}])
    made = Components.from_spec(json.loads(json.dumps(components.spec())))
    assert made.active == (True, True)
    assert made.values(some[0]) == pytest.approx([some[0]["tests"], head(some[0])])


def test_a_fitted_head_can_be_a_component_without_a_file():
    """It has no JSON form then."""
    head = PreferenceHead(FEATURES)
    head.fit(annotated(200, 0))
    components = Components([head.component()])
    assert components.missing({"tests"}) == {"preference": ["findings", "lines"]}
    with pytest.raises(ValueError, match="save a preference head"):
        components.spec()


def test_comparisons_are_read_as_written(tmp_path):
    """Appended line by line; blank lines and other keys are left alone."""
    path = tmp_path / "comparisons.jsonl"
    pairs = annotated(7, 0.3)
    write_comparisons(path, pairs[:4])
    write_comparisons(path, pairs[4:])
    with path.open("a") as file:
        file.write("\n" + json.dumps({"first": {}, "second": {}, "preferred": "second", "by": "me"}) + "\n")
    assert read_comparisons(path) == [*pairs, Comparison({}, {}, False)]


LINES = {
    "cut": ('{"first": {"tests": 1', "line 2: not JSON"),
    "nobody": ('{"first": {}, "second": {}}', "line 2: 'preferred' must be one of"),
    "third": ('{"first": {}, "second": {}, "preferred": "third"}', "line 2: 'preferred' must be one of"),
    "text": ('{"first": {"tests": "all"}, "second": {}, "preferred": "first"}', "'first' must be an object of"),
    "list": ("[1, 2]", "line 2: 'preferred'"),
}


@pytest.mark.parametrize("name", LINES)
def test_a_damaged_line_is_named(name, tmp_path):
    """File, line and what was expected."""
    line, message = LINES[name]
    path = tmp_path / "comparisons.jsonl"
    write_comparisons(path, annotated(1, 0))
    with path.open("a") as file:
        file.write(line)
    with pytest.raises(ValueError, match=message):
        read_comparisons(path)


class Planted:
    """A pickle that would run code."""

    def __reduce__(self):
        return (pytest.fail, ("code in a file was run",))


def test_what_cannot_be_used_is_explained(tmp_path):
    """Files that hold no head, measurements that are missing, too few comparisons; nothing in a file is run."""
    path = tmp_path / "head.pt"
    for content in (b"", b"text", pickle.dumps(Planted())):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="holds no preference head"):
            PreferenceHead.load(path)
    torch.save({"format": "other"}, path)
    with pytest.raises(ValueError, match="of the format"):
        PreferenceHead.load(path)
    with pytest.raises(FileNotFoundError):
        PreferenceHead.load(tmp_path / "none.pt")
    with pytest.raises(ValueError, match=r"\['lines'\] are not among"):
        PreferenceHead(FEATURES).scores([{"tests": 1.0, "findings": 0.0}])
    with pytest.raises(ValueError, match="must be finite"):
        PreferenceHead(["tests"]).scores([{"tests": float("nan")}])
    with pytest.raises(ValueError, match="at least 5 comparisons"):
        PreferenceHead(FEATURES).fit(annotated(4, 0))
    with pytest.raises(ValueError, match="features must be different names"):
        PreferenceHead("tests")
    with pytest.raises(ValueError, match="hidden must be at least 0"):
        PreferenceHead(FEATURES, hidden=-1)
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n")
    with pytest.raises(ValueError, match="there is no comparison"):
        read_comparisons(empty)
