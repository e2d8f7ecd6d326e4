#!/usr/bin/env bash
# A real NFS server with root_squash and its client, versions 3 and 4.2, in a virtual machine with Debian's cloud kernel.
# It needs no KVM, takes some minutes, and says PASS or FAIL for each check (tests/nfs/inside.py). As root.
#   scripts/test-nfs.sh [FOLDER]     FOLDER keeps the machine's Debian from run to run
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-/var/tmp/daas-nfs}
for program in mmdebstrap qemu-system-x86_64 mke2fs; do
  command -v $program > /dev/null || { echo "$program is missing: apt-get install mmdebstrap qemu-system-x86 e2fsprogs" >&2; exit 1; }
done
mkdir -p "$folder"
root=$folder/root
if [ ! -e "$folder/.complete" ]; then
  rm -rf "$root"
  mmdebstrap --quiet --variant=minbase \
    --include=linux-image-cloud-amd64,nfs-kernel-server,nfs-common,python3,bubblewrap,util-linux,kmod,iproute2 trixie "$root"
  touch "$folder/.complete"
fi
rm -rf "$root/test"
mkdir -p "$root/test/daas_hub" "$root/test/tests"
cp -r daas_hub/as_account daas_hub/errors.py "$root/test/daas_hub/"
cp -r tests/nfs "$root/test/tests/"
rm -f "$folder/disk"
mke2fs -q -t ext4 -d "$root" "$folder/disk" 3G
kernel=$(ls "$root"/boot/vmlinuz-* | tail -n 1)
initrd=$(ls "$root"/boot/initrd.img-* | tail -n 1)
timeout 1800 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m 1024 -smp 2 -nographic -no-reboot \
  -kernel "$kernel" -initrd "$initrd" -append "root=/dev/vda rw console=ttyS0 init=/test/tests/nfs/init quiet" \
  -drive "file=$folder/disk,if=virtio,format=raw" -nic none < /dev/null | tee "$folder/log" | grep --line-buffered -aE 'PASS|FAIL|CHECKS|END|panic' || true
grep -aqE 'CHECKS [0-9]+ FAILED 0' "$folder/log"
