# What the bed's scripts share: where the bed lives, what its namespaces are
# called, what it needs of the host.  Sourced, never run.
set -euo pipefail
BED=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)

# One bed a checkout.  Several stand side by side on one machine, since all that
# they could collide on, the names of their namespaces, comes from the folder.
: "${BED_STATE:=$(dirname "$BED")/target/testbed}"
: "${BED_NS:=ehos-$(printf %s "$BED_STATE" | sha256sum | cut -c1-6)}"
export BED_STATE BED_NS
# The socket of the database stands here: a path below $BED_STATE may be longer
# than the 107 bytes that fit into a socket's address.  Only root can write to /run.
RUNDIR=/run/$BED_NS

NET=198.18.77             # RFC 2544 test range; exists only inside the namespaces
CM_IP=$NET.10             # the manager of the pool
OS_IP=$NET.5              # OpenStack
POOL=$NET.100-$NET.250    # the servers' of project demo; those of the two small ones
POOL_OTHER=$NET.40-$NET.69
POOL_TIGHT=$NET.70-$NET.79

HOST_PACKAGES=(debootstrap iproute2
    # Only the libraries (python3-nova, not nova-api) and the server without its
    # service: no debconf questions, no init scripts.
    python3-keystone python3-nova python3-neutron python3-glance python3-placement
    python3-cinder python3-pymysql python3-memcache python3-waitress
    python3-openstackclient mariadb-server-core mariadb-client-core openssh-client)

say() { printf '%s %s\n' "$(date +%T)" "$*" >&2; }
die() { say "testbed: $*"; exit 1; }

missing_packages() {
    local p
    for p in "${HOST_PACKAGES[@]}"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || echo "$p"
    done
}

# A process is ours if it lives in one of our network namespaces: no pid can be
# mistaken, however old the file is that names it.
in_namespace() { # PID NAME
    local net; net=$(stat -Lc %i "/run/netns/$BED_NS-$2" 2>/dev/null) &&
        [ "$(readlink "/proc/$1/ns/net" 2>/dev/null)" = "net:[$net]" ]
}
