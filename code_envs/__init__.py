"""Code Envs: Gymnasium environments for reinforcement learning on code."""
