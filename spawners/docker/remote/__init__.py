"""Sessions on an engine of another machine, reached over TLS or SSH."""
