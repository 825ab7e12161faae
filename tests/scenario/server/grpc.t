# gRPC on the port of HTTP and on its own address: what starts, what is refused, what a call that is wrong is told.
needs curl

file call.sh
  # call.sh AUTHORITY PATH BYTES [FIELD...]: one call; status, headers and trailers that matter, the answer's bytes in hexadecimal
  to=$1 path=$2; printf "$3" >message; shift 3
  fields=(); for field in "$@"; do fields+=(-H "$field"); done
  curl -sS --http2-prior-knowledge -H 'content-type: application/grpc' -H 'te: trailers' "${fields[@]}" --data-binary @message -D head -o body "http://$to/$path"
  tr -d '\r' <head | grep -E '^(HTTP|grpc-status|grpc-message)'; od -An -tx1 body 2>/dev/null; rm -f body

cli
  $ maru up --grpc-listen nonsense --listen 127.0.0.1:0
  ! maru: grpc.listen: not an address: nonsense; write HOST:PORT, for example 127.0.0.1:7401, or auto, or off
  [1]
  $ maru up --grpc-listen 0.0.0.0:0 --listen 127.0.0.1:0
  ! maru: a public address needs TLS: 0.0.0.0; .* (re)
  [3]
  $ python3 -c 'import socket, subprocess; s = socket.create_server(("127.0.0.1", 0)); print(subprocess.run(["maru", "up", "--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:%d" % s.getsockname()[1]], capture_output=True, text=True).stderr, end="")'
  maru: the port is in use by another program: 127.0.0.1:[0-9]+; stop that program, or choose another port with --grpc-listen (re)

server

cli
  $ python3 -c 'import json; print("grpc" in json.load(open("home/server.json")))'
  False
  $ bash call.sh ${URL#http://} grpc.health.v1.Health/Check '\0\0\0\0\0'
  HTTP/2 200
  grpc-status: 0
   00 00 00 00 02 08 01
  $ bash call.sh ${URL#http://} inference.GRPCInferenceService/ServerLive '\0\0\0\0\0'
  HTTP/2 200
  grpc-status: 0
   00 00 00 00 02 08 01
  $ bash call.sh ${URL#http://} grpc.health.v1.Health/Check '\0\0\0\0\3\12\1x'
  HTTP/2 200
  grpc-status: 5
  grpc-message: no service has the name: x
  $ bash call.sh ${URL#http://} inference.GRPCInferenceService/ModelInfer '\0\0\0\0\3\12\1m'
  HTTP/2 200
  grpc-status: 3
  grpc-message: request has no `inputs`
  $ bash call.sh ${URL#http://} inference.GRPCInferenceService/ModelInfer '\0\0\0\0\2\377\377'
  HTTP/2 200
  grpc-status: 3
  grpc-message: the message is not a ModelInferRequest: its bytes cannot be read
  $ bash call.sh ${URL#http://} inference.GRPCInferenceService/ModelInfer '\0\377\377\377\377'
  HTTP/2 200
  grpc-status: 8
  grpc-message: a message of 4294967295 bytes is larger than this call takes: 67108864 (send fewer rows, or raise http.max-body)
  $ bash call.sh ${URL#http://} inference.GRPCInferenceService/ModelInfer '\0\0\0\0\7half'
  HTTP/2 200
  grpc-status: 3
  grpc-message: the call ended within a message
  $ bash call.sh ${URL#http://} inference.GRPCInferenceService/ModelInfer '\0\0\0\0\0' 'grpc-encoding: br'
  HTTP/2 200
  grpc-status: 12
  grpc-message: messages cannot be compressed as br (use gzip, deflate or identity)
  $ bash call.sh ${URL#http://} a.B/C '\0\0\0\0\0'
  HTTP/2 200
  grpc-status: 12
  grpc-message: no such gRPC service: /a.B/C (ask grpc.reflection.v1.ServerReflection for what there is)
  $ bash call.sh ${URL#http://} grpc.health.v1.Health/Check '\0\0\0\0\0' 'origin: http://evil.example'
  HTTP/2 200
  grpc-status: 7
  grpc-message: requests of pages from another origin are refused: http://evil.example (add its host to http.allowed-hosts)
  $ bash call.sh ${URL#http://} inference.GRPCInferenceService/RepositoryIndex '\0\0\0\0\0' 'authorization: Bearer maru_wrong' | head -2
  HTTP/2 200
  grpc-status: 16
  $ curl -sS --http2-prior-knowledge $URL/v2/health/live -w ' %{http_version} %{http_code}\n'
  {"live":true} 2 200

server stop

server --grpc-listen 127.0.0.1:0

cli
  $ python3 -c 'import json; print(json.load(open("home/server.json"))["grpc"])' >address; bash call.sh $(cat address) grpc.health.v1.Health/Check '\0\0\0\0\0'
  HTTP/2 200
  grpc-status: 0
   00 00 00 00 02 08 01
  $ curl -sS http://$(cat address)/healthz -w ' %{http_code}\n'
  {"error_code":"UNIMPLEMENTED","message":"this address speaks gRPC over HTTP/2 alone","hint":"send HTTP/1.1 requests to the address of http.listen","request_id":""} 505
  $ curl -sS --http2-prior-knowledge http://$(cat address)/healthz -o /dev/null -w '%{http_code}\n'
  415

server stop
