# Where the time of a call went, the trace it belongs to, the access log, and metrics under Triton's names.
copy tests/scenario/data/visitors.csv

cli timeout=180
  $ maru init visitors.csv --label bought --json >/dev/null && maru run --budget 2s --json >/dev/null

server --log-access true

http PUT /api/v1/endpoints/shop
  {"model": "visitors"}
  => 200

# A trace goes on: the same id, a span of this server's own; times come only to who asks.
http POST /api/v1/endpoints/shop/predict
  > traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
  > X-Maru-Timing: 1
  {"instances": [{"visitor": 1, "age": 30, "city": "서울", "plan": "pro", "visits": 3, "signup": "2024-05-01 10:00:00"}]}
  => 200
  < traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-(?!00f067aa0ba902b7)[0-9a-f]{16}-01 (re)
  < Server-Timing: parse;dur=[0-9.]+, queue;dur=[0-9.]+, model;dur=[0-9.]+, post;dur=[0-9.]+, cpu;dur=[0-9.]+, total;dur=[0-9.]+ (re)
  {"id": "(re) (?P<id>[0-9a-f]{32})"}

cli
  $ cat >rows.json <<< '{"instances": [{"visitor": 1, "age": 30, "city": "서울", "plan": "pro", "visits": 3, "signup": "2024-05-01 10:00:00"}]}'
  $ curl -s -o /dev/null -D- -H 'traceparent: 00-00000000000000000000000000000000-00f067aa0ba902b7-01' --data-binary @rows.json "$URL/api/v1/endpoints/shop/predict" | grep -ci 'traceparent\|server-timing'
  0
  [1]
  $ for path in /v1/models/shop:predict /invocations?endpoint=shop; do curl -s -o /dev/null -D- -H 'Content-Type: application/json' -H 'X-Maru-Timing: 1' --data-binary @rows.json "$URL$path" | grep -i '^server-timing' | grep -o 'model;\|total;'; done
  model;
  total;
  model;
  total;

# The prediction log has the trace, the split and the CPU time of the call.
http GET /api/v1/endpoints/shop/log?trace_id=4bf92f3577b34da6a3ce929d0e0e4736
  => 200
  {"rows": [{"id": "${id}", "version": 1, "principal": "local", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "cpu_us": "> 0", "stages": {"parse_us": ">= 0", "queue_us": ">= 0", "features_us": 0, "model_us": ">= 0", "post_us": ">= 0"}, "inputs": {"city": "서울", "age": 30.0}}]}

# What is logged follows the endpoint's rule; what it leaves out is counted. A route that is put again keeps the rule.
cli
  $ maru endpoint log shop --sample 0
  0.0 % of the answers are logged
  $ for i in 1 2 3; do curl -s -o /dev/null --data-binary @rows.json "$URL/api/v1/endpoints/shop/predict"; done; maru endpoint route shop champion >/dev/null
  $ curl -s --data-binary @rows.json "$URL/api/v1/endpoints/shop/predict" >/dev/null; curl -s "$URL/api/v1/endpoints/shop" | python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["log"]["accepted"], d["log"]["shed"], d["log"]["not_sampled"], d["config"]["log"], d["log"]["shed_by"])'
  4 0 4 {'sample': 0.0} {'queue_rows': 0, 'queue_bytes': 0, 'row_bytes': 0}
  $ curl -s -X PUT -d '{"model": "visitors", "log": {"sample": 0, "rules": [{"slower_than_ms": 0}]}}' "$URL/api/v1/endpoints/shop" >/dev/null; curl -s --data-binary @rows.json "$URL/api/v1/endpoints/shop/predict" >/dev/null; curl -s "$URL/api/v1/endpoints/shop" | python3 -c 'import json, sys; print(json.load(sys.stdin)["log"]["accepted"])'
  5

http PUT /api/v1/endpoints/shop
  {"model": "visitors", "log": {"sample": 7}}
  => 400

cli
  $ maru endpoint log shop --last 1 --json | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["rows"]))'
  1

# Prometheus: histograms by version and stage, and what Triton's dashboards ask for.
cli
  $ curl -s "$URL/metrics" >metrics; grep -c '^maru_request_stage_seconds_bucket{endpoint="shop",model="visitors",version="1",stage="\(parse\|queue\|model\|post\)",le="+Inf"} ' metrics
  4
  $ grep '^nv_inference_request_success{model="shop",version="1"} ' metrics
  nv_inference_request_success{model="shop",version="1"} 9
  $ for name in request_failure count exec_count request_duration_us queue_duration_us compute_input_duration_us compute_infer_duration_us compute_output_duration_us pending_request_count; do grep -q "^nv_inference_$name{model=\"shop\",version=\"1\"" metrics || echo "no nv_inference_$name"; done
  $ for name in nv_cpu_utilization nv_cpu_memory_total_bytes nv_cpu_memory_used_bytes process_cpu_seconds_total process_resident_memory_bytes 'maru_log_rows_total{endpoint="shop",outcome="accepted"}' 'maru_log_shed_total{endpoint="shop",reason="row_bytes"}' 'maru_log_not_sampled_total{endpoint="shop"}'; do grep -q "^$name [0-9]" metrics || echo "no $name"; done
  $ grep -q '^nv_model_load_duration_secs{model="shop",version="1"} 0' metrics && grep -q '^maru_request_cpu_seconds_count{endpoint="shop"' metrics && echo there
  there
  $ python3 - <<'EOF'
  > # As the Prometheus text format wants it: each family announced once, its lines together, every histogram cumulative and complete.
  > import re
  > seen, family, buckets = set(), None, {}
  > for line in open("metrics"):
  >     line = line.rstrip("\n")
  >     if line.startswith("# TYPE "):
  >         family = line.split()[2]
  >         assert family not in seen, family
  >         seen.add(family)
  >     elif line and not line.startswith("#"):
  >         name, labels, value = re.fullmatch(r'([a-zA-Z_]\w*)(?:\{(.*)\})? (\S+)', line).groups()
  >         assert name == family or name in (family + "_bucket", family + "_sum", family + "_count"), line
  >         if name.endswith("_bucket"):
  >             key = (name, re.sub(r',?le="[^"]*"', "", labels))
  >             assert float(value) >= buckets.get(key, 0), line
  >             buckets[key] = float(value)
  >         if name.endswith("_count") and (family + "_bucket", labels) in buckets:
  >             assert float(value) == buckets[(family + "_bucket", labels)], line
  > print(len(buckets) > 3)
  > EOF
  True

# gRPC continues traces as well (a call without a body is refused, and answered in the trace).
cli
  $ curl -s --http2-prior-knowledge -o /dev/null -D- -H 'Content-Type: application/grpc' -H 'te: trailers' -H 'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00' -X POST "$URL/inference.GRPCInferenceService/ServerLive" | tr -d '\r' | grep -o '^traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736'
  traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736

server stop

# The access log: a line an answer, no query and no token in it, for the owner's eyes alone.
cli
  $ stat -c %a home/logs/access.log
  600
  $ python3 -c 'import json; lines = [json.loads(l) for l in open("home/logs/access.log")]; p = [l for l in lines if l["path"].endswith("/predict")]; print(len(p), {l["status"] for l in p}, p[0]["trace_id"], p[0]["principal"], all(l["duration_us"] >= 0 for l in lines), any("?" in l["path"] for l in lines), {l["protocol"] for l in lines} == {"http/1.1", "grpc"})'
  7 {200} 4bf92f3577b34da6a3ce929d0e0e4736 local True False True
