"""The account sources: one file or folder each, with its settings."""
