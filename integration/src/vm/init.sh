#!/bin/sh
# The machine's first program: reaches the host's file system, puts a layer of memory over it and moves there.
b=/bin/busybox
$b mount -t proc proc /proc
@LOAD@
p9="trans=virtio,version=9p2000.L,msize=262144"
$b mount -t 9p -o ro,cache=loose,$p9 root /host || echo "init: no root"
$b mount -t tmpfs tmpfs /layer
$b mkdir /layer/upper /layer/work
$b mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work overlay /new || echo "init: no overlay"
for d in proc sys dev run lib/modules; do $b mkdir -p /new/$d; done
$b mount -t tmpfs tmpfs /new/run
$b mkdir /new/run/scenario
$b mount -t 9p -o $p9 share /new/run/scenario || echo "init: no share"
$b mount -t 9p -o ro,cache=loose,$p9 modules /new/lib/modules || echo "init: no modules"
$b mount -t devtmpfs devtmpfs /new/dev
$b mount -t sysfs sysfs /new/sys
$b mount --move /proc /new/proc
exec $b switch_root /new /bin/sh /run/scenario/start </dev/console >/dev/console 2>&1
