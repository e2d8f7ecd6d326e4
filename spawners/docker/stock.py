"""Which settings of DockerSpawner work with sessions of a proposal, and what to set instead of the others.

DockerSpawner's own container is never made: ours follows from the application, its size and the account, so what would
change it is refused (docs/explanations/decisions/0015-docker-client.md).
"""

from __future__ import annotations

from daas_hub.spawners.stock import SPAWNER_SETTINGS
from daas_hub.stock_settings import StockSettings

_IMAGE = "Remove the line; set `image` in each application's file."
_PULL = "Use `ProposalDockerSpawner.pull`."
_MOUNTS = (
    "Remove the line; MountRules says what is mounted, and `ProposalDockerSpawner.read_only` adds programs and tools."
)
_NETWORK = "Remove the line; a container of a session has no network. Set `egress` in the application's file."
_CREATE_CALL = "Remove the line; the create call follows from the application, its size and the account."
_NAME = (
    "Remove the line; names of containers are generated, and say nothing of people. Use `docker ps` with its labels."
)
_REMOVE = "Remove the line; a container is removed when its session has ended."
_ENGINE = "Use `ProposalDockerSpawner.engine` and `ProposalDockerSpawner.certificates`."

DOCKER_SETTINGS = StockSettings(
    honoured=SPAWNER_SETTINGS.honoured,
    refused={
        **SPAWNER_SETTINGS.refused,
        **dict.fromkeys(("allowed_images", "container_image", "image", "image_whitelist"), _IMAGE),
        **dict.fromkeys(("format_volume_name", "mounts", "read_only_volumes", "volumes"), _MOUNTS),
        **dict.fromkeys(
            (
                "container_ip", "container_port", "host_ip", "hub_ip_connect", "links", "network_name",
                "use_internal_hostname", "use_internal_ip",
            ),
            _NETWORK,
        ),
        **dict.fromkeys(("extra_create_kwargs", "extra_host_config", "post_start_cmd"), _CREATE_CALL),
        **dict.fromkeys(("container_name_template", "container_prefix", "escape", "name_template", "prefix"), _NAME),
        **dict.fromkeys(("remove", "remove_containers"), _REMOVE),
        **dict.fromkeys(
            (
                "client_kwargs", "tls", "tls_assert_hostname", "tls_ca", "tls_cert", "tls_config", "tls_key",
                "tls_verify", "use_docker_client_env",
            ),
            _ENGINE,
        ),
        **dict.fromkeys(("certs_volume_name", "move_certs_image"), SPAWNER_SETTINGS.refused["ssl_alt_names"]),
        "pull_policy": _PULL,
    },
)  # fmt: skip
