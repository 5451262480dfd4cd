#!/bin/bash
# condor.sh: the pool's half of the bed: a real HTCondor pool on one Debian 12
# machine, without container engine, without systemd.
#
# A machine here is an overlay on a shared root file system (Debian trixie, with or
# without HTCondor) or on a snapshot, plus its own network, mount, UTS, PID and IPC
# namespaces.  All of them hang on one bridge that lives in a network namespace of its
# own, so that no packet of the pool ever touches an interface of the host.
#
#   condor-up                  root fs, switch, the manager "cm"
#   condor-down                powers everything off
#   node-add NAME [k=v]        boots one execute node:  cpus=4 mem=8192 (MB) ip=A.B.C.D
#                              userdata=FILE   bare machine configured by real cloud-init
#                              role=plain      bare machine, no HTCondor started
#                              image=bare|condor|FOLDER  Debian, the same with HTCondor
#                              (default), or what node-snapshot made
#                              tell=FILE       is made when it powers itself off
#                              key=LINE        a public key for the machine's first user
#   node-kill NAME [--crash]   pulls its cable and throws its disk away, as a deleted
#                              server would go (--crash: its processes die, its network answers)
#   node-off NAME              presses its power button; its disk stays
#   node-on NAME               boots the disk that node-off, or its own poweroff, left
#   node-snapshot NAME FOLDER  copies its disk; with '' and an image behind it, an empty disk
#   node-up NAME               says by its exit status whether it runs
#   exec [-h NAME] [-u USER] CMD...   runs CMD in a machine (default: as root on cm);
#                              CMD is killed when whoever waits for `exec` is
#   root [NAME]                the machine's files, seen from outside
#   net NAME IP                one more host on the switch
#   wait-pool N [SECS]         waits until N nodes that are up now are advertised
#
# Each name is a link to this file.  Settings (environment):
#   BED_SEC     idtokens | password          (default: idtokens)
#   BED_SUITE   trixie (23.9) | sid (25.x)   (default: trixie)
#   BED_MACHINES  qemu: servers are QEMU guests (see qemu/qemu.sh); said once, at `up`
#   BED_MIRROR  the Debian archive to use    (default: the one apt is set up with)
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/common.sh"

STATE=$BED_STATE/condor
SEC=${BED_SEC:-idtokens}
SUITE=${BED_SUITE:-trixie}
VMS=$STATE/vms              # one folder a machine: see `boot`
SECRETS=$STATE/secrets
NS=$BED_NS
SW=$NS-sw                   # the namespace that holds the bridge
DOMAIN=bed.test
CM=cm
USERS="alice bob ehos"      # ehos: the autoscaler

[ "$(id -u)" = 0 ] || die "must be root"
. "$BED/rootfs.sh"
. "$BED/qemu/qemu.sh"

# ---- network ----------------------------------------------------------------
up_switch() {
    ip netns list | grep -qw "^$SW" && return
    ip netns add $SW
    ip -n $SW link set lo up
    ip -n $SW link add br0 type bridge
    ip -n $SW link set br0 up
}

up_net() { # NAME IP : namespace $NS-NAME with eth0 on the bridge
    local ns=$NS-$1 plug=v${2##*.}
    ip -n "$ns" -o addr show dev eth0 2>/dev/null | grep -qF " $2/" && return
    # Half of an earlier attempt, or of a machine that died, may be there.
    ip netns del "$ns" 2>/dev/null || true
    ip -n $SW link del "$plug" 2>/dev/null || true
    ip netns add "$ns"
    ip link add eth0 netns "$ns" type veth peer name "$plug" netns $SW
    ip -n $SW link set "$plug" master br0 up
    ip -n "$ns" addr add "$2/24" dev eth0
    ip -n "$ns" link set eth0 up
    ip -n "$ns" link set lo up
}

# ---- secrets ----------------------------------------------------------------
make_secrets() {
    [ -e "$SECRETS/POOL" ] && return
    mkdir -p "$SECRETS"; chmod 700 "$SECRETS"
    # The same file serves as pool password and as the IDTOKENS signing key
    # 'POOL'.  HTCondor keeps it "scrambled"; condor_store_cred -f does that.
    local pw; pw=$(head -c 33 /dev/urandom | base64 | tr -d '/+=\n')
    printf '%s' "$pw" >"$SECRETS/pool-password.txt"
    chmod 600 "$SECRETS/pool-password.txt"
    rm -f "$LAYER/tmp/POOL"
    in_rootfs condor condor_store_cred add -f /tmp/POOL -p "$pw" >/dev/null
    mv "$LAYER/tmp/POOL" "$SECRETS/POOL"
    chmod 600 "$SECRETS/POOL"
}

# ---- HTCondor configuration ---------------------------------------------------
conf_common() { # SEC : what manager and nodes share
    cat <<C
CONDOR_HOST = $CM_IP
# One trust domain for the whole pool (the default is the collector's address);
# tokens name it as issuer, and a client offers a token only where it fits.
TRUST_DOMAIN = $DOMAIN
UID_DOMAIN = $DOMAIN
# No name service in the test net; addresses come from the ads.
DEFAULT_DOMAIN_NAME = $DOMAIN
NETWORK_INTERFACE = eth0
ENABLE_IPV6 = False
# A test pool wants to see changes within seconds, not minutes (default 300).
UPDATE_INTERVAL = 15
MASTER_UPDATE_INTERVAL = 15
# Authentication, encryption and integrity required for all but reading.
use security:strong
SEC_READ_AUTHENTICATION = OPTIONAL
SEC_READ_ENCRYPTION = OPTIONAL
SEC_READ_INTEGRITY = OPTIONAL
ALLOW_READ = *
C
    # FS first: a local tool is then alice@$DOMAIN by its Unix user (root counts as
    # condor@$DOMAIN); over the network FS fails at once and the next one decides.
    if [ "$1" = password ]; then cat <<C
SEC_PASSWORD_FILE = /etc/condor/passwords.d/POOL
SEC_DEFAULT_AUTHENTICATION_METHODS = FS, PASSWORD
SEC_CLIENT_AUTHENTICATION_METHODS = FS, PASSWORD
C
    else cat <<C
SEC_DEFAULT_AUTHENTICATION_METHODS = FS, IDTOKENS
SEC_CLIENT_AUTHENTICATION_METHODS = FS, IDTOKENS
C
    fi
}

conf_cm() { # SEC
    conf_common "$1"
    # Who is who:
    #   condor@$DOMAIN      root and the condor user of this host (by FS)
    #   condor@password     whoever has the pool password / POOL key itself (23.x;
    #   condor_pool@$DOMAIN  was its name in older releases)
    #   node@$DOMAIN        an execute node's token: may advertise itself, no more
    #   ehos@$DOMAIN        the autoscaler: ADMINISTRATOR, so that condor_drain and
    #                       condor_off work.  It needs that right here only: the
    #                       collector hands it a session key for each startd
    #                       (SEC_ENABLE_REMOTE_ADMINISTRATION, on by default).
    #                       ADVERTISE_*: the narrow tokens that it fetches for
    #                       its nodes bear its name, and it may invalidate the ads
    #                       of nodes that are gone.  Queue super user: it puts back
    #                       the jobs of lost nodes (hold, release).
    cat <<C
use role:CentralManager
use role:Submit
ALLOW_WRITE = *@$DOMAIN
ALLOW_DAEMON = condor@$DOMAIN, condor@password, condor_pool@$DOMAIN
ALLOW_NEGOTIATOR = condor@$DOMAIN, condor@password, condor_pool@$DOMAIN
ALLOW_ADVERTISE_STARTD = \$(ALLOW_DAEMON), node@$DOMAIN, ehos@$DOMAIN
ALLOW_ADVERTISE_MASTER = \$(ALLOW_DAEMON), node@$DOMAIN, ehos@$DOMAIN
ALLOW_ADMINISTRATOR = condor@$DOMAIN, ehos@$DOMAIN
QUEUE_SUPER_USERS = root, condor, ehos
# One record per job event of every user, for a tail instead of a poll.
EVENT_LOG = /var/log/condor/EventLog
NEGOTIATOR_INTERVAL = 5
NEGOTIATOR_CYCLE_DELAY = 2
SCHEDD_INTERVAL = 5
# Room for the benchmarks' queues (defaults: 20 000 and 100 000).
MAX_JOBS_PER_SUBMISSION = 1000000
MAX_JOBS_PER_OWNER = 1000000
C
}

conf_node() { # SEC
    conf_common "$1"
    cat <<C
use role:Execute
# One partitionable slot that owns the whole machine (the default since 23.0).
use feature:PartitionableSlot
# Only root of this host, and (variant 'password') whoever has the pool password,
# may command it directly; 'idtokens' goes through the collector's session alone.
ALLOW_DAEMON = condor@$DOMAIN, condor@password, condor_pool@$DOMAIN
ALLOW_WRITE = condor@$DOMAIN, condor@password, condor_pool@$DOMAIN
ALLOW_ADMINISTRATOR = condor@$DOMAIN, condor@password, condor_pool@$DOMAIN
# No job policy: start always, never preempt.
START = True
SUSPEND = False
PREEMPT = False
KILL = False
# A graceful drain only spares a job for as long as this allows; the default is 0,
# and then 'condor_drain -graceful' evicts running jobs at once (seen).
MAXJOBRETIREMENTTIME = 30 * 24 * 3600
# No swap of users: jobs run as 'nobody' where the submitter has no account.
STARTER_ALLOW_RUNAS_OWNER = False
# Nothing to fetch hardware facts from in a namespace.
STARTD_DETECT_GPUS =
# No benchmark at start: it costs 15-30 s of CPU and shows Activity=Benchmarking.
RunBenchmarks = False
C
}

# ---- VMs ----------------------------------------------------------------------
vm_pid() { # NAME -> PID (as the host sees it) of the VM's PID 1, or fails
    local p; p=$(cat "$VMS/$1/pid" 2>/dev/null) || return 1
    [ -n "$p" ] && [ -d "/proc/$p" ] &&
        [ "$(readlink "/proc/$p/ns/net")" = "net:[$(stat -Lc %i "/run/netns/$NS-$1" 2>/dev/null)]" ] && echo "$p"
}

prepare_vm() { # NAME IP ROLE(cm|node|plain|cloud) IMAGE SEC CPUS MEM USERDATA : files in the overlay
    local d=$VMS/$1 e lower; lower=$(image_layers "$4")
    # What was true for the machine that an image was made of is written anew.
    mkdir -p "$d/upper" "$d/work" "$d/merged"
    e=$d/upper/etc; mkdir -p "$e/condor/config.d" "$e/condor/passwords.d" "$e/condor/tokens.d"
    chmod 700 "$e/condor/passwords.d" "$e/condor/tokens.d"
    echo "$lower" >"$d/lower"; echo "$2" >"$d/ip"; echo "$3" >"$d/role"
    echo "$1.$DOMAIN" >"$e/hostname"
    printf '127.0.0.1 localhost\n%s %s.%s %s\n' "$2" "$1" "$DOMAIN" "$1" >"$e/hosts"
    [ "$3" = cm ] || printf '%s %s.%s %s\n' $CM_IP $CM $DOMAIN $CM >>"$e/hosts"
    # The "hardware": a namespace would show the host's own CPUs and memory.
    [ "$3" = cm ] || printf '# set by the bed: the flavor of this machine\nNUM_CPUS = %s\nMEMORY = %s\n' \
        "$6" "$7" >"$e/condor/config.d/01-hardware.conf"
    # The distribution's own security choice would add to ours: replace it by nothing.
    # Where HTCondor is yet to be installed, dpkg would take that for an operator's change and ask.
    if [ "$4" = condor ]; then
        : >"$e/condor/config.d/00-htcondor-9.0.config"
        : >"$e/condor/config.d/00-security"
    fi
    case $3 in
        cm)   conf_cm "$5" >"$e/condor/config.d/50-bed.conf"; enable_condor "$e" ;;
        node) conf_node "$5" >"$e/condor/config.d/50-bed.conf"; enable_condor "$e" ;;
        cloud) mkdir -p "$d/seed"; install -m 600 "$8" "$d/seed/user-data"
              { printf 'instance-id: i-%s-%s\nlocal-hostname: %s\n' "$1" "$(date +%s)" "$1"
                [ -z "${9:-}" ] || printf 'public-keys: ["%s"]\n' "$9"; } >"$d/seed/meta-data" ;;
    esac
    case $3-$5 in
        cm-*|node-password) install -m 600 "$SECRETS/POOL" "$e/condor/passwords.d/POOL" ;;
        # A node of the IDTOKENS pool gets a token, never the signing key.
        node-idtokens) make_node_token; install -m 600 "$SECRETS/node.token" "$e/condor/tokens.d/pool" ;;
    esac
}

enable_condor() { # ETC : as `systemctl enable` does
    mkdir -p "$1/systemd/system/multi-user.target.wants"
    ln -sf /lib/systemd/system/condor.service "$1/systemd/system/multi-user.target.wants/"
}

make_node_token() {
    [ -s "$SECRETS/node.token" ] && return
    # Minted on the manager: it alone has the key.
    condor_exec -h $CM condor_token_create -key POOL -identity "node@$DOMAIN" \
        -authz READ -authz ADVERTISE_STARTD -authz ADVERTISE_MASTER >"$SECRETS/node.token.part"
    chmod 600 "$SECRETS/node.token.part"
    mv "$SECRETS/node.token.part" "$SECRETS/node.token"
}

make_ehos_token() { # the autoscaler's own identity, in its home on the manager
    condor_exec -h $CM sh -c "
        d=/home/ehos/.condor/tokens.d; [ -s \$d/pool ] && exit 0
        umask 077; mkdir -p \$d; condor_token_create -identity ehos@$DOMAIN -key POOL >\$d/pool
        chown -R ehos:ehos /home/ehos/.condor"
}

boot_vm() { # NAME
    local d=$VMS/$1 i boot=$BED/boot
    rm -f "$d/pid" "$d/off"
    if is_guest "$1"; then plug_guest "$1"; boot=$BED/qemu/boot; export GUEST_TOOLS=$TOOLS:$BARE; fi
    # A session of its own: it must not end with whoever has called us.
    setsid "$boot" "$d" "$NS-$1" </dev/null >/dev/null 2>&1 9>&- &
    for i in $(seq 200); do
        if vm_pid "$1" >/dev/null; then return; fi; sleep 0.05
    done
    die "VM $1 did not start: $(cat "$d/console.log")"
}

unplug() { # NAME
    ip netns del "$NS-$1" 2>/dev/null || true
    # The kernel takes a dead namespace apart later; the next machine with this address needs the plug now.
    ip -n $SW link del "v$(sed 's/.*[.]//' "$VMS/$1/ip")" 2>/dev/null || true
}

wait_gone() { # PID TENTHS
    local i; for ((i = 0; i < $2; i++)); do [ -d "/proc/$1" ] || return 0; sleep 0.1; done; return 1
}

introduce_ehos() { # a schedd takes orders from a super user only once it has seen a job of his
    condor_exec -u ehos sh -c '
        for i in $(seq 60); do timeout 5 condor_q -totals >/dev/null 2>&1 && break; sleep 0.5; done
        cd /tmp && timeout 20 condor_submit -terse hold=true executable=/bin/true transfer_executable=false -queue 1 &&
        condor_rm ehos' >/dev/null
}

next_ip() { # lowest free address of those that no project's network hands out
    local i; for i in $(seq 11 39) $(seq 80 99); do
        grep -qsx "$NET.$i" "$VMS"/*/ip || { echo "$NET.$i"; return; }
    done; die "no address left"
}

with_lock() { mkdir -p "$STATE"; exec 9>"$STATE/.lock"; flock 9; }

node_add() { # NAME [KEY=VALUE]... : see the head
    local name=$1 cpus=4 mem=8192 role=node image=condor kv ip='' ud='' tell='' key=''; shift
    [[ $name =~ ^[a-z][a-z0-9-]{0,39}$ ]] && [ "$name" != $CM ] || die "bad name '$name'"
    for kv; do case $kv in
        cpus=*) cpus=${kv#*=};; mem=*) mem=${kv#*=};; ip=*) ip=${kv#*=};; role=*) role=${kv#*=};;
        image=*) image=${kv#*=};; tell=*) tell=${kv#*=};; key=*) key=${kv#*=};;
        userdata=*) ud=${kv#*=}; role=cloud; [ -r "$ud" ] || die "cannot read '$ud'";;
        *) die "what is '$kv'?";; esac; done
    if vm_pid "$name" >/dev/null; then say "$name is up"; return; fi
    ip=${ip:-$(cat "$VMS/$name/ip" 2>/dev/null || next_ip)}
    if [ "$role" = cloud ] && guests_wanted; then
        prepare_guest "$name" "$ip" "$image" "$cpus" "$mem" "$ud" "$key"
    else
        prepare_vm "$name" "$ip" "$role" "$image" "$SEC" "$cpus" "$mem" "$ud" "$key"
    fi
    [ -z "$tell" ] || echo "$tell" >"$VMS/$name/tell"
    up_net "$name" "$ip"; boot_vm "$name"
    say "$name is up at $ip ($role, $SEC, $cpus cpus, $mem MB)"
}

node_kill() { # NAME [--crash] : the plug is pulled, the disk is thrown away
    local p i
    [ -d "$VMS/${1:?}" ] || die "no VM '$1'"
    # The cable first: a deleted VM sends no FIN and no RST.  With --crash the
    # kernel lives on and closes the sockets of the dead processes.
    [ "${2:-}" = --crash ] || ip -n $SW link set "v$(sed 's/.*[.]//' "$VMS/$1/ip")" down 2>/dev/null || true
    if p=$(vm_pid "$1"); then
        kill -9 "$p"    # PID 1 of a PID namespace takes all its processes along
        wait_gone "$p" 20 || true
    fi
    unplug "$1"
    for i in $(seq 50); do rm -rf "${VMS:?}/$1" 2>/dev/null && break; sleep 0.1; done
    say "$1 is gone"
}

node_off() { # NAME : the power button, and after five seconds (a guest: two minutes) the plug; the disk stays
    local d=$VMS/${1:?} p tenths=50
    [ -d "$d" ] || die "no VM '$1'"
    touch "$d/off"  # before it ends: nobody need be told
    if p=$(vm_pid "$1"); then
        if is_guest "$1"; then press_button "$1"; tenths=1200; else kill -TERM "$p"; fi
        wait_gone "$p" $tenths || { kill -9 "$p" 2>/dev/null; wait_gone "$p" 20; } || die "$1 does not end"
    fi
    with_lock; unplug "$1"
    say "$1 is off"
}

node_on() { # NAME
    local d=$VMS/${1:?}
    [ -s "$d/lower" ] || die "no VM '$1'"
    if vm_pid "$1" >/dev/null; then say "$1 is up"; return; fi
    up_net "$1" "$(cat "$d/ip")"; boot_vm "$1"
    say "$1 is on"
}

node_snapshot() { # NAME FOLDER [IMAGE] : a disk as image, at rest or not, as a real snapshot
    local d=$VMS/$1 to=${2:?} lower
    if { [ -n "$1" ] && is_guest "$1"; } || { [ -z "$1" ] && guests_wanted; }; then guest_snapshot "$@"; return; fi
    if [ -n "${3:-}" ]; then
        lower=$(image_layers "$3"); mkdir -p "$to.part/disk"
    else
        [ -n "$1" ] && lower=$(cat "$d/lower") || die "no VM '$1'"
        rm -rf "$to.part"; mkdir -p "$to.part"
        # Whiteouts and the overlay's own attributes included.
        cp -a --reflink=auto "$d/upper" "$to.part/disk"
    fi
    echo "$lower" >"$to.part/lower"
    mv -T "$to.part" "$to"
    say "${1:-a disk} is copied: $(du -sh "$to" | cut -f1)"
}

exec_in() { # [-h NAME] [-u USER] CMD...   replaces this shell
    local host=$CM user=root p
    while :; do case ${1:-} in -h) host=$2; shift 2;; -u) user=$2; shift 2;; *) break;; esac; done
    p=$(vm_pid "$host") || die "machine '$host' is not up"
    if is_guest "$host"; then guest_exec "$host" "$user" "$@"; fi
    local home=/root; [ "$user" = root ] || home=/home/$user
    local -a as=(setpriv --pdeathsig KILL)
    [ "$user" = root ] || as+=(--reuid "$user" --regid "$user" --init-groups)
    # nsenter stays as the parent outside; with it dies, by pdeathsig, the program inside.
    exec nsenter -t "$p" -m -u -i -n -p -r --wdns="$home" \
        env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        LANG=C.UTF-8 TERM="${TERM:-dumb}" HOME="$home" USER="$user" "${as[@]}" "$@"
}
condor_exec() { (exec_in "$@"); }

fresh_nodes() { # how many VMs that are up now have an ad of this life of theirs
    # The collector keeps a dead node's ad for 15 minutes: count by address and start time.
    local v t since
    condor_exec condor_status -constraint PartitionableSlot -af StartdIpAddr DaemonStartTime 2>/dev/null |
        sed 's/^<//; s/:[^ ]* / /' |
    while read -r v t; do
        v=$(dirname "$(grep -lsx "$v" "$VMS"/*/ip | head -1)" 2>/dev/null) || continue
        since=$(stat -c %Y "$v/pid" 2>/dev/null) || continue
        vm_pid "$(basename "$v")" >/dev/null && [ "$t" -ge $((since - 2)) ] && echo "$v"
    done | wc -l
}

wait_pool() { # N [SECS]
    local end=$((SECONDS + ${2:-60})) n=0
    while [ $SECONDS -lt $end ]; do
        n=$(fresh_nodes) || n=0
        [ "$n" -ge "$1" ] && { say "pool has $n nodes"; return 0; }; sleep 0.3
    done; die "only $n of $1 nodes after ${2:-60} s"
}

condor_alive() { condor_exec pidof condor_master >/dev/null 2>&1; }

up() {
    mkdir -p "$STATE/logs" "$VMS"; build_rootfs; build_guests; make_secrets; up_switch
    if ! vm_pid $CM >/dev/null; then
        # Its disk, where there is one, stays: a manager that boots again knows its queue.
        prepare_vm $CM $CM_IP cm condor "$SEC"; up_net $CM $CM_IP; boot_vm $CM
        [ "$SEC" = password ] || make_ehos_token
        introduce_ehos
        say "$CM is up at $CM_IP ($SEC)"
    elif ! condor_alive; then
        say "$CM runs without HTCondor: started"
        condor_exec condor_master 9>&-  # or the daemon would hold the lock
        introduce_ehos
    fi
}

down() {
    local v
    for v in "$VMS"/*/; do [ -d "$v" ] || continue; node_kill "$(basename "$v")"; done
    ip netns del $SW 2>/dev/null || true
}

case $(basename "$0") in
    condor-up)   with_lock; up ;;
    condor-down) with_lock; down ;;
    node-add)    with_lock; node_add "$@" ;;
    node-kill)   with_lock; node_kill "$@" ;;
    node-off)    node_off "$@" ;;
    node-on)     with_lock; node_on "$@" ;;
    node-snapshot) node_snapshot "$@" ;;
    node-up)     vm_pid "$1" >/dev/null ;;
    exec)        exec_in "$@" ;;
    net)         with_lock; up_switch; up_net "$@" ;;
    root)        ! is_guest "${1:-$CM}" && p=$(vm_pid "${1:-$CM}") && echo "/proc/$p/root" ;;
    wait-pool)   wait_pool "$@" ;;
    *) die "call it by one of its names: see the head of condor.sh" ;;
esac
