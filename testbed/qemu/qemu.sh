# qemu.sh: machines of the other kind: with BED_MACHINES=qemu at `up`, a Nova server with
# user-data is a QEMU guest with a kernel, systemd and cloud-init of its own.  Sourced by
# condor.sh.
#
# A guest is a machine like the others: a folder below $VMS, a network namespace on the
# switch, and a process in it, QEMU, by which it is known to be up.  Its folder holds
# disk.qcow2, seed.iso, vmlinuz, initrd, `guest` (its hardware) and `lower` (what its disk
# lies on); QEMU adds pid, qmp (its socket) and console.log.

TOOLS=$STATE/tools-$SUITE       # a layer on `bare` in which QEMU itself is installed
GUEST=$STATE/guest-$SUITE       # the disk that debian-13 is, its kernel and its initrd
KIND=$BED_STATE/machines        # says "qemu" where this kind is wanted

guests_wanted() { [ "$(cat "$KIND" 2>/dev/null)" = qemu ]; }
is_guest() { [ -e "$VMS/$1/guest" ]; }
# QEMU runs in the tools' root, where $BED_STATE is /bed.
inside() { echo "/bed${1#"$BED_STATE"}"; }

# ---- what is built once ---------------------------------------------------------
on_the_archive() { # LAYER FUNCTION : apt in the layer knows the real archive for that time
    rm -rf "$1" "$1.work"; mkdir -p "$1/etc/apt/apt.conf.d"
    echo "deb ${BED_MIRROR:-$(mirror)} $SUITE main" >"$1/etc/apt/sources.list"
    apt-config dump | grep -i '^Acquire::https\?::' >"$1/etc/apt/apt.conf.d/91host" || true
    in_rootfs "$1" apt-get update -q
    "$2"
    in_rootfs "$1" apt-get clean
    # What is below shows again.
    rm -rf "$1/etc/apt/sources.list" "$1/etc/apt/apt.conf.d/91host" "$1"/var/lib/apt/lists/*
}

# QEMU is no package of the host: what is there of it, from backports perhaps, stays as it is.
build_tools() {
    install_tools() {
        in_rootfs "$TOOLS" apt-get install -y -q --no-install-recommends \
            qemu-system-x86 qemu-utils genisoimage python3-minimal
    }
    on_the_archive "$TOOLS" install_tools
    mkdir -p "$TOOLS/bed"
}

build_guest() {
    local root=$GUEST.root
    install_guest() {
        in_rootfs "$root" apt-get install -y -q --no-install-recommends \
            systemd-sysv udev dbus libpam-systemd libnss-myhostname openssh-server sudo e2fsprogs linux-image-cloud-amd64
    }
    rm -rf "$GUEST"; mkdir -p "$root" "$GUEST.part"
    on_the_archive "$root" install_guest
    # A small initrd: of all that it could load this machine has three things.
    printf 'ext4\nvirtio_pci\nvirtio_blk\n' >>"$root/etc/initramfs-tools/modules"
    mkdir -p "$root/etc/initramfs-tools/conf.d"
    echo MODULES=list >"$root/etc/initramfs-tools/conf.d/bed"
    in_rootfs "$root" update-initramfs -u -k all
    in_rootfs "$root" systemctl enable systemd-networkd
    # Seed and network come from the disk labelled cidata.
    mkdir -p "$root/etc/cloud/cloud.cfg.d"
    cat >"$root/etc/cloud/cloud.cfg.d/99-bed.cfg" <<'CFG'
datasource_list: [ NoCloud, None ]
apt: {preserve_sources_list: true}
CFG
    echo '/dev/vda / ext4 defaults 0 1' >"$root/etc/fstab"
    # Here services start; nobody answers questions about names; every server is somebody.
    in_rootfs "$root" sh -c 'rm -f /usr/sbin/policy-rc.d /sbin/bed-init /etc/resolv.conf
        rm -f /etc/ssh/ssh_host_* /var/lib/dbus/machine-id
        : >/etc/machine-id'
    cp "$root"/boot/vmlinuz-* "$GUEST.part/vmlinuz"
    cp "$root"/boot/initrd.img-* "$GUEST.part/initrd"
    unshare --mount --propagation private sh -ec '
        mount -t overlay overlay -o "lowerdir=$1:$2" "$3"
        mkfs.ext4 -q -F -L root -E lazy_itable_init=1 -d "$3" "$4" 20G' \
        _ "$root" "$BARE" "$STATE/run-rootfs" "$GUEST.part/disk.raw"
    mv -T "$GUEST.part" "$GUEST"
    rm -rf "$root" "$root.work"
}

build_guests() {
    [ -z "${BED_MACHINES:-}" ] || echo "$BED_MACHINES" >"$KIND"
    guests_wanted || return 0
    [ -c /dev/net/tun ] || die "QEMU guests need /dev/net/tun: modprobe tun"
    build_step tools build_tools
    build_step guest build_guest
}

in_tools() { # CMD... : in the tools' root, which is read-only but for /bed
    GUEST_TOOLS=$TOOLS:$BARE "$BED/qemu/boot" in "$STATE/run-rootfs" "$@"
}

# ---- a guest's life ---------------------------------------------------------------
guest_image() { # bare|FOLDER -> the folder of a disk
    case $1 in
        bare) echo "$GUEST" ;;
        /*) [ -s "$1/disk.qcow2" ] || die "the disk of this image is gone: no $1"; echo "$1" ;;
        *) die "the image '$1' has no disk for QEMU: take debian-13, or an image of one of its servers" ;;
    esac
}

lay_disk() { # IMAGE-FOLDER FOLDER : an empty disk on an image's, with the same kernel
    local below=$1/disk.qcow2 format=qcow2
    if [ ! -e "$below" ]; then below=$1/disk.raw format=raw; fi
    cp --reflink=auto "$1/vmlinuz" "$1/initrd" "$2/"
    in_tools qemu-img create -q -f qcow2 -F $format -b "$(inside "$below")" "$(inside "$2")/disk.qcow2"
    echo "$below" >"$2/lower"
}

prepare_guest() { # NAME IP IMAGE CPUS MEM USERDATA KEY
    local d=$VMS/$1 from free cpus=$4 mem=$5; from=$(guest_image "$3")
    # The flavor's size as far as this machine has it: half of what is free, and no more CPUs than there are.
    free=$(awk '/^MemAvailable/ {print int($2 / 2048)}' /proc/meminfo)
    [ "$mem" -le "$free" ] || mem=$free
    [ "$cpus" -le "$(nproc)" ] || cpus=$(nproc)
    # What a node is told is in its seed, and then on its disk.
    mkdir -p "$d/seed"; chmod 700 "$d"
    echo "$2" >"$d/ip"; echo guest >"$d/role"
    lay_disk "$from" "$d"
    cp "$6" "$d/seed/user-data"
    printf 'instance-id: i-%s-%s\nlocal-hostname: %s\n' "$1" "$(date +%s)" "$1" >"$d/seed/meta-data"
    [ -z "$7" ] || printf 'public-keys: ["%s"]\n' "$7" >>"$d/seed/meta-data"
    cat >"$d/seed/network-config" <<N
version: 1
config: [{type: physical, name: eth0, subnets: [{type: static, address: $2/24}]}]
N
    in_tools genisoimage -quiet -rational-rock -joliet -volid cidata -output "$(inside "$d")/seed.iso" \
        "$(inside "$d")/seed"
    rm -rf "$d/seed"
    # Unique in its network, as the address is.
    printf 'cpus=%s mem=%s mac=%s\n' "$cpus" "$mem" \
        "$(printf '52:54:%02x:%02x:%02x:%02x' ${2//./ })" >"$d/guest"
}

plug_guest() { # NAME : its cable ends in a tap device
    local ns=$NS-$1
    ip -n "$ns" addr flush dev eth0
    ip -n "$ns" link add cable type bridge
    ip netns exec "$ns" ip tuntap add tap0 mode tap
    ip -n "$ns" link set eth0 master cable
    ip -n "$ns" link set tap0 master cable up
    ip -n "$ns" link set cable up
}

# It may be about to end by itself.
press_button() { in_tools python3 /mnt/qmp "$(inside "$VMS/$1/qmp")" powerdown || say "$1 has no power button"; }

guest_snapshot() { # NAME FOLDER [IMAGE] : as node-snapshot
    local to=$2 d=$VMS/$1
    rm -rf "$to.part"; mkdir -p "$to.part"; chmod 700 "$to.part"
    if [ -z "$1" ]; then
        lay_disk "$(guest_image "$3")" "$to.part"
    else
        [ -d "$d" ] || die "no VM '$1'"
        cp --reflink=auto "$d/vmlinuz" "$d/initrd" "$d/lower" "$to.part/"
        if vm_pid "$1" >/dev/null; then
            # QEMU alone knows what of the disk is not yet in the file.
            in_tools python3 /mnt/qmp "$(inside "$d/qmp")" backup "$(inside "$to.part")/disk.qcow2"
        else
            cp --reflink=auto --sparse=always "$d/disk.qcow2" "$to.part/"
        fi
    fi
    mv -T "$to.part" "$to"
    say "${1:-a disk} is copied: $(du -sh "$to" | cut -f1)"
}

guest_exec() { # NAME USER CMD... : by ssh, as one would with a real server
    local ip user=$2; ip=$(cat "$VMS/$1/ip"); shift 2
    exec nsenter --net="/run/netns/$NS-os" ssh -o LogLevel=ERROR -i "$BED_STATE/openstack/demo-key" -o BatchMode=yes \
        -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=20 "debian@$ip" \
        "$(printf '%q ' sudo -H -u "$user" -- "$@")"
}
