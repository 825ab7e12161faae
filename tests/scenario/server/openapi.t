# api/openapi.json and the routes agree: what is described is answered, and every route of Maru's own in the source is described.
file check.py
  import json, os, re, sys, glob, urllib.request, urllib.error
  url, repo = sys.argv[1], sys.argv[2]
  document = json.load(urllib.request.urlopen(url + "/api/v1/openapi.json"))
  methods = ("get", "put", "post", "delete", "patch")
  described = {(m, p) for p, item in document["paths"].items() for m in item if m in methods}

  # Described, and no route: the router itself says 404 with this message, or 405.
  def ask(method, path):
      request = urllib.request.Request(url + path, method=method.upper(), data=b"" if method != "get" else None)
      try:
          with urllib.request.urlopen(request, timeout=10) as answer:
              return answer.status, ""
      except urllib.error.HTTPError as error:
          return error.code, error.read().decode(errors="replace")
  nowhere = json.loads(ask("get", "/api/v1/no/such/path")[1])["message"].split(":")[0]
  for method, path in sorted(described):
      if path.endswith("/events"):
          continue  # a stream without end
      status, text = ask(method, re.sub(r"\{\w+\}", "1", path))
      if status == 405 or (status == 404 and nowhere in text):
          print("described, but no route:", method, path)

  # A route, and not described. MLflow's and OpenTelemetry's wire formats are described by them; the pages of the browser are no API.
  elsewhere = re.compile(r"/(api/[23]\.0|ajax-api|v1/traces|health$|version$|server-info)")
  routes = set()
  for name in glob.glob(repo + "/src/product/api/src/*.cpp"):
      text = re.sub(r'"\s*\n\s*"', "", open(name, encoding="utf-8").read())
      for method, path in re.findall(r'router\.add\(\s*Method::k(\w+),\s*"(/[^"]*)"\s*,', text):
          routes.add((method.lower(), path.replace("...}", "}")))
  for method, path in sorted(routes - described):
      if not elsewhere.match(path) and path != "/":
          print("a route, but not described:", method, path)
  print("described:", len(described) > 60, "routes read:", len(routes) > 40)

server

cli
  $ python3 check.py $URL $REPO
  described: True routes read: True

server stop
