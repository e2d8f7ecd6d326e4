"""Benchmarks: what a launch, the pixel path and an idle session cost, beside a stock hub and beside the floor."""
