# Ends what .ci/cluster runs, and what it left behind: also after a start that was killed. Sourced, like parts.sh.

# $1 signal, then pids. What was killed is waited for: until then it has its ports, and the next one of its kind would fail
end() {
  local signal=$1 pid
  shift
  for pid in "$@"; do kill "-$signal" "$pid" 2> /dev/null || true; done
  [ "$signal" = KILL ] || return 0
  for pid in "$@"; do within 20 has_ended "$pid"; done
}

# a process that is dead and not yet waited for by its parent has closed its files, once its last thread has ended: the first
# thread can be dead long before, and the files belong to all
has_ended() { ! grep -qsh '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/task"/*/status; }

# processes of pods: they are in control groups of our own
pids_of_pods() { find /sys/fs/cgroup -path '*/daas-cluster/*' -name cgroup.procs -exec cat {} + 2> /dev/null | sed '/^0$/d' | sort -u; }

remove_groups() {
  find /sys/fs/cgroup -depth -type d -path '*/daas-cluster*' -exec rmdir {} + 2> /dev/null || true
}

# kube-router's rules, of both kinds of iptables; the chains of others are left as they are, also when they change meanwhile
remove_rules() {
  local kind saved table
  for kind in nft legacy; do
    for table in filter mangle nat; do
      saved=$(inside_root iptables-$kind-save -t $table 2> /dev/null | grep -E '^(-A|:).*KUBE-' || true)
      [ -n "$saved" ] || continue
      {
        echo "*$table"
        # first what leads to them, then what is in them, then they themselves
        sed -nE '/^-A KUBE-/!s/^-A/-D/p' <<< "$saved"
        sed -nE 's/^:(KUBE-[^ ]+) .*/-F \1/p' <<< "$saved"
        sed -nE 's/^:(KUBE-[^ ]+) .*/-X \1/p' <<< "$saved"
        echo COMMIT
      } | inside_root iptables-$kind-restore --noflush || true
    done
  done
  inside_root nft delete table ip kube-proxy 2> /dev/null || true
  inside_root nft delete table ip6 kube-proxy 2> /dev/null || true
  for table in $(inside_root ipset list -n 2> /dev/null | grep -E '^(inet6:)?(KUBE-|kube-router-)' || true); do
    inside_root ipset destroy "$table" 2> /dev/null || true
  done
}

# a program of Debian 13's root, in a mount namespace of its own
inside_root() {
  unshare --mount bash -c 'mount --bind "$0/usr" /usr && mount --bind "$0/etc/alternatives" /etc/alternatives &&
    mount --bind "$0/etc/ld.so.cache" /etc/ld.so.cache && exec "$@"' "$folder/root" "$@"
}

all_ended() { local part; for part in $parts containerd-shim-runc-v2; do [ -z "$(pids_of "$part")" ] || return 1; done; }
pods_ended() { [ -z "$(pids_of_pods)" ]; }

clear_away() {
  local part name
  # what starts things again first
  for part in kubelet kube-controller-manager kube-scheduler kube-router kube-proxy coredns; do end KILL $(pids_of $part); done
  end KILL $(pids_of_pods)
  within 20 pods_ended
  end KILL $(pids_of containerd-shim-runc-v2) $(pids_of containerd)
  end TERM $(pids_of kube-apiserver)
  end KILL $(pids_of kube-apiserver) $(pids_of etcd)
  within 20 all_ended
  # with its holder every mount of the namespace goes
  holder > /dev/null && end KILL "$(holder)" || true
  rm -f "$folder/run/holder"
  [ -d "$folder/root/usr" ] && remove_rules
  ip link delete $bridge 2> /dev/null || true
  remove_groups
  for name in $(ls "$folder/before" 2> /dev/null || true); do sysctl -qw "$name=$(cat "$folder/before/$name")" || true; done
  rm -rf "$folder/before" "$folder/run/containerd"
}
