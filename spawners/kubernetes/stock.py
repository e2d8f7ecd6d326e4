"""Which settings of KubeSpawner work with sessions of a proposal, and what to set instead of the others.

KubeSpawner's own pod is never made: ours follows from the application, its size, the place and the account, so what
would change it is refused. Which values the others may have is in `stock_values`.
"""

from __future__ import annotations

from daas_hub.spawners.stock import SPAWNER_SETTINGS
from daas_hub.stock_settings import StockSettings

_APPLICATION = "Remove the line; set `command`, `kind` and `image` in the application's file."
_ACCOUNT = "Remove the line; a pod runs under the numbers of the account, with exactly its groups."
_RIGHTS = "Remove the line; a session has no rights in the cluster, and no way to more on its node."
_GROUP = (
    "Remove the line; the kubelet would change the group of every file below. The storage needs the accounts' groups."
)
_NAMES = (
    "Remove the line; names and labels follow from `ProposalKubeSpawner.hub_id`, the place and the session, and say "
    "nothing of people. Use `extra_labels` for more."
)
_NAMESPACES = "Remove the line; all sessions of a place are in one namespace, and the hub needs no rights elsewhere."
_CLAIMS = (
    "Remove the line; a session has no claim of its own. Set `ProposalKubeSpawner.storage`; a home is a directory of "
    "the account."
)
_ADDRESS = "Remove the line; a session is reached at its pod's address, through the cluster's proxy."
_WATCHES = "Remove the line; what a pending session waits for is reported as it happens."
_FORM = "Remove the line; set applications, sizes and places."
_CONTAINERS = "Remove the line; a session is one container. Put the program into the application's image."
_BY_SIZE = SPAWNER_SETTINGS.refused["mem_limit"]
_TLS = (
    "Remove the line; sessions are reached over the cluster's network, which its own encryption covers (WireGuard, "
    "IPsec)."
)

_HONOURED = {
    **dict.fromkeys(
        (
            "k8s_api_host", "k8s_api_request_retry_timeout", "k8s_api_request_timeout", "k8s_api_ssl_ca_cert",
            "k8s_api_verify_ssl", "namespace",
        ),
        "daas_hub.spawners.kubernetes.place",
    ),
    **dict.fromkeys(
        (
            "extra_annotations", "extra_container_config", "extra_labels", "extra_pod_config", "image_pull_policy",
            "image_pull_secrets", "lifecycle_hooks", "node_affinity_preferred", "node_affinity_required",
            "node_selector", "pod_affinity_preferred", "pod_affinity_required", "pod_anti_affinity_preferred",
            "pod_anti_affinity_required", "pod_security_context", "priority_class_name", "scheduler_name",
            "tolerations", "volume_mounts", "volumes",
        ),
        "daas_hub.spawners.kubernetes.stock_values",
    ),
    "after_pod_created_hook": "daas_hub.spawners.kubernetes.hooks",
    "modify_pod_hook": "daas_hub.spawners.kubernetes.hooks; what confines the session may not change",
    "events_enabled": "daas_hub.spawners.kubernetes.startup_watch; without, a pending session has no reasons",
}  # fmt: skip

_REFUSED = {
    **dict.fromkeys(("image", "working_dir"), _APPLICATION),
    **dict.fromkeys(("gid", "supplemental_gids", "uid"), _ACCOUNT),
    "fs_gid": _GROUP,
    **dict.fromkeys(
        ("allow_privilege_escalation", "automount_service_account_token", "privileged", "service_account"), _RIGHTS
    ),
    "container_security_context": "Remove the line; use `pod_security_context` for seLinuxOptions and appArmorProfile.",
    **dict.fromkeys(
        (
            "common_labels", "component_label", "dns_name_template", "handle_legacy_names", "pod_name_template",
            "secret_name_template", "slug_scheme",
        ),
        _NAMES,
    ),
    **dict.fromkeys(
        (
            "enable_user_namespaces", "user_namespace_annotations", "user_namespace_labels",
            "user_namespace_template",
        ),
        _NAMESPACES,
    ),
    **dict.fromkeys(
        (
            "delete_pvc", "pvc_name_template", "remember_pvc_name", "storage_access_modes", "storage_capacity",
            "storage_class", "storage_extra_annotations", "storage_extra_labels", "storage_pvc_ensure",
            "storage_selector",
        ),
        _CLAIMS,
    ),
    **dict.fromkeys(("get_pod_url", "pod_connect_ip", "services_enabled"), _ADDRESS),
    **dict.fromkeys(
        ("slow_spawn_message", "slow_spawn_message_frequency", "slow_spawn_message_threshold"), _WATCHES
    ),
    **dict.fromkeys(
        ("additional_profile_form_template_paths", "profile_form_template", "profile_list"), _FORM
    ),
    **dict.fromkeys(("extra_containers", "init_containers"), _CONTAINERS),
    **dict.fromkeys(("extra_resource_guarantees", "extra_resource_limits"), _BY_SIZE),
    "delete_grace_period": "Remove the line; set `ProposalKubeSpawner.grace_period_s`.",
    "delete_stopped_pods": "Remove the line; a pod that ended is deleted once it is known why.",
    "hub_connect_ip": "Remove the line; set `ProposalKubeSpawner.gateway_address`.",
    "hub_connect_port": "Remove the line; set `ProposalKubeSpawner.gateway_address`.",
    "k8s_api_threadpool_workers": "Remove the line; it has no effect since KubeSpawner 2.0.",
    "secret_mount_path": _TLS,
    "ssl_alt_names": _TLS,
    "ssl_alt_names_include_local": _TLS,
    "env_keep": "Remove the line; nothing of the hub's environment is for pods. Use `environment`.",
    "hub_connect_url": "Remove the line; set `ProposalKubeSpawner.gateway_address`.",
    "ip": _ADDRESS,
    "port": "Remove the line; set `ProposalKubeSpawner.pods` = {'port': ...}.",
}  # fmt: skip

KUBERNETES_SETTINGS = StockSettings(
    honoured={
        **{name: where for name, where in SPAWNER_SETTINGS.honoured.items() if name not in _REFUSED},
        **_HONOURED,
    },
    refused={**SPAWNER_SETTINGS.refused, **_REFUSED},
)
