"""Cross-attention and gate of DCRL, against references written token by token."""

from __future__ import annotations

import math

import pytest
import torch

from agents.cross_modal import (
    CrossModalLayer,
    RewardGate,
    attention_temperature,
    cross_modal_attention,
    masked_mean,
)

B, T, M, H, D = 3, 5, 4, 2, 6


@pytest.fixture
def tensors():
    """Queries, keys and values of ragged code and text, float64; the last sample has no text."""
    generator = torch.Generator().manual_seed(0)
    code = torch.randn(B, T, 3, H, D, generator=generator, dtype=torch.float64)
    text = torch.randn(B, M, 3, H, D, generator=generator, dtype=torch.float64)
    code_real = torch.arange(T) < torch.tensor([[5], [2], [3]])
    text_real = torch.arange(M) < torch.tensor([[1], [4], [0]])
    return code, text, code_real, text_real


def one_direction(asks, told, asks_real, told_real, temperature):
    """Eq. 11 in loops: softmax of q k / (tau sqrt d) over the real keys, times v."""
    result = torch.zeros(asks.shape[0], asks.shape[1], H, D, dtype=torch.float64)
    for sample in range(asks.shape[0]):
        keys = [place for place in range(told.shape[1]) if told_real[sample, place]]
        for place in range(asks.shape[1]):
            if not asks_real[sample, place] or not keys:
                continue
            for head in range(H):
                query = asks[sample, place, 0, head].tolist()
                scores = []
                for key in keys:
                    dot = sum(q * k for q, k in zip(query, told[sample, key, 1, head].tolist(), strict=True))
                    scores.append(dot / (temperature * math.sqrt(D)))
                top = max(scores)
                shares = [math.exp(score - top) for score in scores]
                for share, key in zip(shares, keys, strict=True):
                    result[sample, place, head] += share / sum(shares) * told[sample, key, 2, head]
    return result


@pytest.mark.parametrize("temperature", [0.1, 1.0, 2.5])
def test_attention_is_equations_11_to_13(tensors, temperature):
    """Both directions are those of a loop over tokens; no text gives zeros, and padding asks nothing."""
    code, text, code_real, text_real = tensors
    to_code, to_text = cross_modal_attention(*tensors, torch.tensor(temperature, dtype=torch.float64))
    assert torch.allclose(to_code, one_direction(code, text, code_real, text_real, temperature))
    assert torch.allclose(to_text, one_direction(text, code, text_real, code_real, temperature))
    assert not to_code[2].any()
    assert not to_code[1, 2:].any()


def test_attention_is_differentiable_twice_also_in_temperature(tensors):
    """Gradients in queries, keys, values and temperature agree with finite differences, empty rows included."""
    code, text, code_real, text_real = tensors
    temperature = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64, requires_grad=True)
    inputs = (code[:, :, :, :1, :2].clone().requires_grad_(), text[:, :, :, :1, :2].clone().requires_grad_())

    def attend(code, text, temperature):
        return cross_modal_attention(code, text, code_real, text_real, temperature)

    assert torch.autograd.gradcheck(attend, (*inputs, temperature))
    assert torch.autograd.gradgradcheck(attend, (*inputs, temperature))


def test_limits_of_the_temperature(tensors):
    """Hot attention is the mean of the values, cold attention the value of the best key."""
    code, text, *_ = tensors
    hot, _ = cross_modal_attention(*tensors, torch.tensor(1e9, dtype=torch.float64))
    assert torch.allclose(hot[1, 0], text[1, :, 2].mean(0))
    cold, _ = cross_modal_attention(*tensors, torch.tensor(1e-6, dtype=torch.float64))
    best = torch.einsum("hd,mhd->hm", code[1, 0, 0], text[1, :, 1]).argmax(1)
    assert torch.allclose(cold[1, 0], text[1, best, 2, torch.arange(H)])
    one_key, _ = cross_modal_attention(*tensors, torch.tensor(0.3, dtype=torch.float64))
    assert torch.allclose(one_key[0], text[0, :1, 2].expand(T, H, D))


def test_temperature_of_attention():
    """At the reference attention is ordinary; kappa 0 turns the scaling off, reference and kappa 1 are literal."""
    tau = torch.tensor(0.4)
    assert attention_temperature(torch.tensor(0.1), 0.1, 0.5) == 1
    assert attention_temperature(tau, 0.1, 0.5).item() == pytest.approx(2)
    assert attention_temperature(tau, 0.1, 0) == 1
    assert attention_temperature(tau, 1, 1) == tau


def test_layer_has_residual_streams_and_shared_projections():
    """A layer adds what it read; shared projections are one matrix for both modalities."""
    generator = torch.Generator().manual_seed(1)
    code, text = torch.randn(2, T, 8, generator=generator), torch.randn(2, M, 8, generator=generator)
    real = torch.ones(2, T, dtype=torch.bool), torch.ones(2, M, dtype=torch.bool)
    layer = CrossModalLayer(8, 2, share_qkv=True)
    assert layer.text_qkv is layer.code_qkv
    assert CrossModalLayer(8, 2).text_qkv is not CrossModalLayer(8, 2).code_qkv
    for out in (layer.code_out, layer.text_out):
        torch.nn.init.zeros_(out.weight)
        torch.nn.init.zeros_(out.bias)
    assert all(map(torch.equal, layer(code, text, *real, torch.tensor(1.0)), (code, text)))
    torch.manual_seed(2)
    layer = CrossModalLayer(8, 2)
    changed, _ = layer(code, text, *real, torch.tensor(1.0))
    asked = layer.code_qkv(layer.code_norm(code))[..., :8]  # queries of code, then keys and values of text
    keys, values = layer.text_qkv(layer.text_norm(text))[..., 8:].chunk(2, -1)
    heads = []
    for head in range(2):
        part = slice(4 * head, 4 * head + 4)
        scores = asked[..., part] @ keys[..., part].transpose(1, 2) / 2
        heads.append(scores.softmax(-1) @ values[..., part])
    assert torch.allclose(changed, code + layer.code_out(torch.cat(heads, -1)), atol=1e-6)
    with pytest.raises(ValueError, match="heads must divide"):
        CrossModalLayer(8, 3)


def test_gate_is_equations_14_and_15():
    """g begins at one half for all inputs; then z is the blend by sigmoid(W u + b)."""
    generator = torch.Generator().manual_seed(0)
    code, text = torch.randn(4, 3, generator=generator), torch.randn(4, 3, generator=generator)
    progress = torch.tensor([0.2, -0.7])
    for content in (False, True):
        blend, g = RewardGate(3, content)(code, text, progress)
        assert (g == 0.5).all()
        assert torch.allclose(blend, (code + text) / 2)
    gate = RewardGate(3)
    with torch.no_grad():
        gate.weight.copy_(torch.randn(3, 2, generator=generator))
        gate.bias.copy_(torch.randn(3, generator=generator))
    blend, g = gate(code, text, progress)
    for column in range(3):
        (first, second), bias = gate.weight[column].tolist(), gate.bias[column].item()
        logit = first * 0.2 - second * 0.7 + bias
        share = 1 / (1 + math.exp(-logit))
        assert g[column].item() == pytest.approx(share, abs=1e-6)
        assert torch.allclose(blend[:, column], share * code[:, column] + (1 - share) * text[:, column])
    blend.sum().backward()
    assert gate.weight.grad.any()


def test_masked_mean():
    """Padding does not count; without real tokens the mean is zero."""
    vectors = torch.tensor([[[1.0], [3.0], [100.0]], [[5.0], [7.0], [9.0]]])
    real = torch.tensor([[True, True, False], [False, False, False]])
    assert masked_mean(vectors, real).tolist() == [[2.0], [0.0]]
