"""The table of environment ids; nothing is imported or built here."""

from __future__ import annotations

from typing import Any

import gymnasium

__all__ = ["ENVIRONMENTS", "register_all"]

ENVIRONMENTS: dict[str, dict[str, Any]] = {
    "CodeRepair-v0": {
        "entry_point": "code_envs.envs.repair:CodeRepairEnv",
        "vector_entry_point": "code_envs.vector:repair",
        "kwargs": {},
    },
    "CodeGeneration-v0": {
        "entry_point": "code_envs.envs.generation:CodeGenerationEnv",
        "vector_entry_point": "code_envs.vector:generation",
        "kwargs": {},
    },
    "CodeCompletion-v0": {
        "entry_point": "code_envs.envs.completion:CodeCompletionEnv",
        "vector_entry_point": "code_envs.vector:completion",
        "kwargs": {},
    },
    "CodeTranslation-v0": {
        "entry_point": "code_envs.envs.translation:CodeTranslationEnv",
        "vector_entry_point": "code_envs.vector:translation",
        "kwargs": {},
    },
    "CodeSummarization-v0": {
        "entry_point": "code_envs.envs.summarization:CodeSummarizationEnv",
        "vector_entry_point": "code_envs.vector:summarization",
        "kwargs": {},
    },
    "CodeSearch-v0": {
        "entry_point": "code_envs.envs.search:CodeSearchEnv",
        "vector_entry_point": "code_envs.vector:search",
        "kwargs": {},
    },
    "CodeOptimization-v0": {
        "entry_point": "code_envs.envs.optimization:CodeOptimizationEnv",
        "vector_entry_point": "code_envs.vector:optimization",
        "kwargs": {},
    },
    "TextToSQL-v0": {
        "entry_point": "code_envs.envs.text_to_sql:TextToSQLEnv",
        "vector_entry_point": "code_envs.vector:text_to_sql",
        "kwargs": {},
    },
}
"""Arguments of `gymnasium.register` by id."""


def register_all() -> None:
    """Register every id with Gymnasium; ids that stand already are left alone."""
    for environment, arguments in ENVIRONMENTS.items():
        if environment not in gymnasium.registry:
            gymnasium.register(environment, **arguments)
