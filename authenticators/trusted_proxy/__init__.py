"""Login through a web server that proves itself (Umbrella's classic attributes)."""
