"""What Prometheus reads of the portal at `/hub/metrics`, next to JupyterHub's own metrics; one module per subject.

Names begin with `daas_` and follow Prometheus' rules: base units, `_total` for counters, `_seconds` for durations. A label
has values from the configuration or the code only, never a person, a proposal, a session or a container. A gauge is
computed when it is read; nothing is counted up and down. What a subject measures calls this room, which imports nothing
of the package: a new subject is a module here, a panel in `deploy/grafana/`, and a line in the how-to guide
(`tests/metrics` compares them).
"""
