#!/usr/bin/env bash
# W1, W2, W3 side by side with the peers of ../shared/peers/bench: three interleaved runs of each, medians in one table.
#   benchmarks/peers.sh [w1 reload again w2 child w3]        PEERS="reference dlt" by default; set RUNS for another number of runs
# Needs the peers' environments and data: `bench.sh setup` there (about 1 GB), a PostgreSQL in BENCH_URL.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); root=$(dirname "$here")
peers=${SYNCLINE_SHARED:-$root/../shared}/peers/bench
[ -f "$peers/bench.sh" ] || { echo "the peers' folder is not there ($peers): nothing to compare with" >&2; exit 0; }
export BENCH=${BENCH:-/var/tmp/syncline-bench} BENCH_URL=${BENCH_URL:-postgresql://postgres:x@127.0.0.1:5432/postgres}
export BENCH_DSN=$BENCH_URL BENCH_PG_PIDFILE=${BENCH_PG_PIDFILE:-} RUNTIME__DLTHUB_TELEMETRY=false BENCH_PASSWORD=x SYNCLINE_EGRESS_PRIVATE=127.0.0.1
works=("$@"); [ ${#works[@]} -gt 0 ] || works=(w1 reload again w2 child w3)
[ -s "$BENCH/data/customers.csv" ] && [ -x "$BENCH/venv/dlt/bin/python" ] || bash "$peers/bench.sh" setup
conf=$BENCH/nginx/nginx.conf
sed "s#@BENCH@#$BENCH#g" "$peers/nginx.conf.template" > "$conf"
{ [ -f "$BENCH/nginx/pid" ] && kill -0 "$(cat "$BENCH/nginx/pid")" 2>/dev/null; } || nginx -c "$conf"
py() { echo "$BENCH/venv/$1/bin/python"; }
ours=$root/.venv/bin/python repos=$BENCH/syncline
"$ours" -m compileall -q "$root/engine"  # as an installed wheel is
"$ours" "$here/repositories.py" "$repos" "$BENCH/data/customers.csv" "$BENCH_URL" http://127.0.0.1:8199/v1

reset() {
  psql -q "$BENCH_URL" -c "set client_min_messages=error; drop schema if exists w, dltw1, dltw1_staging, dltw2, dltw2_staging, dltw3, dltw3_staging, bench_w1, bench_again, bench_w2, bench_child, bench_w3 cascade; create schema w" -c checkpoint
  rm -rf "$BENCH/data/dlt_pd" "$repos"/{w?,again,child}/.syncline
}
measure() { python3 "$peers/measure.py" "$1" -n 1 --out "$BENCH/side.jsonl" -- "${@:2}"; }
reference() { "$(py ref)" "$peers/w1_reference.py" "$BENCH/data/customers.csv" csv chunk 16 1; }
imports() { syncline "$1" run bench/Import/customers "${@:2}" || [ $? -eq 4 ]; }  # 4: with rejects
syncline() { "$ours" -m syncline --root "$repos/$1" "${@:2}"; }
apply() { syncline "$1" apply --yes > /dev/null; }
rm -f "$BENCH/side.jsonl"
for work in "${works[@]}"; do for _ in $(seq "${RUNS:-3}"); do for peer in ${PEERS:-reference dlt} syncline; do
  reset
  case $work/$peer in
    w1/reference|reload/reference)
      [ "$work" = w1 ] || reference > /dev/null
      measure "$work/reference" "$(py ref)" "$peers/w1_reference.py" "$BENCH/data/customers.csv" csv chunk 16 1 ;;
    reload/syncline|again/syncline)
      repo=${work/reload/w1}; apply "$repo"; imports "$repo" > /dev/null 2>&1
      measure "$work/syncline" bash -c "'$ours' -m syncline --root '$repos/$repo' run bench/Import/customers; case \$? in 0|4) ;; *) exit 1 ;; esac" ;;
    again/*|reload/*) continue ;;
    w1/dlt)       measure w1/dlt "$(py dlt)" "$peers/w1_dlt.py" arrow "$BENCH/data/customers.csv" parquet ;;
    w1/syncline)  apply w1; measure w1/syncline bash -c "'$ours' -m syncline --root '$repos/w1' run bench/Import/customers; [ \$? -eq 4 ]" ;;
    w2/reference) measure w2/reference "$(py ref)" "$peers/w2_reference.py" 100 csv ;;
    w2/dlt)       measure w2/dlt "$(py dlt)" "$peers/w2_dlt.py" postgres parquet 0 ;;
    w2/syncline)  apply w2; measure w2/syncline "$ours" -m syncline --root "$repos/w2" run bench/Sync/items ;;
    child/reference) continue ;;
    child/dlt)    RES=child measure child/dlt "$(py dlt)" "$peers/w2_dlt.py" postgres parquet 0 ;;
    child/airbyte) measure child/airbyte "$BENCH/venv/airbyte/bin/source-declarative-manifest" read --config "$BENCH/airbyte.json" --catalog "$BENCH/airbyte_detail.json" ;;
    child/syncline) apply child; measure child/syncline "$ours" -m syncline --root "$repos/child" run bench/Sync/items ;;
    w3/reference) measure w3/reference "$(py ref)" "$peers/w3_reference.py" 1 200 1 ;;
    w3/dlt)       measure w3/dlt-20 "$(py dlt)" "$peers/w3_dlt.py" 1 20 ;;
    w3/syncline)  apply w3; measure w3/syncline "$ours" "$here/w3_syncline.py" "$repos/w3"; cat "$BENCH/logs/run_w3_syncline.out" ;;
  esac
done; done; done
python3 - "$BENCH/side.jsonl" <<'P'
import json, statistics as st, sys
rows = {}
for line in open(sys.argv[1]):
    r = json.loads(line); rows.setdefault(r["label"], []).append(r)
print(f"\n{'work':18} {'runs':>4} {'wall s':>8} {'min':>7} {'max':>7} {'cpu s':>7} {'peak MB':>8} {'of reference':>13}")
for label, v in rows.items():
    wall = st.median(r["wall"] for r in v); base = rows.get(label.split("/")[0] + "/reference")
    ratio = f"{wall / st.median(r['wall'] for r in base):.2f}×" if base else ""
    failed = "" if all(r["rc"] == 0 for r in v) else "  FAILED"
    print(f"{label:18} {len(v):>4} {wall:8.2f} {min(r['wall'] for r in v):7.2f} {max(r['wall'] for r in v):7.2f} "
          f"{st.median(r['cpu'] for r in v):7.2f} {max(r['rss_mb'] for r in v):8} {ratio:>13}{failed}")
P
