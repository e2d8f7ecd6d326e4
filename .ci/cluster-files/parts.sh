# What .ci/cluster runs, and with which arguments. Sourced; needs $folder, $here, $address, $bridge and $inside.

# prints the pids of part $1: of those that run its file with this cluster's own files, so no file of pids can be wrong, and
# an API server that a test runs from the same file is left alone
pids_of() {
  local pid
  for pid in $( (ls -l /proc/[0-9]*/exe 2> /dev/null || true) | sed -nE "s#.* /proc/([0-9]+)/exe -> $folder/bin/$1( \\(deleted\\))?\$#\\1#p"); do
    grep -qszE "^$folder/(run|pki|etcd)(/|$)" "/proc/$pid/cmdline" && echo "$pid" || true
  done
}

holder() { [ -e "$folder/run/holder" ] && grep -qsF "daas-cluster $folder" "/proc/$(cat "$folder/run/holder")/cmdline" && cat "$folder/run/holder"; }

# Kubelet and containerd see each other's mounts, and Debian 13's programs instead of this machine's. A process holds that
# mount namespace, so that each of them can be restarted alone; when it ends, every mount in it is gone.
hold_namespace() {
  mount --make-rshared /
  mkdir -p /var/lib/kubelet /var/lib/cni /var/log/containers
  # in a session of its own: it must outlive whoever starts the cluster
  setsid unshare --mount --propagation slave bash -c '
    set -e
    for part in usr etc/alternatives etc/ld.so.cache; do mount --bind "$0/root/$part" "/$part"; done
    mount --bind "$0/kubelet" /var/lib/kubelet && mount --make-rshared /var/lib/kubelet
    mount --bind "$0/cni" /var/lib/cni && mount --bind "$0/log/containers" /var/log/containers
    echo $$ > "$0/run/holder"
    exec -a "daas-cluster $0" sleep infinity' "$folder" < /dev/null > /dev/null 2> "$folder/log/holder.log" &
  disown
  within 10 holder > /dev/null
}

# control groups of pods alone, so that what runs in them can be found and ended
make_groups() {
  local top=/sys/fs/cgroup tree controller
  if [ -e $top/cgroup.controllers ]; then
    mkdir -p $top/daas-cluster
    # in a container, processes in the topmost group are in the way of controllers below it
    if ! sed 's/\(^\| \)/ +/g' $top/cgroup.controllers > $top/cgroup.subtree_control 2> /dev/null; then
      mkdir -p $top/init
      xargs -rn1 < $top/cgroup.procs > $top/init/cgroup.procs 2> /dev/null || true
      sed 's/\(^\| \)/ +/g' $top/cgroup.controllers > $top/cgroup.subtree_control
    fi
    return
  fi
  for tree in $top/*/; do
    if [ -e "$tree/cgroup.procs" ]; then mkdir -p "$tree/daas-cluster"; fi
  done
  for controller in cpus mems; do
    if [ -e $top/cpuset ]; then cat $top/cpuset/cpuset.$controller > $top/cpuset/daas-cluster/cpuset.$controller; fi
  done
}

# an address that pods reach, which is this machine's own; what is changed of the machine is put back by `stop`
make_network() {
  ip link show $bridge > /dev/null 2>&1 || ip link add $bridge type bridge
  ip address show dev $bridge | grep -q "$address/24" || ip address add $address/24 dev $bridge
  ip link set $bridge up
  local name
  for name in net.ipv4.ip_forward net.bridge.bridge-nf-call-iptables; do
    [ -e "$folder/before/$name" ] || { mkdir -p "$folder/before" && sysctl -n $name > "$folder/before/$name"; }
    sysctl -qw $name=1
  done
}

# certificates of this start alone
make_certificates() {
  mkdir -p "$folder/pki"
  chmod 700 "$folder/pki"
  cd "$folder/pki"
  # what a strict client asks of a certificate, as Python 3.13 does
  cat > extensions <<END
subjectAltName=IP:$address,IP:127.0.0.1,IP:10.88.78.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth,clientAuth
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
END
  new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
  new_key ca
  openssl req -x509 -new -key ca.key -out ca.crt -days 30 -subj /CN=daas-ci \
    -addext keyUsage=critical,keyCertSign,cRLSign 2> /dev/null
  new_key sa
  openssl ec -in sa.key -pubout -out sa.pub 2> /dev/null
  signed() {
    new_key "$1"
    openssl req -new -key "$1.key" -subj "$2" 2> /dev/null |
      openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out "$1.crt" -extfile extensions 2> /dev/null
    sed -e "s#@CA@#$(base64 -w0 ca.crt)#" -e "s#@CERTIFICATE@#$(base64 -w0 "$1.crt")#" -e "s#@KEY@#$(base64 -w0 "$1.key")#" \
      "$here/cluster-files/kubeconfig" > "$1.conf"
  }
  signed api /CN=kube-apiserver
  signed admin /O=system:masters/CN=admin
  signed kubelet /O=system:nodes/CN=system:node:node1
  signed manager /CN=system:kube-controller-manager
  signed scheduler /CN=system:kube-scheduler
  signed proxy /CN=system:kube-proxy
  # policies and names are read from all namespaces
  signed network /O=system:masters/CN=daas-ci:network
  cp network.conf dns.conf
  install -m 600 admin.conf "$folder/admin.conf"
  cd "$folder"
}

write_files() {
  local file
  for file in kubelet.yaml containerd.toml proxy.yaml Corefile audit.yaml; do
    sed "s#@FOLDER@#$folder#g" "$here/cluster-files/$file" > "$folder/run/$file"
  done
  sed "s#@FOLDER@#$folder#g" "$here/cluster-files/bridge.conflist" > "$folder/cni/10-daas.conflist"
}

# an image of one file, as `docker save` would write it
make_pause() {
  local tree=$folder/run/pause
  rm -rf "$tree" && mkdir -p "$tree/root"
  cp "$folder/bin/pause" "$tree/root/pause"
  tar -C "$tree/root" --owner=0 --group=0 --mtime=@0 -cf "$tree/layer.tar" .
  cat > "$tree/config.json" <<END
{"architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
 "rootfs": {"type": "layers", "diff_ids": ["sha256:$(sha256sum < "$tree/layer.tar" | cut -d' ' -f1)"]}}
END
  echo '[{"Config": "config.json", "RepoTags": ["localhost/daas-ci/pause:1"], "Layers": ["layer.tar"]}]' > "$tree/manifest.json"
  tar -C "$tree" -cf "$folder/pause.tar" manifest.json config.json layer.tar
}

arguments_of() {
  local pki=$folder/pki
  case $1 in
    # nothing of it outlives a start: it need not wait for the disk
    etcd) echo --data-dir "$folder/etcd" --unsafe-no-fsync --listen-client-urls http://127.0.0.1:23790 \
      --advertise-client-urls http://127.0.0.1:23790 --listen-peer-urls http://127.0.0.1:23800 --log-level warn ;;
    kube-apiserver) echo --etcd-servers http://127.0.0.1:23790 --bind-address $address --advertise-address $address \
      --secure-port 6443 --tls-cert-file "$pki/api.crt" --tls-private-key-file "$pki/api.key" --client-ca-file "$pki/ca.crt" \
      --service-account-key-file "$pki/sa.pub" --service-account-signing-key-file "$pki/sa.key" \
      --service-account-issuer https://kubernetes.default.svc --service-cluster-ip-range 10.88.78.0/24 \
      --service-node-port-range 30000-30010 --authorization-mode Node,RBAC --anonymous-auth=false --allow-privileged=true --kubelet-preferred-address-types InternalIP \
      --enable-admission-plugins NodeRestriction,PodSecurity,ValidatingAdmissionPolicy \
      --kubelet-client-certificate "$pki/admin.crt" --kubelet-client-key "$pki/admin.key" \
      --kubelet-certificate-authority "$pki/ca.crt" --audit-policy-file "$folder/run/audit.yaml" \
      --audit-log-path "$folder/log/audit.log" --profiling=false ;;
    kube-controller-manager) echo --kubeconfig "$pki/manager.conf" --service-account-private-key-file "$pki/sa.key" \
      --root-ca-file "$pki/ca.crt" --use-service-account-credentials --leader-elect=false --secure-port 0 \
      --cluster-signing-cert-file "$pki/ca.crt" --cluster-signing-key-file "$pki/ca.key" ;;
    kube-scheduler) echo --kubeconfig "$pki/scheduler.conf" --leader-elect=false --secure-port 0 ;;
    containerd) echo --config "$folder/run/containerd.toml" ;;
    kubelet) echo --kubeconfig "$pki/kubelet.conf" --config "$folder/run/kubelet.yaml" --hostname-override node1 \
      --node-ip $address ;;
    # as a firewall alone; it closes no node port to any pod, so there are few
    kube-router) echo --kubeconfig "$pki/network.conf" --hostname-override node1 --run-firewall=true --run-router=false \
      --run-service-proxy=false --service-cluster-ip-range 10.88.78.0/24 \
      --service-node-port-range 30000-30010 --health-port 0 ;;
    kube-proxy) echo --config "$folder/run/proxy.yaml" ;;
    coredns) echo -conf "$folder/run/Corefile" ;;
    *) echo "there is no part $1" >&2; return 2 ;;
  esac
}

# starts part $1, which goes on without us
run() {
  local arguments enter=
  arguments=$(arguments_of "$1") || exit 2
  [ -z "$(pids_of "$1")" ] || return 0
  case " $inside " in *" $1 "*)
    enter=$(holder || true)
    [ -n "$enter" ] || { echo "what holds the parts' mounts has ended: .ci/cluster stop, and start" >&2; exit 1; }
    enter="nsenter --target $enter --mount" ;;
  esac
  # a part has nothing of the caller's, above all not the kubeconfig of an administrator
  env -u KUBECONFIG PATH="$folder/bin:/usr/sbin:/usr/bin:/sbin:/bin" setsid $enter "$folder/bin/$1" $arguments \
    >> "$folder/log/$1.log" 2>&1 < /dev/null &
  disown
}
