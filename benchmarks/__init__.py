"""Benchmarks: what a launch, the pixel path and an idle session cost, beside a stock hub and beside the floor."""

import conftest  # noqa: F401  # the checkout's folders as rooms of `daas_hub`, as in the tests
