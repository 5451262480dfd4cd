"""Nova's fake hypervisor, with what an autoscaler's tests need on top.

* snapshots upload a few bytes, so that createImage and createBackup end in an
  active image (the stock driver leaves them queued for ever); the property
  osbed_disk of an image says what the disk of its servers begins as: a name
  that the hook knows, or, in a snapshot, the image's own id;
* a server that has switched itself off, for which there is a file
  $OSBED_HALTED/UUID, is seen as SHUTOFF a second later;
* servers survive a restart of the control plane (the stock driver forgets
  them; the database then says ACTIVE and every action fails);
* the console shows a plausible boot log;
* the metadata of a server can ask for trouble:
      osbed:spawn_seconds=N    the build takes N seconds
      osbed:fail=spawn         the build aborts: ERROR, with a fault
      osbed:fail=reschedule    the host refuses: ERROR "exceeded max retries"
      osbed:destroy_failures=N the first N deletions fail: the server goes to
                               ERROR, and deleting it again may work
      osbed:destroy_seconds=N  deleting takes N seconds
      osbed:no_console=1       the console output is empty
      osbed:fail=snapshot      createImage is accepted, then fails: Nova deletes
                               the image
      osbed:snapshot=queued    the image stays queued for ever
      osbed:snapshot_seconds=N the image is ready after N seconds more
* the console of a server is the file $OSBED_CONSOLES/UUID, where there is one;
* $OSBED_HOOK, if set, is run as `HOOK EVENT UUID`, EVENT being spawn, destroy,
  power_on, power_off or snapshot, with the server's description as JSON on its
  standard input (user data included), so that a test can start something real
  for a server.  Its last words on stderr become the server's fault.
"""
import collections
import io
import json
import os
import subprocess
import time

import eventlet
from nova.compute import power_state
from nova.compute import vm_states
from nova import context as nova_context
from nova import exception
from nova.image import glance
from nova import objects
from nova.scheduler.client import report
from nova.virt import event as virtevent
from nova.virt import fake
from oslo_log import log as logging

LOG = logging.getLogger(__name__)

# Nova reads the allocations of every server on the host from Placement, one
# by one, each time it builds or deletes one.  Only a driver that reshapes its
# providers uses the answer.  Hosts hold dozens of servers; ours holds all of
# them: 17,000 requests were counted before the first 100 of 200 were up.
report.SchedulerReportClient.get_allocations_for_provider_tree = lambda *a, **kw: {}


class BedDriver(fake.FakeDriver):
    vcpus = int(os.environ.get('OSBED_HOST_VCPUS', 1000))
    memory_mb = int(os.environ.get('OSBED_HOST_RAM_MB', 2000000))
    local_gb = int(os.environ.get('OSBED_HOST_DISK_GB', 100000))

    def init_host(self, host):
        super().init_host(host)
        ctxt = nova_context.get_admin_context()
        for inst in objects.InstanceList.get_by_host(ctxt, host):
            if inst.vm_state not in (vm_states.BUILDING, vm_states.DELETED):
                state = (power_state.SHUTDOWN if inst.vm_state == vm_states.STOPPED
                         else power_state.RUNNING)
                self.instances[inst.uuid] = fake.FakeInstance(inst.name, state, inst.uuid)
                self.resources.claim(inst.flavor.vcpus, inst.flavor.memory_mb,
                                     inst.flavor.root_gb)
        eventlet.spawn(self._watch)

    def _watch(self):
        """Reports what has switched itself off; one look a second, however many servers."""
        halted = os.environ.get('OSBED_HALTED') or '/nonexistent'
        while True:
            time.sleep(1)
            # Until the compute manager listens, events are dropped.
            if not self._compute_event_callback or not os.path.isdir(halted):
                continue
            for uuid in os.listdir(halted):
                try:
                    if uuid in self.instances:
                        self.instances[uuid].state = power_state.SHUTDOWN
                        self.emit_event(virtevent.LifecycleEvent(
                            uuid, virtevent.EVENT_LIFECYCLE_STOPPED))
                    os.remove(os.path.join(halted, uuid))
                except Exception:
                    LOG.exception('the end of %s is not reported', uuid)

    def spawn(self, context, instance, image_meta, *args, **kwargs):
        meta = instance.metadata
        time.sleep(float(meta.get('osbed:spawn_seconds', 0)))
        if meta.get('osbed:fail') == 'spawn':
            raise exception.BuildAbortException(
                instance_uuid=instance.uuid, reason='asked for by osbed:fail=spawn')
        if meta.get('osbed:fail') == 'reschedule':
            raise exception.ComputeResourcesUnavailable(
                reason='asked for by osbed:fail=reschedule')
        super().spawn(context, instance, image_meta, *args, **kwargs)
        network_info = kwargs.get('network_info') or (args[3] if len(args) > 3 else None)
        try:
            self._hook('spawn', instance, image_name=image_meta.name, addresses=[
                ip['address'] for vif in network_info or () for ip in vif.fixed_ips()])
        except exception.NovaException as e:
            # Another host would fare no better.
            raise exception.BuildAbortException(instance_uuid=instance.uuid, reason=e)

    def destroy(self, context, instance, *args, **kwargs):
        meta = instance.metadata
        time.sleep(float(meta.get('osbed:destroy_seconds', 0)))
        self.failures = getattr(self, 'failures', collections.Counter())
        if self.failures[instance.uuid] < int(meta.get('osbed:destroy_failures', 0)):
            self.failures[instance.uuid] += 1
            raise exception.InstanceTerminationFailure(
                reason='asked for by osbed:destroy_failures')
        super().destroy(context, instance, *args, **kwargs)
        try:
            self._hook('destroy', instance)
        except exception.NovaException:
            pass    # logged; the server goes all the same

    def power_off(self, instance, *args, **kwargs):
        self._hook('power_off', instance)
        super().power_off(instance, *args, **kwargs)

    def power_on(self, context, instance, *args, **kwargs):
        self._hook('power_on', instance)
        super().power_on(context, instance, *args, **kwargs)

    def snapshot(self, context, instance, image_id, update_task_state):
        super().snapshot(context, instance, image_id, update_task_state)
        meta = instance.metadata
        time.sleep(float(meta.get('osbed:snapshot_seconds', 0)))
        if meta.get('osbed:fail') == 'snapshot':
            raise exception.NovaException('asked for by osbed:fail=snapshot')
        if meta.get('osbed:snapshot') == 'queued':
            return
        self._hook('snapshot', instance, image_id=image_id)
        body = ('osbed snapshot of %s\n' % instance.uuid).encode().ljust(4096, b'\0')
        glance.API().update(
            context, image_id,
            {'status': 'active', 'disk_format': 'raw', 'container_format': 'bare',
             'min_disk': 0, 'properties': {'osbed_disk': image_id}},
            io.BytesIO(body), purge_props=False)

    def get_console_output(self, context, instance):
        if instance.metadata.get('osbed:no_console'):
            return ''
        # A hook that starts something real for a server leaves its console here.
        real = os.path.join(os.environ.get('OSBED_CONSOLES') or '/nonexistent', instance.uuid)
        if os.path.exists(real):
            # Nova takes a character for a byte.
            with open(real, encoding='latin-1') as log:
                return log.read()
        host = instance.hostname
        return ('[    0.000000] Linux version 6.1.0-osbed (fake)\n'
                '[    1.234567] systemd[1]: Hostname set to <%s>.\n'
                'Cloud-init v. 22.4.2 running modules:final. Up 12.34 seconds\n'
                'Cloud-init v. 22.4.2 finished. Datasource DataSourceOpenStackLocal.\n'
                '\n%s login: ' % (host, host))

    def _hook(self, event, instance, **more):
        hook = os.environ.get('OSBED_HOOK')
        if not hook:
            return
        info = {'event': event, 'uuid': instance.uuid, 'name': instance.display_name,
                'project_id': instance.project_id, 'metadata': dict(instance.metadata),
                'flavor': instance.flavor.name, 'vcpus': instance.flavor.vcpus,
                'ram_mb': instance.flavor.memory_mb, 'image': instance.image_ref,
                # Nova keeps an image's properties with each server made from it.
                'disk': instance.system_metadata.get('image_osbed_disk'),
                'key_data': instance.key_data, 'user_data': instance.user_data, **more}
        try:
            subprocess.run([hook, event, instance.uuid], input=json.dumps(info).encode(),
                           stderr=subprocess.PIPE, timeout=300, check=True)
        except Exception as e:
            LOG.exception('hook %s failed for %s', event, instance.uuid)
            said = (getattr(e, 'stderr', None) or b'').decode(errors='replace').strip()
            raise exception.NovaException('%s: %s' % (event, said or e))
