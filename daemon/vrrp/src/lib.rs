//! VRRP: packet codecs, the virtual-router machine, sync groups and their runner.
