# The demonstration from an empty home: two versions, live traffic without one failure, labels, drift, retraining.
needs examples/flights/weather.parquet
cli timeout=300
  $ MARU_EXAMPLES=$REPO/examples maru demo --exit --listen 127.0.0.1:0 --json
  =json {"seconds": "> 0", "rows": 80789, "anomalies": ">= 0", "versions": [{"version": 1, "metrics": {"roc_auc": {"value": "> 0.6", "low": "> 0.58", "high": "< 0.8"}}}, {"version": 2, "metrics": {"roc_auc": {"value": "> 0.6"}}}], "requests": {"sent": 82767, "failed": 0, "p50_ms": "> 0", "p99_ms": "> 0"}, "months": [{"month": 4, "failed": 0, "auc": "> 0.6"}, {"month": 5, "failed": 0}, {"month": 6, "failed": 0}], "alerts": [{"kind": "drift"}, "..."]}
