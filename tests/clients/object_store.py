"""An S3 server on loopback (S3Proxy over a folder: it checks signatures), and a web server with Range whose connections break when told to."""
import datetime
import hashlib
import hmac
import http.client
import http.server
import os
import re
import shutil
import subprocess
import tempfile
import threading
import urllib.parse

KEY, SECRET = "test-key", "test-secret"


class ObjectStore:
    def __init__(self, jars):
        self.folder = tempfile.mkdtemp(prefix="maru-s3-")
        os.makedirs(f"{self.folder}/store/lake")
        with open(f"{self.folder}/s3proxy.conf", "w", encoding="utf-8") as file:
            file.write(f"s3proxy.authorization=aws-v2-or-v4\ns3proxy.endpoint=http://127.0.0.1:0\ns3proxy.identity={KEY}\ns3proxy.credential={SECRET}\n"
                       f"jclouds.provider=filesystem\njclouds.filesystem.basedir={self.folder}/store\n")
        self.process = subprocess.Popen(["java", "-Xmx256m", "-cp", jars, "org.gaul.s3proxy.Main", "--properties", f"{self.folder}/s3proxy.conf"],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.port, lines = None, []
        for line in self.process.stdout:
            lines.append(line)
            found = re.search(r"127\.0\.0\.1:(\d+)", line)
            if found and found.group(1) != "0":
                self.port = int(found.group(1))
                break
        assert self.port, "S3Proxy did not start:\n" + "".join(lines[-20:])
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port)
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def put(self, name, body):
        """An object of the bucket `lake`, put as any client would (AWS Signature Version 4)"""
        body = body.encode() if isinstance(body, str) else body
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        path, payload, host = "/lake/" + urllib.parse.quote(name), hashlib.sha256(body).hexdigest(), f"127.0.0.1:{self.port}"
        names, scope = "host;x-amz-content-sha256;x-amz-date", f"{now[:8]}/us-east-1/s3/aws4_request"
        canonical = f"PUT\n{path}\n\nhost:{host}\nx-amz-content-sha256:{payload}\nx-amz-date:{now}\n\n{names}\n{payload}"
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = f"AWS4{SECRET}".encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        self.connection.request("PUT", path, body, {"x-amz-date": now, "x-amz-content-sha256": payload, "Authorization":
                                f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={names}, Signature={signature}"})
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status == 200, (answer.status, text)

    def environment(self):
        return {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
                "MARU_SOURCES_ALLOWED_HOSTS": "127.0.0.1"}

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)


class Web:
    """Serves `files` (name -> bytes). `breaks`: so many answers are cut in their middle. `after`: called with the number of each request."""

    def __init__(self, files, ranges=True, etag=True, breaks=0, after=None):
        self.files, self.asked, self.breaks, self.authorization = files, [], breaks, None
        self.after, self.dead = after, False
        outer, lock = self, threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                with lock:
                    outer.asked.append(self.headers.get("Range"))
                    outer.authorization = self.headers.get("Authorization")
                    if outer.after:
                        outer.after(len(outer.asked))
                    body = outer.files.get(self.path.lstrip("/"))
                if outer.dead:
                    self.close_connection = True
                    return
                if body is None:
                    self.send_error(404)
                    return
                whole, tag = len(body), f'"{hashlib.sha256(body).hexdigest()[:16]}"'
                if etag and self.headers.get("If-Match", tag) != tag:
                    self.send_error(412)
                    return
                found = re.match(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")) if ranges else None
                if found:
                    first, last = int(found.group(1)), min(int(found.group(2)), whole - 1)
                    body = body[first:last + 1]
                    self.send_response(206)
                    self.send_header("Content-Range", f"bytes {first}-{last}/{whole}")
                else:
                    self.send_response(200)
                if etag:
                    self.send_header("ETag", tag)
                self.send_header("Content-Type", "text/csv")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with lock:
                    cut = outer.breaks > 0 and len(body) > 1
                    outer.breaks -= cut
                try:
                    self.wfile.write(body[:len(body) // 2] if cut else body)
                except OSError:
                    pass
                if cut:
                    self.close_connection = True

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, name):
        return f"http://127.0.0.1:{self.port}/{name}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
