# Shapes that attack parsers and proxies get an answer or a closed connection; the server goes on.
file raw.py
  import socket, sys
  host, port = sys.argv[1].split("//")[1].split(":")
  request = sys.stdin.buffer.read().replace(b"\n", b"\r\n")
  with socket.create_connection((host, int(port)), 10) as s:
      s.sendall(request)
      s.settimeout(10)
      answer = b""
      try:
          while chunk := s.recv(65536):
              answer += chunk
      except OSError:
          pass
  print(" ".join(line.split()[1].decode() for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.")) or "closed")

server

# Two lengths, a length beside chunks, a bad length, a space before the colon, a folded header.
cli
  $ printf 'POST /api/v1/search HTTP/1.1\nHost: 127.0.0.1\nContent-Length: 3\nContent-Length: 4\n\nabcd' | python3 raw.py $URL
  400
  $ printf 'POST /api/v1/search HTTP/1.1\nHost: 127.0.0.1\nContent-Length: 3\nTransfer-Encoding: chunked\n\n0\n\nGET /healthz HTTP/1.1\nHost: 127.0.0.1\n\n' | python3 raw.py $URL
  400
  $ printf 'POST /api/v1/search HTTP/1.1\nHost: 127.0.0.1\nContent-Length: -1\n\n' | python3 raw.py $URL
  400
  $ printf 'GET /healthz HTTP/1.1\nHost : 127.0.0.1\n\n' | python3 raw.py $URL
  400
  $ printf 'GET /healthz HTTP/1.1\nHost: 127.0.0.1\nTransfer-Encoding: chunked, identity\n\n' | python3 raw.py $URL
  400
  $ printf 'NONSENSE\n\n' | python3 raw.py $URL
  400
  $ python3 -c 'print("GET /" + "a" * 100000 + " HTTP/1.1\nHost: 127.0.0.1\n")' | python3 raw.py $URL
  4.. (re)

# Another site's page, and a name that is not ours.
http GET /api/v1/status
  > Host: evil.example
  => 403

http POST /api/v1/datasets/x/import
  > Origin: https://evil.example
  {"sources": ["/etc/passwd"]}
  => 403

# A JSON bomb and a body over the limit: what, and what to do.
cli timeout=60
  $ python3 -c 'print("[" * 100000)' >bomb.json; curl -s -w '%{http_code}' -H 'Content-Type: application/json' --data-binary @bomb.json $URL/api/v1/drift
  {"error_code":"TOO_LARGE","message":"request body is not valid JSON: JSON is over the limit of nesting depth: 64","hint":".+","request_id":".*"}413 (re)
  $ head -c 200000000 /dev/zero >huge; curl -s -w '%{http_code}' -H 'Content-Type: application/json' -H 'Expect:' --data-binary @huge $URL/api/v1/drift
  {"error_code":"TOO_LARGE","message":"the body is too large","hint":".+","request_id":".*"}413 (re)
  $ head -c 200000000 /dev/zero | gzip -1 >huge.gz; curl -s -w '%{http_code}' -H 'Content-Type: application/json' -H 'Content-Encoding: gzip' -H 'Expect:' --data-binary @huge.gz $URL/api/v1/drift
  {"error_code":"TOO_LARGE","message":"the body unpacks to too many times its size","hint":".+","request_id":".*"}413 (re)

# A list where a route wants an object is refused by all of them.
cli
  $ for path in batch schedules search project-runs endpoints/e/predict datasets/d/protect tokens/reveal streams secrets; do
  >   curl -s -o /dev/null -w '%{http_code} ' -X POST $URL/api/v1/$path -H 'Content-Type: application/json' -d '[{"a": 1}]'; done; curl -s -o /dev/null -w '%{http_code}' $URL/healthz
  (4[0-9][0-9] ){9}200 (re)

# Paths that climb out.
http GET /../../../../etc/passwd
  => 40[04] (re)

http GET /%2e%2e/%2e%2e/etc/passwd
  => 40[04] (re)

http GET /healthz
  => 200

server stop
