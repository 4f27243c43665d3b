"""Reward machines and the composition of rewards; nothing here knows an environment."""
