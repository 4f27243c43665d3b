"""Code Envs: Gymnasium environments for reinforcement learning on code.

`import code_envs` registers the environments; `gymnasium.make("CodeRepair-v0")` then makes one.
"""

from code_envs.registration import register_all

__all__ = ["__version__"]
__version__ = "0.1.0"

register_all()
