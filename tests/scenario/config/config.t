# Settings: flag over environment over file over default; a name or value that is wrong is told with its place.
cli
  $ maru config --json
  =json {"file": "$DIR/home/maru.conf", "keys": [{"key": "http.listen", "value": "127.0.0.1:7400", "from": "default"}, "..."]}
  $ mkdir -p home && printf 'http.max-body = 2KiB  # small\nlog.level = debug\nlog.format = text\npool.serve-threads = 1\n' >home/maru.conf; MARU_LOG_LEVEL=warn maru config | grep -E '^(http.max-body|log.level|log.format|pool.queue) ' | awk '{print $1, $2, $3}'
  http.max-body 2KiB file
  log.level warn env
  log.format text file
  pool.queue 4096 default

# What stands in the file has its effect: a body over 2 KiB is refused, the log is for people.
server

cli
  $ head -c 3000 /dev/zero | tr '\0' ' ' >body; curl -s -o /dev/null -w '%{http_code}\n' -H 'Content-Type: application/json' -H 'Expect:' --data-binary @body $URL/api/v1/drift
  413

server stop

# A flag wins over the file; a name that is not ours is allowed by flag.
server --http-max-body 1MiB --allow-host shop.example --http-io-threads 1 --pool-blocking-threads 2 --pool-work-threads 2 --pool-queue 64 --store-group-commit-ms 0 --train-threads 1

cli
  $ curl -s -o /dev/null -w '%{http_code}\n' -H 'Content-Type: application/json' -H 'Expect:' --data-binary @body $URL/api/v1/drift
  40[04] (re)

http GET /api/v1/status
  > Host: shop.example
  => 200

http GET /api/v1/status
  > Host: other.example
  => 403

server stop

# Mistakes.
cli
  $ maru up --http-lisen 127.0.0.1:0
  [2]
  $ maru up --log-level loud
  ! maru: bad value of log.level from the flag: loud; one of debug, info, warn, error
  [1]
  $ MARU_HTTP_IO_THREADS=-1 maru data list
  ! maru: bad value of http.io-threads from the env: -1; it is a number from 1 to 256
  [1]
  $ maru up --tls-cert cert.pem
  ! maru: TLS needs both a certificate and a key: only one of http.tls-cert and http.tls-key is set; set both, or none for plain HTTP
  [1]
  $ echo 'http.lisen = x' >home/maru.conf; maru data list
  ! maru: configuration file: $DIR/home/maru.conf: unknown configuration key: http.lisen; did you mean `http.listen`?
  [1]
  $ rm home/maru.conf

# The page lists every key with its default, and `maru up --help` every flag.
cli
  $ maru config --json >keys.json; python3 -c 'import json; [print("| `%s` | %s | %s |" % (k["key"], "`%s`" % k["default"] if k["default"] else "", k["help"])) for k in json.load(open("keys.json"))["keys"]]' >wanted; grep '^| `' $REPO/docs/configuration.md | diff - wanted
  $ maru up --help >help; python3 -c 'import json; [print(k["key"]) for k in json.load(open("keys.json"))["keys"] if "--" + k["key"].replace(".", "-") not in open("help").read()]'
