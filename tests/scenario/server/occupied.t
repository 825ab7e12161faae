# A port in use, a home in use: one line each, that names it and the way out.
server

cli
  $ MARU_HOME=$PWD/other maru up --listen ${URL#http://}
  ! maru: the port is in use by another program: $ADDRESS; stop that program, or choose another port with --listen
  [5]
  $ maru up --listen 127.0.0.1:0
  ! maru: home is in use: .*/home: locked by process \d+: .*/home/lock; talk to the running server, or choose another --home (re)
  [5]

# A verb finds the server that has the home.
cli
  $ maru data list --json
  =json {"datasets": []}

server stop
