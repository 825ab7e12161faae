# A disk that is really full (a file system of 6 MB): one line, code 5 or 507, nothing acknowledged is lost, and all is well when there is room again.
needs unshare curl
file full.sh
  mkdir -p full && mount -t tmpfs -o size=6m maru full 2>/dev/null || { echo no mount; exit 0; }
  export MARU_HOME=$PWD/full
  printf 'a,b\n1,2\n' >small.csv
  python3 -c 'import random; print("a,b"); [print(f"{i},{random.random()}") for i in range(900000)]' >big.csv
  fill() { head -c 8000000 /dev/zero >full/filler 2>/dev/null; }
  upload() { curl -s -o answer -w '%{http_code} ' -X POST -H 'Content-Type: text/csv' --data-binary @small.csv "$site/api/v1/datasets/$1/upload?filename=small.csv"; grep -o '"error_code":"[A-Z_]*"' answer || echo; }
  maru data import small.csv --name small >/dev/null; echo "small $?"
  maru data import big.csv --name big 2>err; echo "big $?, lines: $(wc -l <err)"; grep -c 'No space left\|disk is full' err
  fill; maru data import small.csv --name other 2>err; echo "other $?, lines: $(wc -l <err)"; grep -c 'the disk is full: .*free some space' err; rm full/filler
  maru data import small.csv --name other >/dev/null; echo "other $?"
  maru up --listen 127.0.0.1:0 >up.log 2>&1 &
  until grep -q ready up.log; do sleep 0.05; done
  site=$(sed -n 's/^ready //p' up.log)
  run=$(curl -s -H 'Content-Type: application/json' -d '{"experiment_id": "0"}' "$site/api/2.0/mlflow/runs/create" | grep -o '"run_id":"[0-9a-f]*"' | cut -d'"' -f4)
  python3 -c 'import json, sys; print(json.dumps({"run_id": sys.argv[1], "params": [{"key": f"p{i}", "value": "x" * 6000} for i in range(100)]}))' $run >batch.json
  batch() { curl -s -o answer -w '%{http_code} ' -H 'Content-Type: application/json' -d @batch.json "$site/api/2.0/mlflow/runs/log-batch"; grep -o '"error_code":"[A-Z_]*"' answer || echo; }
  params() { echo "params $(curl -s "$site/api/2.0/mlflow/runs/get?run_id=$run" | grep -o '"key":"p[0-9]*"' | wc -l)"; }
  fill; batch; params; rm full/filler; batch; params
  fill; upload third
  curl -s -o /dev/null -w '%{http_code}\n' "$site/api/v1/datasets"
  rm full/filler; upload third
  kill %1; wait %1; echo "up $?"
  maru data list --json | python3 -c 'import json, sys; print(*sorted(d["name"] for d in json.load(sys.stdin)["datasets"]))'

cli timeout=120
  $ unshare -rm bash full.sh >out 2>err || echo "no mount" >out; grep -q 'no mount' out && printf 'small 0\nbig 5, lines: 1\n1\nother 5, lines: 1\n1\nother 0\n507 "error_code":"RESOURCE_EXHAUSTED"\nparams 0\n200 \nparams 100\n507 "error_code":"NO_SPACE"\n200\n200 \nup 0\nother small third\n' || cat out
  small 0
  big 5, lines: 1
  1
  other 5, lines: 1
  1
  other 0
  507 "error_code":"RESOURCE_EXHAUSTED"
  params 0
  200
  params 100
  507 "error_code":"NO_SPACE"
  200
  200
  up 0
  other small third
