"""Reward machines and the composition of rewards; nothing here knows an environment.

A `RewardMachine` turns events into reward; `Components` turn measurements into the terms of a reward, and a
`Weighting` says how much each counts. `reward_machines.dterm.DTERM` learns it, and needs torch; what is named here does
not.
"""

from reward_machines.components import Components
from reward_machines.machine import RewardMachine
from reward_machines.text_formats import load
from reward_machines.weighting import ByFamily, Fixed, OuterOnly, Uniform, Weighting

__all__ = ["ByFamily", "Components", "Fixed", "OuterOnly", "RewardMachine", "Uniform", "Weighting", "load"]
