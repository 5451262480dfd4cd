# The file systems below the machines' disks: `bare`, Debian with cloud-init, and
# `condor`, a layer on it with HTCondor.  Sourced by condor.sh; read-only once built.

BARE=$STATE/bare-$SUITE
LAYER=$STATE/condor-$SUITE
REPO=/srv/bed-apt           # inside; the one place that apt in a machine knows
# What a machine may install although it has no network.  Of Debian 13's container
# runtimes HTCondor's container universe can use Docker alone: there is no apptainer, and
# podman, smaller by a third, does not run as HTCondor starts it (as user condor in root's home).
REPO_PACKAGES=(condor chrony openssh-server systemd-standalone-sysusers systemd-standalone-tmpfiles sudo docker.io docker-cli)

# The archive that this machine's own apt uses; its security and updates suites have other paths.
mirror() {
    apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "Debian" && $2 !~ /-/ {print $3; exit}'
}

in_rootfs() { # bare|condor|FOLDER CMD... : a command in one of the two or another layer on `bare`, in own namespaces
    local image=$1 layer=$LAYER run=$STATE/run-rootfs; shift
    case $image in /*) layer=$image ;; esac
    mkdir -p "$run" "$layer.work"
    # The mounts are there for the time of the command: they die with the namespace.
    unshare --mount --propagation private bash -ec '
        image=$1 bare=$2 layer=$3 r=$4; shift 4
        case $image in
            bare) mount --bind "$bare" "$r" ;;
            *) mount -t overlay overlay -o "lowerdir=$bare,upperdir=$layer,workdir=$layer.work" "$r" ;;
        esac
        mount -t proc proc "$r/proc"
        exec env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 chroot "$r" "$@"' \
        _ "$image" "$BARE" "$layer" "$run" "$@"
}

build_step() { # NAME FUNCTION : once a recipe; half of an earlier attempt is thrown away by FUNCTION
    local log=$STATE/logs/$1-$SUITE.log recipe
    recipe=$(cat "$BED/rootfs.sh" "$BED"/guest/* | sha256sum)
    [ "$(cat "$STATE/.$1-$SUITE-done" 2>/dev/null)" != "$recipe" ] || return 0
    ! ip netns list | grep -qw "^$SW" || die "what the bed's machines boot from has changed: testbed/down first"
    say "building the file system '$1' ($SUITE)"
    # Not in an `if`: there, errors would be passed over.
    ( set -e; "$2" ) >"$log" 2>&1 & wait $! || die "see $log"
    echo "$recipe" >"$STATE/.$1-$SUITE-done"
}

build_bare() {
    local f
    rm -rf "$BARE"
    debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$BARE" "${BED_MIRROR:-$(mirror)}"
    # No daemon may start from a package's script.
    printf '#!/bin/sh\nexit 101\n' >"$BARE/usr/sbin/policy-rc.d"
    chmod 755 "$BARE/usr/sbin/policy-rc.d"
    cp /etc/resolv.conf "$BARE/etc/resolv.conf"
    # A test machine's clock may be off; sid's index expires after a week.
    echo 'Acquire::Check-Valid-Until "false";' >"$BARE/etc/apt/apt.conf.d/90bed"
    # Nobody misses these disks after a power cut.
    echo force-unsafe-io >"$BARE/etc/dpkg/dpkg.cfg.d/bed"
    # The host's way out, where it has a proxy; for now, machines have no network.
    apt-config dump | grep -i '^Acquire::https\?::' >"$BARE/etc/apt/apt.conf.d/91host" || true
    in_rootfs bare apt-get update -q
    in_rootfs bare apt-get install -y -q --no-install-recommends cloud-init iproute2 procps
    in_rootfs bare apt-get clean
    build_repo
    # The bed's machines read their user data from a NoCloud seed and have their network.
    cat >"$BARE/etc/cloud/cloud.cfg.d/99-bed.cfg" <<'CFG'
datasource_list: [ NoCloud, None ]
datasource: {NoCloud: {seedfrom: /run/bed/seed/}}
network: {config: disabled}
# Theirs would name an archive that no machine here can reach.
apt: {preserve_sources_list: true}
CFG
    install -m 755 "$BED/guest/bed-init" "$BARE/sbin/"
    install -m 755 "$BED/guest/systemctl" "$BED/guest/journalctl" "$BARE/usr/bin/"
    install -m 755 "$BED/guest/unit" "$BARE/usr/lib/bed-unit"
    install -m 755 "$BED/guest/poweroff" "$BARE/usr/sbin/"
    for f in halt reboot shutdown; do ln -s poweroff "$BARE/usr/sbin/$f"; done
}

# A folder as apt repository.  Its index needs no more than dpkg-deb.
build_repo() {
    local deb
    mkdir -p "$BARE$REPO"
    in_rootfs bare apt-get install -y -q --no-install-recommends --download-only "${REPO_PACKAGES[@]}"
    mv "$BARE"/var/cache/apt/archives/*.deb "$BARE$REPO/"
    for deb in "$BARE$REPO"/*.deb; do
        dpkg-deb -f "$deb"
        printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$(basename "$deb")" \
            "$(stat -c %s "$deb")" "$(sha256sum "$deb" | cut -d' ' -f1)"
    done >"$BARE$REPO/Packages"
    rm -rf "$BARE"/var/lib/apt/lists/* "$BARE/etc/apt/apt.conf.d/91host" "$BARE/etc/apt/sources.list.d"/*
    echo "deb [trusted=yes] file:$REPO ./" >"$BARE/etc/apt/sources.list"
}

build_condor() {
    local u
    rm -rf "$LAYER" "$LAYER.work"; mkdir -p "$LAYER"
    in_rootfs condor apt-get update -q
    # 'htcondor' in trixie is only a transitional package for 'condor'.
    # A server to log in to, and what its first user becomes root by: images of clouds have both.
    in_rootfs condor apt-get install -y -q --no-install-recommends condor openssh-server sudo \
        systemd-standalone-sysusers systemd-standalone-tmpfiles
    # Only where the bed or user data says so.
    in_rootfs condor systemctl disable condor
    # Ordinary users, on the shared image so that `exec -u alice` works on cm.
    for u in $USERS; do in_rootfs condor useradd -m -s /bin/bash "$u"; done
}

build_rootfs() {
    if [ -e "$STATE/rootfs-$SUITE" ]; then
        ! ip netns list | grep -qw "^$SW" || die "this bed was brought up by an older make of it: testbed/down first"
        rm -rf "$STATE/rootfs-$SUITE"
    fi
    build_step bare build_bare
    build_step condor build_condor
}

image_layers() { # bare|condor|FOLDER -> the layers below a machine's disk, topmost first
    case $1 in
        bare) echo "$BARE" ;;
        condor) echo "$LAYER:$BARE" ;;
        # A snapshot: a copy of some machine's disk, and what was below that.
        /*) [ -d "$1/disk" ] && [ -s "$1/lower" ] || die "the disk of this image is gone: no $1"
            echo "$1/disk:$(cat "$1/lower")" ;;
        *) die "what is the image '$1'?" ;;
    esac
}
