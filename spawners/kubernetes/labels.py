"""Labels and annotations of what a hub has in a cluster: which hub, place, session and start; nothing of a person."""

from __future__ import annotations

HUB_LABEL = "daas-hub/hub"
PLACE_LABEL = "daas-hub/place"
SESSION_LABEL = "daas-hub/session"
START_LABEL = "daas-hub/start"
#: The reference of the launch, which log lines and the page of a failed start have.
LAUNCH_LABEL = "daas-hub/launch"
#: Which hub made a pod, if two have one id by mistake.
INSTANCE_LABEL = "daas-hub/instance"
#: Chooses the network policy with the addresses that this session may connect to.
EGRESS_LABEL = "daas-hub/egress"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "daas-hub"
#: How the names of all of these begin; nobody else sets one.
OWN_PREFIXES = ("daas-hub/", MANAGED_BY_LABEL)
#: When the session ends, in UTC ("2026-11-30T14:00:00Z"); the hub may extend it.
DEADLINE_ANNOTATION = "daas-hub/deadline"
#: The scheduling gate that is removed once the API server's answer was compared with what was asked.
COMPARED_GATE = "daas-hub/compared"
#: The one container of a pod; `DIRECTORIES_CONTAINER` runs before it, and creates mount points as the account.
SESSION_CONTAINER = "session"
DIRECTORIES_CONTAINER = "directories"
#: The exit code of `DIRECTORIES_CONTAINER` if a directory of the plan is missing.
MISSING_DIRECTORY = 44
