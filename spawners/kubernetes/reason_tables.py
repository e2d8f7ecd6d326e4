"""What texts of Kubernetes mean, as tables: the first pattern that is found in a text counts. Pure.

The texts are those of Kubernetes 1.34, of containerd, and of CSI drivers. A text may change with a release: then no
pattern is found, the owner reads a neutral sentence, and the administrators the text (see `reasons`).
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

TELL = "Please tell the administrators; the hub's log says more."
WAIT = "You can wait, or stop it and choose another size or place."
AGAIN = "Please launch it again."
_RIGHT = re.compile(r" cannot (?P<verb>[a-z]+) resource \"(?P<resource>[a-z/]+)\"")


class ReasonKind(enum.StrEnum):
    """What kind of reason it is, for programs and metrics."""

    MEMORY = "memory"
    DISK = "disk"
    EVICTED = "evicted"
    UNSCHEDULABLE = "unschedulable"
    IMAGE = "image"
    CONFIGURATION = "configuration"
    STORAGE = "storage"
    QUOTA = "quota"
    POLICY = "policy"
    NODE = "node"
    NAME = "name"
    OVERLOAD = "overload"
    RIGHTS = "rights"
    TIME = "time"
    ENDED = "ended"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Rule:
    """What one text means.

    Attributes:
        pattern: of the text, found anywhere in it, whatever its case.
        sentence, remedy: for the owner; nothing of the text is in them.
        is_final: waiting does not help.
    """

    pattern: re.Pattern[str]
    kind: ReasonKind
    sentence: str
    remedy: str = TELL
    is_final: bool = True


def _rule(pattern: str, kind: ReasonKind, sentence: str, remedy: str = TELL, *, is_final: bool = True) -> Rule:
    return Rule(re.compile(pattern, re.IGNORECASE | re.DOTALL), kind, sentence, remedy, is_final)


_NOT_USABLE = "The application's image cannot be used."
#: Of images: "ErrImagePull", "ImagePullBackOff" and the events "Failed" and "BackOff".
IMAGES = (
    _rule(r"invalid reference format|couldn't parse image|InvalidImageName", ReasonKind.IMAGE, _NOT_USABLE),
    _rule(r"ErrImageNeverPull|not present with pull policy of Never", ReasonKind.IMAGE,
          "The application's image is not on the computer that should run it."),
    _rule(r"toomanyrequests|429 Too Many Requests", ReasonKind.IMAGE,
          "The registry of images limits how often it is asked; the cluster tries again.", WAIT, is_final=False),
    _rule(r"\b40[13]\b|unauthorized|forbidden|insufficient_scope|authorization failed|authentication required"
          r"|no basic auth credentials|access denied|failed to authorize", ReasonKind.IMAGE,
          "The registry of images refuses the cluster's login."),
    _rule(r"x509:|tls: |server gave HTTP response to HTTPS client", ReasonKind.IMAGE,
          "The cluster does not trust the registry of images."),
    _rule(r"signature validation failed|SignatureValidationFailed", ReasonKind.IMAGE,
          "The application's image has no valid signature."),
    _rule(r"no match for platform|exec format error", ReasonKind.IMAGE,
          "The application's image is for another kind of computer."),
    _rule(r"no space left on device", ReasonKind.IMAGE,
          "The computer that should run your session has no room for the application's image; the cluster tries again.",
          WAIT, is_final=False),
    _rule(r"no such host|server misbehaving|name resolution|i/o timeout|connection refused|connection reset"
          r"|no route to host|deadline exceeded|timeout|unexpected EOF|\b50[0-9]\b|registry is unavailable"
          r"|RegistryUnavailable", ReasonKind.IMAGE,
          "The registry of images does not answer; the cluster tries again.", WAIT, is_final=False),
    _rule(r"not ?found|manifest unknown|name unknown|\b404\b", ReasonKind.IMAGE,
          "The registry of images does not have the application's image."),
    _rule(r"ErrImagePull|ImagePullBackOff|Failed to pull image|Back-off pulling image", ReasonKind.IMAGE,
          "The application's image could not be fetched yet; the cluster tries again.", WAIT, is_final=False),
)  # fmt: skip

_NOT_MOUNTED = "A directory could not be mounted where this session should run."
#: Of directories: "FailedMount", "FailedAttachVolume", and containers that cannot be created.
STORAGE = (
    _rule(r"recursive read-only mode, but it is not supported", ReasonKind.STORAGE,
          "The computer that should run your session cannot protect raw data from writes."),
    _rule(r"hostPath type check failed|no such file or directory|does not exist", ReasonKind.STORAGE,
          "A directory of your session is missing where it should run."),
    _rule(r"(?:create|prepare) subPath", ReasonKind.STORAGE,
          "A directory of your session is missing, or the cluster may not look for it."),
    _rule(r"permission denied|access denied|operation not permitted|PermissionDenied", ReasonKind.STORAGE,
          "The storage refuses the computer that should run your session."),
    _rule(r"no volume plugin matched|not found in the list of registered CSI drivers", ReasonKind.STORAGE,
          "The computer that should run your session cannot mount this kind of storage."),
    _rule(r"secret \S+ not found|configmap \S+ not found|references non-existent secret key"
          r"|couldn't find key", ReasonKind.CONFIGURATION,
          "Something that your session needs is not in the cluster yet.", WAIT, is_final=False),
    _rule(r"Multi-Attach error|exclusively attached|ReadWriteOncePod", ReasonKind.STORAGE,
          "A directory of your session is in use on another computer.", WAIT, is_final=False),
    _rule(r"stale (?:NFS )?file handle|transport endpoint is not connected|input/output error", ReasonKind.STORAGE,
          "The storage does not answer as it should; the cluster tries again.", WAIT, is_final=False),
    _rule(r"timed? ?out|deadline exceeded|DeadlineExceeded|connection refused|no route to host|Unavailable"
          r"|already exists", ReasonKind.STORAGE,
          "The storage does not answer yet; the cluster tries again.", WAIT, is_final=False),
    _rule(r"MountVolume|AttachVolume|MountDevice|unmounted volumes|MapVolume", ReasonKind.STORAGE,
          f"{_NOT_MOUNTED[:-1]} yet; the cluster tries again.", WAIT, is_final=False),
)  # fmt: skip

#: Of claims: events of the claim, and what the scheduler says of it before it looks at nodes.
CLAIMS = (
    _rule(r"persistentvolumeclaim \S+ not found", ReasonKind.STORAGE, "The cluster does not have your directories."),
    _rule(r"persistentvolumeclaim \S+ is being deleted|bound to (?:a )?non-existent", ReasonKind.STORAGE,
          "The cluster does not have your directories any more."),
    _rule(r"storageclass\.storage\.k8s\.io \S+ not found|no storage class is set|already bound to a different claim"
          r"|Cannot bind", ReasonKind.STORAGE,
          "The cluster cannot provide one of your directories.", is_final=False),
    _rule(r"unbound immediate PersistentVolumeClaims|didn't find available persistent volumes"
          r"|ProvisioningFailed|Failed to provision volume|failed to provision|waiting for a volume to be created"
          r"|waiting for first consumer|VolumeMismatch|FailedBinding|binding volumes:", ReasonKind.STORAGE,
          "The storage of one of your directories is not ready yet.", WAIT, is_final=False),
    _rule(r"PersistentVolume's node affinity|volume node affinity conflict|no available volume zone"
          r"|exceed max volume count|enough free storage|no available disk", ReasonKind.STORAGE,
          "No free computer can mount your directories.", WAIT, is_final=False),
)  # fmt: skip

#: Of containers that cannot be created or started.
CONTAINERS = (
    _rule(r"executable file not found|no such file or directory: unknown", ReasonKind.IMAGE,
          "The application's image does not have the program of a session."),
    _rule(r"exec format error", ReasonKind.IMAGE, "The application's image is for another kind of computer."),
    _rule(r"runAsNonRoot|cannot verify user", ReasonKind.CONFIGURATION, "The cluster refuses the session's account."),
    _rule(r"apparmor|seccomp|selinux", ReasonKind.POLICY,
          "The computer that should run your session cannot confine it as it must be."),
    _rule(r"FailedCreatePodSandBox|create pod sandbox|CNI|network: ", ReasonKind.NODE,
          "The computer that should run your session has a problem with its network; the cluster tries again.",
          WAIT, is_final=False),
)  # fmt: skip

#: Of the API server's refusals, besides quotas and limits, which have numbers.
REFUSALS = (
    _rule(r"must specify \S+", ReasonKind.CONFIGURATION, "The cluster wants a limit that sessions do not have."),
    _rule(r"status unknown for quota|object has been modified", ReasonKind.OVERLOAD,
          "The cluster is still counting what is in use.", AGAIN, is_final=False),
    _rule(r"insufficient quota to", ReasonKind.QUOTA, "Sessions of this kind have no share of the cluster."),
    _rule(r"limit to request ratio", ReasonKind.QUOTA, "The cluster's limits do not allow sessions of this size.",
          "Please choose another size."),
    _rule(r"violates PodSecurity|security context constraint", ReasonKind.POLICY,
          "The cluster's security rules refuse this session."),
    _rule(r"ValidatingAdmissionPolicy|admission webhook \S+ denied", ReasonKind.POLICY,
          "A rule of the cluster refuses this session."),
    _rule(r"failed calling webhook", ReasonKind.OVERLOAD, "A part of the cluster does not answer.", AGAIN,
          is_final=False),
    _rule(r"because it is being terminated|namespaces \S+ not found", ReasonKind.CONFIGURATION,
          "The place for sessions in the cluster is gone."),
    _rule(r"error looking up service account|no service account specified", ReasonKind.CONFIGURATION,
          "The place for sessions in the cluster is not complete."),
    _rule(r"PriorityClass|RuntimeClass|priority|node (?:label )?selector conflicts", ReasonKind.CONFIGURATION,
          "The cluster does not know how to run this session."),
    _rule(r"cannot \w+ resource", ReasonKind.RIGHTS, "The portal lacks a right in the cluster."),
    _rule(r"object with the same generated name|already exists", ReasonKind.NAME,
          "The cluster has something else under this session's name."),
    _rule(r"etcdserver|leader changed|too many requests|try again|request timed out|request did not complete",
          ReasonKind.OVERLOAD, "The cluster is busy.", AGAIN, is_final=False),
    _rule(r"is invalid:|strict decoding error|cannot be handled as|entity too large", ReasonKind.CONFIGURATION,
          "The cluster does not understand this session."),
)  # fmt: skip

#: Of HTTP, where the text says nothing.
STATUSES = {
    401: (ReasonKind.RIGHTS, "The cluster does not accept the portal's login.", TELL, True),
    403: (ReasonKind.RIGHTS, "The cluster refuses this session.", TELL, True),
    409: (ReasonKind.NAME, "The cluster has something else under this session's name.", TELL, True),
    429: (ReasonKind.OVERLOAD, "The cluster is busy.", AGAIN, False),
    500: (ReasonKind.OVERLOAD, "The cluster has a problem.", AGAIN, False),
    502: (ReasonKind.OVERLOAD, "The cluster does not answer.", AGAIN, False),
    503: (ReasonKind.OVERLOAD, "The cluster does not answer.", AGAIN, False),
    504: (ReasonKind.OVERLOAD, "The cluster does not answer.", AGAIN, False),
}

#: Of the computer of a pod that has not started there.
NODES = (
    _rule(r"", ReasonKind.NODE, "The computer that should run your session does not answer.", WAIT, is_final=False),
)

#: Of a whole pod that is over, by the reason of its status.
POD_ENDS = (
    _rule(r"^SupplementalGroupsPolicyNotSupported", ReasonKind.CONFIGURATION,
          "The computer that should run your session cannot give it exactly your groups."),
    _rule(r"^DeadlineExceeded", ReasonKind.TIME, "It reached the cluster's time limit.", AGAIN),
    _rule(r"^NodeLost", ReasonKind.NODE, "The computer that ran it does not answer.", AGAIN),
    _rule(r"^(?:NodeShutdown|Terminated|Shutdown)\b", ReasonKind.NODE, "The computer that ran it was shut down.",
          AGAIN),
    _rule(r"^OutOf|^UnexpectedAdmissionError.*devices unavailable", ReasonKind.UNSCHEDULABLE,
          "Another session took the last of what it needs.", AGAIN),
    _rule(r"^(?:NodeAffinity|NodeName|NodePorts|TaintToleration|PodOS\w*|InvalidNodeInfo|UnexpectedAdmissionError"
          r"|UnexpectedPredicateFailureType|UnknownReason|TopologyAffinityError|AppArmor)", ReasonKind.NODE,
          "The computer that should run it refused it.", AGAIN),
    _rule(r"^(?:Preempting|PreemptionByScheduler|Preempted)", ReasonKind.EVICTED,
          "It was ended for something with a higher priority.", AGAIN),
    _rule(r"^DeletionByTaintManager|^TaintManagerEviction: Marking", ReasonKind.NODE,
          "The computer that ran it was taken out of use.", AGAIN),
    _rule(r"^DeletionByPodGC", ReasonKind.NODE, "The computer that ran it is gone.", AGAIN),
    _rule(r"^EvictionByEvictionAPI", ReasonKind.EVICTED,
          "It was ended by the cluster's administrators, as for maintenance.", AGAIN),
)  # fmt: skip

#: Of evictions by the computer that runs a session.
EVICTIONS = (
    _rule(r"EmptyDir volume|ephemeral (?:local )?storage", ReasonKind.DISK,
          "It used all of its temporary disk space (/tmp), and was ended.",
          "Please launch it again, and write large files to your home or to processed data."),
    _rule(r"low on resource: memory|MemoryPressure", ReasonKind.EVICTED,
          "The computer that ran it had no memory left, and ended it.", AGAIN),
    _rule(r"low on resource: (?:ephemeral-storage|nodefs|imagefs|inodes|containerfs)|DiskPressure", ReasonKind.EVICTED,
          "The computer that ran it had no disk space left, and ended it.", AGAIN),
    _rule(r"low on resource: pids|PIDPressure", ReasonKind.EVICTED,
          "The computer that ran it had too many processes, and ended it.", AGAIN),
    _rule(r"", ReasonKind.EVICTED, "The computer that ran it had to end it.", AGAIN),
)  # fmt: skip


def first_of(rules: tuple[Rule, ...], text: str) -> Rule | None:
    """Return the first rule whose pattern is in the text."""
    return next((one for one in rules if one.pattern.search(text)), None)


def missing_right(message: str) -> str:
    """Return the missing right that a refusal names, as "list pods"; "" if it names none."""
    found = _RIGHT.search(message)
    return f"{found['verb']} {found['resource']}" if found else ""
