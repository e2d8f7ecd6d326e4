"""The portal's pages, and the scripts, styles and icons they use."""
