"""Wrappers around the environments of Code Envs."""
