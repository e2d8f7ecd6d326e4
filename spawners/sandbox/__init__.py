"""Sessions in bubblewrap sandboxes on the hub's own machine."""
