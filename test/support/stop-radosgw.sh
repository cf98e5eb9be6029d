#!/usr/bin/env bash
# Stops, at once, what start-radosgw.sh started in DIR: by its own pid files and only while the process is
# still the one that was started. DIR stays, for its logs.
#
#   stop-radosgw.sh DIR
set -uo pipefail
dir=${1:?DIR}
stop() { # pid file, process name
  local pid; pid=$(cat "$1" 2> /dev/null) || return 0
  [ "$(cat "/proc/$pid/comm" 2> /dev/null)" = "$2" ] && kill -KILL "$pid"
  # Where nobody reaps it, a dead process stays as a zombie.
  for ((n = 0; n < 100; n++)); do grep -q '^State:.[^ZX]' "/proc/$pid/status" 2> /dev/null || break; sleep 0.02; done
  rm -f "$1"
}
for file in "$dir"/pids/client.rgw.*; do stop "$file" radosgw; done
stop "$dir/pids/osd.0" ceph-osd
stop "$dir/pids/mon.a" ceph-mon
sockets=$(cat "$dir/sockets" 2> /dev/null)
case $sockets in /tmp/frgw.??????) rm -rf -- "$sockets" ;; esac
exit 0
