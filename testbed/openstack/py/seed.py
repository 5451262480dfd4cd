"""Create what is missing: identity first, then the things a test uses."""
import io
import os
import subprocess
import sys
import time

import openstack

E = os.environ
HOST, STATE, REGION = E['OSBED_HOST'], E['OSBED_STATE'], E['OSBED_REGION']
AUTH = 'http://%s:%s/v3' % (HOST, E['OSBED_KEYSTONE_PORT'])


def connect(user, password, project):
    return openstack.connect(
        auth=dict(auth_url=AUTH, username=user, password=password, project_name=project,
                  user_domain_name='Default', project_domain_name='Default'),
        region_name=REGION, load_envvars=False, load_yaml_config=False,
        compute_api_version='2', volume_api_version='3')


def ensure(find, create, name, **kw):
    return find(name, ignore_missing=True) or create(name=name, **kw)


def identity():
    admin = connect('admin', E['OSBED_ADMIN_PASSWORD'], 'admin')
    k = admin.identity
    roles = {r.name: r for r in k.roles()}
    for name in ('service', 'member', 'reader'):
        if name not in roles:
            roles[name] = k.create_role(name=name)
    service = ensure(k.find_project, k.create_project, 'service', domain_id='default')
    demo = ensure(k.find_project, k.create_project, 'demo', domain_id='default')

    def user(name, password, project, role_names):
        u = k.find_user(name, ignore_missing=True) or k.create_user(
            name=name, password=password, domain_id='default', default_project_id=project.id)
        for r in role_names:
            k.assign_project_role_to_user(project, u, roles[r])
        return u
    user('svc', E['OSBED_SERVICE_PASSWORD'], service, ('admin', 'service'))
    user('demo', E['OSBED_DEMO_PASSWORD'], demo, ('member',))
    # Two separate projects: one with small quotas, and one that may have nothing.
    for name in ('other', 'tight'):
        project = ensure(k.find_project, k.create_project, name, domain_id='default')
        user(name, E['OSBED_DEMO_PASSWORD'], project, ('member',))

    catalog = [('nova', 'compute', 'NOVA', '/v2.1'), ('placement', 'placement', 'PLACEMENT', ''),
               ('glance', 'image', 'GLANCE', ''), ('neutron', 'network', 'NEUTRON', ''),
               ('cinderv3', 'volumev3', 'CINDER', '/v3/%(project_id)s'),
               ('cinder', 'block-storage', 'CINDER', '/v3/%(project_id)s')]
    have = {s.type: s for s in k.services()}
    endpoints = {(e.service_id, e.interface): e for e in k.endpoints()}
    for name, kind, port, path in catalog:
        url = 'http://%s:%s%s' % (HOST, E['OSBED_%s_PORT' % port], path)
        svc = have.get(kind) or k.create_service(name=name, type=kind)
        for interface in ('public', 'internal'):
            e = endpoints.get((svc.id, interface))
            if not e:
                k.create_endpoint(service_id=svc.id, interface=interface, url=url, region_id=REGION)
            elif e.url != url:
                k.update_endpoint(e, url=url)


def resources():
    admin = connect('admin', E['OSBED_ADMIN_PASSWORD'], 'admin')
    projects = {name: connect(name, E['OSBED_DEMO_PASSWORD'], name)
                for name in ('demo', 'other', 'tight')}
    c, n = admin.compute, admin.network

    flavors = {f.name for f in c.flavors()}
    for i, (name, vcpus, ram, disk) in enumerate([
            ('m1.small', 1, 2048, 20), ('m1.medium', 2, 4096, 40),
            ('m1.large', 4, 8192, 80), ('m1.xlarge', 8, 16384, 160),
            # More disk than the host has.  Disk is the one thing without a
            # quota, so this passes the API and ends in "No valid host".
            ('too.big', 1, 2048, int(E['OSBED_HOST_DISK_GB']) + 1)], 1):
        if name not in flavors:
            c.create_flavor(name=name, id=str(i), vcpus=vcpus, ram=ram, disk=disk)

    # What their servers boot is the hook's business; this is what it goes by.
    for name, disk in (('debian-12', 'condor'), ('debian-13', 'bare')):
        if not admin.image.find_image(name, ignore_missing=True):
            path = '%s/image-src/%s.raw' % (STATE, name)
            with open(path, 'wb') as f:
                f.write(b'osbed image\n'.ljust(1 << 20, b'\0'))
            admin.image.create_image(name=name, filename=path, disk_format='raw',
                                     container_format='bare', visibility='public', wait=True,
                                     os_distro='debian', osbed_disk=disk)

    public = n.find_network('public', ignore_missing=True) or n.create_network(
        name='public', is_router_external=True, provider_network_type='flat',
        provider_physical_network='external')
    if not n.find_subnet('public-subnet', ignore_missing=True):
        n.create_subnet(name='public-subnet', network_id=public.id, ip_version=4,
                        cidr=E['OSBED_PUBLIC_CIDR'], is_dhcp_enabled=False)
    for name, project in projects.items():
        belongings(name, project, public)

    def quotas(project, instances, cores, ram, fips, volumes):
        admin.set_compute_quotas(project, instances=instances, cores=cores, ram=ram,
                                 key_pairs=100, server_groups=20, metadata_items=128)
        admin.set_network_quotas(project, floatingip=fips, port=instances * 2 + 50,
                                 security_group=50, security_group_rule=500)
        admin.set_volume_quotas(project, volumes=volumes, gigabytes=volumes * 100, snapshots=volumes)
    quotas('demo', *(int(E['OSBED_QUOTA_' + q]) for q in
                     ('INSTANCES', 'CORES', 'RAM_MB', 'FLOATING_IPS', 'VOLUMES')))
    quotas('other', 2, 4, 8192, 1, 2)
    quotas('tight', 0, 0, 0, 0, 0)


def belongings(name, project, public):
    """What every project has of its own, under the same names."""
    n = project.network
    mine = {'project_id': project.current_project_id}   # shared and public ones are found, too
    private = n.find_network('private', ignore_missing=True, **mine) or n.create_network(name='private')
    subnet = n.find_subnet('private-subnet', ignore_missing=True, **mine) or n.create_subnet(
        name='private-subnet', network_id=private.id, ip_version=4,
        cidr=E['OSBED_PRIVATE_CIDR'], dns_nameservers=['192.0.2.53'],
        allocation_pools=[dict(zip(('start', 'end'), E['OSBED_POOL_' + name.upper()].split('-')))])
    if not n.find_router('router', ignore_missing=True, **mine):
        r = n.create_router(name='router', external_gateway_info={'network_id': public.id})
        n.add_interface_to_router(r, subnet_id=subnet.id)
    if not n.find_security_group('workers', ignore_missing=True, **mine):
        g = n.create_security_group(name='workers', description='SSH and HTCondor')
        for port in (22, 9618):
            n.create_security_group_rule(security_group_id=g.id, direction='ingress',
                                         ether_type='IPv4', protocol='tcp', port_range_min=port,
                                         port_range_max=port, remote_ip_prefix='0.0.0.0/0')
    if not project.compute.find_keypair('demo-key', ignore_missing=True):
        key = STATE + '/demo-key'
        if not os.path.exists(key):
            subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'osbed', '-f', key],
                           check=True)
        project.compute.create_keypair(name='demo-key', public_key=open(key + '.pub').read().strip())


def ready(seconds=90):
    """Wait until the compute host is up, known to Placement and in a cell."""
    admin = connect('admin', E['OSBED_ADMIN_PASSWORD'], 'admin')
    end = time.time() + seconds
    while time.time() < end:
        try:
            up = [s for s in admin.compute.services() if s.binary == 'nova-compute' and s.state == 'up']
            hosts = list(admin.compute.hypervisors())
            rps = admin.session.get('/resource_providers', endpoint_filter={
                'service_type': 'placement', 'interface': 'public'}).json()['resource_providers']
            if up and hosts and rps:
                return
        except Exception as e:                      # still starting
            print('not yet:', e)
        time.sleep(0.5)
    sys.exit('the compute host did not come up')


{'identity': identity, 'resources': resources, 'ready': ready}[sys.argv[1]]()
