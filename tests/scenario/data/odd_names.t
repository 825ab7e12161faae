# Column names with quotes, line breaks and Korean, and the same name twice.
cli
  $ printf '"a ""b""","c\nd",값,값\n1,2,3,4\n5,6,7,8\n' >odd.csv && maru data import odd.csv --name odd --json
  =json {"rows": 2, "columns": 4}
  $ maru data profile odd --json
  =json {"rows": 2, "columns": [{"name": "a \"b\""}, {"name": "c\nd"}, {"name": "값"}, {"name": "(re) 값.+"}]}
  $ printf 'a,A,a,b\n1,2,3,4\n' >case.csv && maru data import case.csv --name case --json
  =json {"rows": 1, "columns": 4, "notes": ["column name twice: A, the second is read as A_2", "column name twice: a, the second is read as a_3"]}
  $ maru data profile case --json
  =json {"columns": [{"name": "a"}, {"name": "A_2"}, {"name": "a_3"}, {"name": "b"}]}
