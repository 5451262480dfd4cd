#cloud-boothook
#!/bin/sh
# A probe of a fresh image: no user's job ever starts here. The file is there before HTCondor is started, and its
# name comes behind whatever else is in config.d.
set -u
install -d -m 0755 /etc/condor/config.d
cat >/etc/condor/config.d/99-zz-ehos-probe.conf <<'CONF'
START = (TARGET.EhosProbe =?= "__NODE__")
CONF
