"""Stand-ins for a facility's services: one file each, speaking the service's real wire format.

Tests run them in their own process. A facility can run one next to its portal to see what the portal expects:

    python -m tests.stand_ins.icat --port 9000
"""
