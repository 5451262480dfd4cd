"""Run one OpenStack service, or one of its manage commands, in this process.

    run.py keystone|placement|glance|neutron|nova|cinder [CONFIG OPTIONS]
    run.py nova-conductor|nova-scheduler|nova-compute|nova-api ...
    run.py keystone-manage|nova-manage|... ARGUMENTS

Debian splits the console scripts over packages with init scripts and debconf
questions; calling the same entry points from here needs only the libraries.
"""
import gc
import importlib
import os
import signal
import sys

# SQLAlchemy makes garbage by the thousand objects; collecting it less often
# saves a good part of the CPU time.
gc.set_threshold(50000, 20, 50)
what = sys.argv.pop(1)
ETC = os.environ['OSBED_ETC']
HOST = os.environ.get('OSBED_HOST', '127.0.0.1')


def call(module, function='main'):
    return getattr(importlib.import_module(module), function)()


def conf(name):
    """Put --config-file in front of the arguments."""
    sys.argv[0] = what
    sys.argv[1:1] = ['--config-file', '%s/%s.conf' % (ETC, name)]


def threaded(app, port, threads=8):
    """Serve a WSGI application with native threads."""
    import waitress
    waitress.serve(app, host=HOST, port=int(port), threads=threads,
                   channel_timeout=300, ident=None, clear_untrusted_proxy_headers=False)


def keystone():
    os.environ['OS_KEYSTONE_CONFIG_FILES'] = ETC + '/keystone.conf'
    from keystone.server.wsgi import initialize_public_application
    threaded(initialize_public_application(), os.environ['OSBED_KEYSTONE_PORT'])


def placement():
    os.environ['OS_PLACEMENT_CONFIG_DIR'] = ETC
    from placement.wsgi import init_application
    threaded(init_application(), os.environ['OSBED_PLACEMENT_PORT'])


def neutron():
    # The stock neutron-server insists on forking an RPC worker for agents.
    # There are no agents, so serve only the API application.
    from neutron.common import eventlet_utils
    eventlet_utils.monkey_patch()
    os.environ['OS_NEUTRON_CONFIG_DIR'] = ETC
    os.environ['OS_NEUTRON_CONFIG_FILES'] = 'neutron.conf'
    import eventlet
    import eventlet.wsgi
    from neutron import server
    from neutron.common import config
    server._init_configuration()
    app = config.load_paste_app('neutron')
    # A plug-in installs handlers that belong to the stock server's launcher.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    eventlet.wsgi.MAX_HEADER_LINE = 16384
    eventlet.wsgi.server(eventlet.listen((HOST, int(os.environ['OSBED_NEUTRON_PORT'])),
                                         backlog=512),
                         app, log=open(os.environ['OSBED_LOG'] + '/neutron-access.log', 'a', 1),
                         keepalive=True, socket_timeout=300)


def nova_common():
    """What the nova-* commands do before they create their service."""
    import nova.cmd  # noqa: monkey-patches
    import nova.conf
    from nova import config
    from nova import objects
    from oslo_log import log as logging
    # compute_driver names a module below nova.virt; lend it ours.
    import nova.virt
    import osbed.virt
    sys.modules['nova.virt.osbed'] = osbed.virt
    nova.virt.osbed = osbed.virt
    conf('nova')
    config.parse_args(sys.argv)
    logging.setup(nova.conf.CONF, 'nova')
    objects.register_all()
    objects.Service.enable_min_version_cache()
    return nova.conf.CONF


def nova(names=('conductor', 'scheduler', 'compute', 'api')):
    CONF = nova_common()
    from nova import service
    from nova import utils
    from oslo_service import service as oslo_service
    if 'compute' in names:
        import shlex
        import os_vif
        from oslo_privsep import priv_context
        priv_context.init(root_helper=shlex.split(utils.get_root_helper()))
        os_vif.initialize()
        if names == ('compute',):
            # On its own the compute service reaches the database through the
            # conductor, as in production; together with it, directly.
            import nova.db.main.api
            from nova.conductor import rpcapi
            from nova.objects import base
            nova.db.main.api.DISABLE_DB_ACCESS = True
            base.NovaObject.indirection_api = rpcapi.ConductorAPI()
    launcher = oslo_service.ServiceLauncher(CONF, restart_method='mutate')
    for name in names:
        if name == 'api':
            svc = service.WSGIService('osapi_compute')
        else:
            svc = service.Service.create(binary='nova-' + name, topic=name)
        launcher.launch_service(svc)
    launcher.wait()


def cinder():
    # As cinder-api's own script: patch first, import the rest after.
    import cinder.cmd.volume as vol  # noqa: monkey-patches, registers options
    from cinder.common import config
    from cinder import coordination
    from cinder import objects
    from cinder import rpc
    from cinder import service
    from cinder import version
    from oslo_log import log as logging
    from oslo_service import service as oslo_service
    CONF = vol.CONF
    conf('cinder')
    objects.register_all()
    CONF(sys.argv[1:], project='cinder', version=version.version_string())
    config.set_middleware_defaults()
    logging.setup(CONF, 'cinder')
    coordination.COORDINATOR.start()
    rpc.init(CONF)
    launcher = oslo_service.ServiceLauncher(CONF, restart_method='mutate')
    launcher.launch_service(service.Service.create(binary='cinder-scheduler'))
    for backend in CONF.enabled_backends:
        launcher.launch_service(service.Service.create(
            host='%s@%s' % (CONF.host, backend), service_name=backend,
            binary='cinder-volume', coordination=False))
    launcher.launch_service(service.WSGIService('osapi_volume'))
    launcher.wait()


def glance():
    conf('glance')
    call('glance.cmd.api')


MANAGE = {'keystone-manage': ('keystone', 'keystone.cmd.manage'),
          'placement-manage': ('placement', 'placement.cmd.manage'),
          'glance-manage': ('glance', 'glance.cmd.manage'),
          'neutron-db-manage': ('neutron', 'neutron.db.migration.cli'),
          'nova-manage': ('nova', 'nova.cmd.manage'),
          'cinder-manage': ('cinder', 'cinder.cmd.manage')}

if what in MANAGE:
    conf(MANAGE[what][0])
    sys.exit(call(MANAGE[what][1]))
elif what.startswith('nova-'):
    nova((what[5:],))
else:
    sys.exit(globals()[what]())
