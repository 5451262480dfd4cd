
# There is no pool yet: the node is one by itself, and nobody else can reach it.
cat >>/etc/condor/config.d/99-zz-ehos-probe.conf <<'CONF'
CONDOR_HOST = 127.0.0.1
NETWORK_INTERFACE = 127.0.0.1
DAEMON_LIST = MASTER COLLECTOR NEGOTIATOR SCHEDD STARTD
SEC_DEFAULT_AUTHENTICATION_METHODS = FS
SEC_CLIENT_AUTHENTICATION_METHODS = FS
ALLOW_WRITE = *
ALLOW_NEGOTIATOR = condor@$(UID_DOMAIN)
ALLOW_ADVERTISE_SCHEDD = condor@$(UID_DOMAIN)
UPDATE_INTERVAL = 5
NEGOTIATOR_INTERVAL = 5
NEGOTIATOR_CYCLE_DELAY = 1
SCHEDD_INTERVAL = 5
CONF

cat >/usr/local/sbin/ehos-probe <<'SCRIPT'
#!/bin/sh
# Submits one job as an ordinary user and says on the console whether it ran.
set -u
export LC_ALL=C
CONSOLE=/dev/console
[ -c "$CONSOLE" ] || CONSOLE=/proc/1/fd/1
say() { echo "EHOS probe: $*" >>"$CONSOLE"; }
fail() {
    log=$(condor_config_val STARTD_LOG 2>/dev/null)
    say "FAILED: $* | StartLog: $(tail -n 3 "${log:-/dev/null}" 2>&1 | tr '\n' '|')"
    exit 1
}
# Tries the rest of the line once a second; the first word says how often.
within() {
    left=$1
    shift
    until timeout 20 "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || return 1
        sleep 1
    done
}

# cloud-init starts HTCondor at its end.
within 900 condor_status -schedd -af Name || fail "HTCondor did not start within 15 minutes"
slot() { timeout 20 condor_status -startd -af Name | grep -q .; }
left=120
until slot; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || fail "no slot within 2 minutes"
    sleep 1
done

id ehos-probe >/dev/null 2>&1 || useradd --system --no-create-home ehos-probe || fail "no user for the job could be made"
folder=$(mktemp -d /var/tmp/ehos-probe.XXXXXX) || fail "no folder for the job"
chown ehos-probe "$folder"
cd "$folder" || fail "no folder for the job"
cat >job.sub <<'JOB'
executable = /bin/sh
arguments = "-c 'echo the job has run'"
transfer_executable = false
should_transfer_files = YES
output = out
error = err
log = log
request_cpus = 1
request_memory = 32
request_disk = 1024
+EhosProbe = "__NODE__"
queue
JOB
submit() { runuser -u ehos-probe -- env HOME="$folder" condor_submit job.sub; }
left=60
until said=$(submit 2>&1); do
    left=$((left - 1))
    [ "$left" -gt 0 ] || fail "the job cannot be submitted: $(echo "$said" | tr '\n' ' ')"
    sleep 1
done
state() { timeout 20 condor_q -all -af JobStatus HoldReason 2>&1 | tr '\n' ' '; }
timeout 320 runuser -u ehos-probe -- condor_wait -wait 300 "$folder/log" >/dev/null 2>&1 ||
    fail "the job did not end within 5 minutes; JobStatus, HoldReason: $(state)"
[ "$(cat out)" = "the job has run" ] || fail "the job has not written what it should: $(head -c 200 err)"
say "passed"
SCRIPT
chmod 0755 /usr/local/sbin/ehos-probe

# It goes on behind cloud-init, whose services end what they started; at this early time nothing may be waited for.
# A boothook runs at every boot, the probe once.
if [ ! -e /var/lib/cloud/ehos-probe ]; then
    : >/var/lib/cloud/ehos-probe
    if [ -d /run/systemd/system ]; then
        systemd-run --no-block --unit=ehos-probe /usr/local/sbin/ehos-probe
    else
        setsid nohup /usr/local/sbin/ehos-probe </dev/null >/dev/null 2>&1 &
    fi
fi
