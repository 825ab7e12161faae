# A port in use, a home in use, a database that is none: one line each.
server

cli
  $ MARU_HOME=$PWD/other maru up --listen ${URL#http://}
  [5]
  $ maru up --listen 127.0.0.1:0
  [5]
  $ mkdir broken && head -c 8192 /dev/urandom >broken/maru.db && maru up --home broken --listen 127.0.0.1:0
  [1]

# A verb finds the server that has the home.
cli
  $ maru data list --json
  =json {"datasets": []}

server stop
