"""Tasks: programs, their descriptions and their tests, from several sources."""
