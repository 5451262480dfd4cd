"""Cinder's logging driver, which moves no data, also for images."""
from cinder.tests import fake_driver


class BedVolumeDriver(fake_driver.FakeLoggingVolumeDriver):
    def clone_image(self, *args, **kwargs):
        # "The volume holds the image already": booting from a volume works.
        return {}, True
