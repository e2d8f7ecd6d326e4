"""What Prometheus reads of the portal at `/hub/metrics`, next to JupyterHub's own metrics; one module per subject.

Names begin with `daas_` and follow Prometheus' rules: base units, `_total` for counters, `_seconds` for durations. The
values of labels come from the configuration or the code, and are never a person, a proposal, a session or a container.
A gauge is computed when it is read; nothing is counted up and down.

Whatever measures a subject calls its module here, which imports nothing else of the package. A new subject is a module
here, a panel in `deploy/grafana/`, and a row in `docs/how-to/monitor-the-portal.md`; `tests/metrics` compares them.
"""
