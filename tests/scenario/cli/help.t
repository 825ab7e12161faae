# Every verb has help with an example.
cli timeout=120
  $ maru --help | grep -c '^ '
  [1-9][0-9]+ (re)
  $ for verb in init run up demo predict "data import" "data list" "data profile" "data validate" "model list" "model promote" "model rollback" version doctor; do maru $verb --help | grep -qi "maru $verb" || echo "maru $verb --help has no example"; done
