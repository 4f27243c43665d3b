"""The environments: one final class per file on the episode loop of `base`."""
