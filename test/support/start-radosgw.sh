#!/usr/bin/env bash
# Starts a throw-away Ceph (one monitor, one object store in memory, no manager) and one RADOS Gateway a
# site: real S3 servers on loopback, each site a realm of its own with its own users and buckets.
#
#   start-radosgw.sh DIR MONITOR_PORT GATEWAY_PORT...
#
# DIR is new or empty and holds everything: ceph.conf, logs, data, and in DIR/pids one pid file a daemon.
# MONITOR_PORT + 1 is taken too. DIR/start-N starts gateway N again; stop-radosgw.sh DIR stops all.
# Prints "endpoint accessKeyId secretAccessKey region" a site. Debian: radosgw ceph-mon ceph-osd ceph-common.
set -euo pipefail
[ $# -ge 3 ] || { sed -n '5p' "$0" >&2; exit 2; }
dir=$1 mon_port=$2; shift 2
access=filmroom secret=filmroom-test-secret
mkdir -p "$dir"; dir=$(cd "$dir" && pwd)
[ -z "$(ls -A "$dir")" ] || { echo "$dir is not empty" >&2; exit 2; }
mkdir "$dir"/{mon,osd,log,pids}
# A unix socket's path may have 107 bytes at most, so they live outside of a deep DIR.
sockets=$(mktemp -d /tmp/frgw.XXXXXX); echo "$sockets" > "$dir/sockets"
fsid=$(cat /proc/sys/kernel/random/uuid)
monitor="[v2:127.0.0.1:$mon_port,v1:127.0.0.1:$((mon_port + 1))]"
export CEPH_CONF=$dir/ceph.conf

fail() { echo "start-radosgw: $1" >&2; tail -n 5 "$dir"/log/* >&2 || true; "$(dirname "$0")/stop-radosgw.sh" "$dir" || true; exit 1; }

cat > "$CEPH_CONF" <<CONF
[global]
fsid = $fsid
mon_host = $monitor
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
keyring = $dir/keyring
run_dir = $sockets
admin_socket = $sockets/\$name.sock
pid_file = $dir/pids/\$name
log_file = $dir/log/\$name
mon_cluster_log_file = $dir/log/cluster
crash_dir = $dir/log
log_to_stderr = false
err_to_stderr = false
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 5000
[mon]
mon_data = $dir/mon
# Pools are made in milliseconds instead of seconds.
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
mon_data_avail_crit = 1
mon_data_avail_warn = 2
[osd]
osd_data = $dir/osd
osd_objectstore = memstore
memstore_device_bytes = 68719476736
osd_class_load_list = *
osd_class_default_list = *
osd_heartbeat_grace = 120
# Of a killed gateway: its successor would wait for it at the first new bucket.
osd_client_watch_timeout = 2
[client]
# The gateway's own default, secure, cannot be had without keys: it would wait for 300 s.
ms_mon_client_mode = crc
rgw_run_sync_thread = false
rgw_enable_usage_log = false
rgw_enable_ops_log = false
rgw_dns_name = localhost
rgw_gc_obj_min_wait = 5
rgw_gc_processor_period = 5
rgw_override_bucket_index_max_shards = 1
rgw_dynamic_resharding = false
rgw_bucket_quota_ttl = 1
rgw_user_quota_bucket_sync_interval = 1
CONF
: > "$dir/keyring"

monmaptool --create --clobber --fsid "$fsid" --addv a "$monitor" "$dir/monmap" > /dev/null
ceph-mon --mkfs -i a --monmap "$dir/monmap" || fail 'the monitor has no data'
ceph-mon -i a || fail 'the monitor did not start'
osd=$(cat /proc/sys/kernel/random/uuid)
timeout 30 ceph osd new "$osd" > /dev/null || fail 'the monitor does not answer'
ceph-osd -i 0 --mkfs --osd-uuid "$osd" 2>> "$dir/log/mkfs" || fail 'the object store has no data'
# With glibc's malloc, memory of deleted objects stays with the process unless it is told so.
MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=65536 ceph-osd -i 0 2>> "$dir/log/mkfs" || fail 'the object store did not start'

n=0
for port in "$@"; do
  n=$((n + 1))
  admin() { radosgw-admin "$@" --rgw-realm="r$n" --rgw-zonegroup="g$n" --rgw-zone="z$n" >> "$dir/log/admin-$n" 2>&1 || fail "site $n: $1 $2"; }
  radosgw-admin realm create --rgw-realm="r$n" >> "$dir/log/admin-$n" 2>&1 || fail "site $n: realm"
  admin zonegroup create --api-name=default --master
  admin zone create --master
  admin period update --commit
  admin user create --uid=filmroom --display-name=filmroom --access-key="$access" --secret-key="$secret"
  printf '[client.rgw.%s]\nrgw_realm = r%s\nrgw_zonegroup = g%s\nrgw_zone = z%s\n' $n $n $n $n >> "$CEPH_CONF"
  cat > "$dir/start-$n" <<START
#!/bin/sh
exec env CEPH_CONF='$CEPH_CONF' radosgw -n client.rgw.$n --rgw-frontends='beast endpoint=127.0.0.1:$port'
START
  cat > "$dir/admin-$n" <<ADMIN
#!/bin/sh
exec env CEPH_CONF='$CEPH_CONF' radosgw-admin "\$@" --rgw-realm=r$n --rgw-zonegroup=g$n --rgw-zone=z$n
ADMIN
  chmod +x "$dir/start-$n" "$dir/admin-$n"
  timeout 60 "$dir/start-$n" 2>> "$dir/log/start-$n" || fail "gateway $n did not start"
done
for port in "$@"; do
  for ((wait = 600; wait > 0; wait--)); do
    (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null && break
    sleep 0.05
  done
  [ "$wait" -gt 0 ] || fail "nothing listens on $port"
  echo "http://127.0.0.1:$port $access $secret default"
done
