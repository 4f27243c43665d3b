"""The exceptions of Code Envs.

::

    CodeEnvsError
    ├── ConfigurationError (ValueError)            an argument, id, path or kwarg that cannot be used
    ├── TaskError (ValueError)                     a task or a task file that cannot be used
    ├── MissingDependencyError (ImportError)       an optional package is absent; names the extra to install
    └── ExecutorError (RuntimeError)               the sandbox failed, never the candidate program
        └── ProtectionError                        this machine lacks a protection that was asked for

A candidate program's failure is data (`code_envs.execution.Outcome`), not an exception.
"""

from __future__ import annotations

__all__ = [
    "CodeEnvsError",
    "ConfigurationError",
    "ExecutorError",
    "MissingDependencyError",
    "ProtectionError",
    "TaskError",
]


class CodeEnvsError(Exception):
    """Base of every exception that Code Envs raises on purpose."""


class ConfigurationError(CodeEnvsError, ValueError):
    """An argument cannot be used; the message names what was expected, what came and what to do."""


class TaskError(CodeEnvsError, ValueError):
    """A task or a file of tasks cannot be used; the message names the file and the item."""


class MissingDependencyError(CodeEnvsError, ImportError):
    """An optional package is not installed; the message names the extra that brings it."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package!r} is not installed. Install it with: pip install 'code-envs[{extra}]'")


class ExecutorError(CodeEnvsError, RuntimeError):
    """The sandbox failed: a worker was lost, could not start, or broke its protocol."""


class ProtectionError(ExecutorError):
    """This machine cannot give the protection level that was asked for."""
