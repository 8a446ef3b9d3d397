# Walks KEEPALIVED-MIB with pysnmp, 25 objects at a time, and writes how many there are.
from pysnmp.hlapi import (
    CommunityData, ContextData, ObjectIdentity, ObjectType, SnmpEngine, UdpTransportTarget, bulkCmd,
)

objects = 0
for error, status, _, binds in bulkCmd(
    SnmpEngine(), CommunityData("public"), UdpTransportTarget(("127.0.0.1", 1161)), ContextData(), 0, 25,
    ObjectType(ObjectIdentity("1.3.6.1.4.1.9586.100.5")), lexicographicMode=False,
):
    assert not error and not status, (error, status)
    objects += len(binds)
print(objects)
