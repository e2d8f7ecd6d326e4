"""Where accounts come from: one file or folder a source."""
