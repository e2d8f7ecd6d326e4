"""Where proposals come from: one file a source."""
