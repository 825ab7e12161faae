#!/usr/bin/env python3
"""The runner must be able to fail: scenarios against a stand-in binary, each right once and wrong once."""
import os
import subprocess
import sys
import tempfile

RUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run")
STAND_IN = '''#!/usr/bin/env python3
import http.server, json, sys
words = sys.argv[1:]
if words[0] == "up":
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200); self.send_header("X-Kind", "echo"); self.end_headers()
            self.wfile.write(json.dumps({"got": json.loads(body), "id": "ab12", "value": 0.71}).encode())
        def log_message(self, *a): pass
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    print(f"ready http://127.0.0.1:{server.server_port}", flush=True)
    import signal
    signal.signal(signal.SIGTERM, lambda *a: sys.exit(0))
    server.serve_forever()
elif words[0] == "json":
    print(json.dumps({"rows": 3, "score": 0.70, "list": [1, 2, 3], "id": "ff00"}))
elif words[0] == "fail":
    print("out"); print("bad thing: 7", file=sys.stderr); sys.exit(3)
else:
    print("took 12.5 s"); print("end")
'''
RIGHT = [
    'cli\n  $ maru say\n  took 12.6 s (~5%)\n  end',
    'cli\n  $ maru say\n  took \\d+.* (re)\n  ...',
    'cli\n  $ maru say\n  ...\n  e* (glob)',
    'cli\n  $ maru fail\n  out\n  ! bad thing: 7\n  [3]',
    'cli\n  $ maru json\n  =json {"rows": 3, "score": "~ 0.7 0.01", "list": [1, "..."], "id": "(re) (?P<id>[0-9a-f]+)"}\n  $ echo $id ${id}\n  ff00 ff00',
    'file a/b.txt\n  x\n  y\n\ncli\n  $ cat a/b.txt; cat <<END\n  > z\n  > END\n  x\n  y\n  z',
    'needs nowhere/at/all\n\ncli\n  $ false',
    'server\n\nhttp POST /x\n  > X-A: 1\n  {"a": [1, 2]}\n  => 200\n  < X-Kind: echo\n  {"got": {"a": [1, 2]}, "value": "> 0.5"}\n\nserver stop',
]
WRONG = [
    'cli\n  $ maru say\n  took 14 s (~5%)\n  end',
    'cli\n  $ maru say\n  took 12.5 s',
    'cli\n  $ maru say\n  took 12.5 s\n  end\n  more',
    'cli\n  $ maru fail\n  out',
    'cli\n  $ maru fail\n  out\n  ! other\n  [3]',
    'cli\n  $ maru say\n  ...\n  [1]',
    'cli\n  $ maru json\n  =json {"rows": 4}',
    'cli\n  $ maru json\n  =json {"absent": 4}',
    'cli\n  $ maru json\n  =json {"list": [1, 2]}',
    'cli\n  $ maru json\n  =json {"score": "~ 0.8 0.01"}',
    'cli\n  $ maru json\n  =json {"score": "> 0.8"}',
    'cli timeout=0.2\n  $ exec tail -f /dev/null',
    'server\n\nhttp POST /x\n  {"a": 1}\n  => 404',
    'server\n\nhttp POST /x\n  {"a": 1}\n  => 200\n  {"got": {"a": 2}}',
    'server\n\nhttp POST /x\n  {"a": 1}\n  => 200\n  < X-Kind: other',
    'http GET /x\n  => 200',
    'server\n  $ maru say',
    'nonsense\n  x',
    '# only a comment',
]


def main():
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        stand_in = os.path.join(folder, "maru")
        with open(stand_in, "w", encoding="utf-8") as file:
            file.write(STAND_IN)
        os.chmod(stand_in, 0o755)
        env = {**os.environ, "MARU_BIN": stand_in}
        for kind, texts, code in (("right", RIGHT, 0), ("wrong", WRONG, 1)):
            for i, text in enumerate(texts):
                path = os.path.join(folder, f"{kind}{i}.t")
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text + "\n")
                result = subprocess.run([RUN, path], env=env, capture_output=True, text=True, check=False)
                if result.returncode != code:
                    wrong += 1
                    print(f"{kind} scenario {i} ended with {result.returncode}:\n{text}\n{result.stdout}{result.stderr}")
                elif code:  # what --accept writes must pass, where there is something to write
                    subprocess.run([RUN, "--accept", path], env=env, capture_output=True, check=False)
    print(f"scenario runner: {len(RIGHT) + len(WRONG) - wrong} passed, {wrong} failed")
    sys.exit(1 if wrong else 0)


main()
