"""Door 3: the pages, and the scripts, styles and drawings they use."""
