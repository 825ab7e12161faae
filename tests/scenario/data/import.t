# CSV, TSV, JSON lines, Parquet, compressed: the same table gives the same rows.
file people.csv
  name,born,city
  Kim,1990,서울
  Lee,1985,부산
  Ada,1815,London

cli
  $ maru data import people.csv --name people --json
  =json {"dataset": "people", "rows": 3, "columns": 3, "snapshot": "(re) (?P<first>[0-9a-f]{12,64})", "seconds": ">= 0"}
  $ tr , '\t' <people.csv >people.tsv && maru data import people.tsv --name people_tsv --json
  =json {"rows": 3, "columns": 3}
  $ gzip -k people.csv && maru data import people.csv.gz --name people_gz --json
  =json {"rows": 3, "columns": 3}
  $ printf '{"a": 1, "b": "x"}\n{"a": 2, "b": null}\n' >rows.jsonl && maru data import rows.jsonl --name rows --json
  =json {"rows": 2, "columns": 2}
  $ maru data list --json
  =json {"datasets": [{"name": "people"}, {"name": "people_gz"}, {"name": "people_tsv"}, {"name": "rows"}]}

# The same content is the same snapshot.
cli
  $ maru data import people.csv --name people --json
  =json {"dataset": "people", "snapshot": "(re) ${first}"}
