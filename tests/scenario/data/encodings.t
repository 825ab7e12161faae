# Korean in EUC-KR and CP949 and UTF-16 are read, any other encoding is named; a byte order mark is no part of the first name.
cli
  $ printf '이름,나이\n김철수,30\n이영희,25\n' | iconv -t EUC-KR >euckr.csv && maru data import euckr.csv --name euckr --json
  =json {"rows": 2, "columns": 2}
  $ maru data profile euckr --json
  =json {"columns": [{"name": "이름", "top": [{"value": "(re) 김철수|이영희"}, "..."]}, {"name": "나이", "min": 25, "max": 30}]}
  $ printf '이름,나이\n똠방각하,30\n' | iconv -t CP949 >cp949.csv && maru data import cp949.csv --name cp949 --json
  =json {"rows": 1}
  $ printf '\xef\xbb\xbfname,n\nx,1\n' >bom.csv && maru data import bom.csv --name bom --json && maru data profile bom --json | grep -c '"name":"name"'
  ...
  1
  $ printf '이름,나이\n김철수,30\n' | iconv -t UTF-16 >wide.csv && maru data import wide.csv --name wide --json
  =json {"rows": 1, "columns": 2, "notes": ["read as UTF-16LE"]}
  $ printf 'name,x\ncaf\xe9,3\n' >latin.csv; maru data import latin.csv --name latin
  ! maru: neither UTF-8, UTF-16 nor CP949: $DIR/latin.csv line 2 (byte 0xe9); it looks like WINDOWS-1252; if it is: --encoding WINDOWS-1252
  [1]
  $ printf '名前,年齢\nさくら,30\nたけしのカメラ,25\n' | iconv -t SHIFT_JIS >sjis.csv; maru data import sjis.csv --name sjis
  ! maru: neither UTF-8, UTF-16 nor CP949: $DIR/sjis.csv line 1 (byte 0x96); it looks like SHIFT_JIS; if it is: --encoding SHIFT_JIS
  [1]
  $ maru data import sjis.csv --name sjis --encoding SHIFT_JIS --json
  =json {"rows": 2, "notes": ["read as SHIFT_JIS"]}
  $ printf '\x93\x8c\x8b\x9e,\x91\xe5\x8d\xe3\n\x8b\x9e\x93\x73,\x90\xe7\x97\x74\n' >kanji.csv; maru data import kanji.csv --name kanji
  ! maru: .*kanji.csv line 1.*--encoding .* (re)
  [1]
