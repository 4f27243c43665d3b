"""Fused kernels behind the agents' modules; importing them needs neither a GPU nor Triton."""
