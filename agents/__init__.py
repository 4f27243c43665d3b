"""Agents: policies, training and evaluation that know environments only by their spaces and `info` keys."""
