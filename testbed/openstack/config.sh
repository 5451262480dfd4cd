# The configuration of the services and of their clients, written below $BED_STATE.
# Sourced by openstack/up, which sets the names used here.

db_url() { echo "mysql+pymysql://root@localhost/$1?unix_socket=$SOCK&charset=utf8"; }

# Options shared by all services but Keystone: how to check a caller's token.
authtoken() { cat <<EOF
[keystone_authtoken]
www_authenticate_uri = $KEYSTONE
$(auth_plugin)
# Tokens that come with a valid service token pass although expired: long
# operations (Nova calling Cinder) finish after the user's token ran out.
service_token_roles = service
service_token_roles_required = true
# In-process cache; a revoked token is honoured for at most this long.
token_cache_time = 10
EOF
}
auth_plugin() { cat <<EOF
auth_type = password
auth_url = $KEYSTONE
username = svc
password = $OSBED_SERVICE_PASSWORD
project_name = service
user_domain_name = Default
project_domain_name = Default
region_name = $OSBED_REGION
EOF
}
common() { cat <<EOF
[DEFAULT]
log_file = $LOG/$1.log
use_stderr = false
debug = false
state_path = $S/$1
transport_url = $TRANSPORT
host = osbed
[database]
connection = $(db_url "${2:-$1}")
max_pool_size = 20
max_overflow = 40
[oslo_concurrency]
lock_path = $S/$1/lock
[oslo_messaging_notifications]
driver = noop
EOF
}

write_config() {
    KEYSTONE=http://$OSBED_HOST:$OSBED_KEYSTONE_PORT/v3
    TRANSPORT=fake:///
    mkdir -p "$ETC"; cp "$HERE"/etc/*.ini "$ETC/"
    mkdir -p "$S"/{nova,neutron,cinder}/lock "$S"/glance/{images,staging,tmp,lock} "$S/image-src"

    cat >"$ETC/keystone.conf" <<EOF
[DEFAULT]
log_file = $LOG/keystone.log
use_stderr = false
[database]
connection = $(db_url keystone)
[token]
provider = fernet
expiration = $OSBED_TOKEN_TTL
[identity]
# Cheap hashes.  keystoneauth logs in anew when less than two minutes of a
# token are left, so with a short OSBED_TOKEN_TTL each call between the
# services costs a login; at the default 12 rounds that saturates a core.
password_hash_rounds = 4
[fernet_tokens]
key_repository = $S/keystone/fernet
[credential]
key_repository = $S/keystone/credential
[cache]
enabled = true
backend = dogpile.cache.memory
[security_compliance]
[oslo_messaging_notifications]
driver = noop
EOF

    cat >"$ETC/placement.conf" <<EOF
[DEFAULT]
log_file = $LOG/placement.log
use_stderr = false
[api]
auth_strategy = keystone
[placement_database]
connection = $(db_url placement)
$(authtoken)
EOF

    { common glance; cat <<EOF
[DEFAULT]
bind_host = $OSBED_HOST
bind_port = $OSBED_GLANCE_PORT
# 0: serve from this process, fork no workers.
workers = 0
node_staging_uri = file://$S/glance/staging
[paste_deploy]
flavor = keystone
config_file = $ETC/glance-paste.ini
[glance_store]
stores = file
default_store = file
filesystem_store_datadir = $S/glance/images
$(authtoken)
EOF
    } >"$ETC/glance.conf"

    { common neutron; cat <<EOF
[DEFAULT]
bind_host = $OSBED_HOST
bind_port = $OSBED_NEUTRON_PORT
core_plugin = ml2
service_plugins = router
auth_strategy = keystone
api_paste_config = $ETC/neutron-paste.ini
# The fake hypervisor does not wait for its ports.  The other kind of event
# brings floating IPs into a server's addresses.
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = true
send_events_interval = 1
# No agents: schedule nothing on them.
network_auto_schedule = false
router_auto_schedule = false
allow_automatic_dhcp_failover = false
dhcp_agent_notification = false
[ml2]
type_drivers = local,flat
tenant_network_types = local
mechanism_drivers = osbed
extension_drivers = port_security
[ml2_type_flat]
flat_networks = *
[securitygroup]
enable_security_group = true
[quotas]
default_quota = -1
quota_network = 20
quota_subnet = 20
quota_port = 1000
quota_floatingip = $OSBED_QUOTA_FLOATING_IPS
[nova]
$(auth_plugin)
$(authtoken)
EOF
    } >"$ETC/neutron.conf"

    { common nova nova_cell1; cat <<EOF
[DEFAULT]
my_ip = $OSBED_HOST
enabled_apis = osapi_compute
osapi_compute_listen = $OSBED_HOST
osapi_compute_listen_port = $OSBED_NOVA_PORT
osapi_compute_workers = 1
compute_driver = osbed.BedDriver
cpu_allocation_ratio = 1.0
ram_allocation_ratio = 1.0
disk_allocation_ratio = 1.0
reserved_host_memory_mb = 0
reserved_host_disk_mb = 0
max_concurrent_builds = 20
# Times in tests are short: notice changes soon.
update_resources_interval = 30
# Periodic tasks start at once, not within a random minute.
periodic_fuzzy_delay = 0
report_interval = 5
service_down_time = 60
[api]
auth_strategy = keystone
# A list asked for without a limit stops at this many servers.
max_limit = 1000
[wsgi]
api_paste_config = $ETC/nova-paste.ini
[api_database]
connection = $(db_url nova_api)
[conductor]
workers = 1
[scheduler]
workers = 1
# Map new compute hosts into the cell without a nova-manage call.
discover_hosts_in_cells_interval = 10
[vnc]
enabled = false
[spice]
enabled = false
[glance]
region_name = $OSBED_REGION
[cinder]
os_region_name = $OSBED_REGION
catalog_info = volumev3::publicURL
[placement]
$(auth_plugin)
[neutron]
$(auth_plugin)
[service_user]
send_service_user_token = true
$(auth_plugin)
$(authtoken)
EOF
    } >"$ETC/nova.conf"

    { common cinder; cat <<EOF
[DEFAULT]
my_ip = $OSBED_HOST
osapi_volume_listen = $OSBED_HOST
osapi_volume_listen_port = $OSBED_CINDER_PORT
osapi_volume_workers = 1
api_paste_config = $ETC/cinder-paste.ini
auth_strategy = keystone
enabled_backends = fake
default_volume_type = __DEFAULT__
volumes_dir = $S/cinder/volumes
periodic_fuzzy_delay = 0
# Cinder's own token of its service user.
[service_user]
send_service_user_token = true
$(auth_plugin)
[nova]
$(auth_plugin)
[coordination]
backend_url = file://$S/cinder/coordination
[fake]
volume_driver = osbed.volume.BedVolumeDriver
volume_backend_name = fake
volume_clear = none
$(authtoken)
EOF
    } >"$ETC/cinder.conf"
    mkdir -p "$S/cinder/volumes" "$S/cinder/coordination"
    echo '{}' >"$ETC/cinder-resource-filters.json"
}

write_credentials() {
    local u=$KEYSTONE
    rc() { cat <<EOF
export OS_AUTH_URL=$u OS_USERNAME=$1 OS_PASSWORD=$2 OS_PROJECT_NAME=$3
export OS_USER_DOMAIN_NAME=Default OS_PROJECT_DOMAIN_NAME=Default
export OS_IDENTITY_API_VERSION=3 OS_REGION_NAME=$OSBED_REGION OS_INTERFACE=public
EOF
    }
    local p; for p in demo other tight; do rc $p "$OSBED_DEMO_PASSWORD" $p >"$S/${p}rc"; done
    rc admin "$OSBED_ADMIN_PASSWORD" admin >"$S/adminrc"
    cp "$S/demorc" "$S/keystonerc"
    cloud() { cat <<EOF
  $1:
    region_name: $OSBED_REGION
    identity_api_version: 3
    auth:
      auth_url: $u
      username: $2
      password: $3
      project_name: $4
      user_domain_name: Default
      project_domain_name: Default
EOF
    }
    { echo clouds:; cloud osbed demo "$OSBED_DEMO_PASSWORD" demo
      cloud osbed-other other "$OSBED_DEMO_PASSWORD" other
      cloud osbed-tight tight "$OSBED_DEMO_PASSWORD" tight
      cloud osbed-admin admin "$OSBED_ADMIN_PASSWORD" admin; } >"$S/clouds.yaml"
    chmod 600 "$S"/{demorc,otherrc,tightrc,adminrc,keystonerc,clouds.yaml}
}

