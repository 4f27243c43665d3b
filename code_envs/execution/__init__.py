"""Execution: jobs run in a hardened sandbox, outcomes come back as facts."""
