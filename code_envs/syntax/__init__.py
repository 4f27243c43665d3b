"""Syntax: programs as trees, tokens as ids, and the edits that keep a program parsing."""
