#pragma once
#include <libpq-fe.h>

#include <string>

#include "maru/base/result.h"

namespace maru::store {

// Type numbers of pg_type.dat; they never change.
inline constexpr Oid kPgBool = 16, kPgBytes = 17, kPgInt8 = 20, kPgInt2 = 21, kPgInt4 = 23,
                     kPgOid = 26, kPgFloat4 = 700, kPgFloat8 = 701, kPgDate = 1082,
                     kPgTimestamp = 1114, kPgTimestampZone = 1184, kPgNumeric = 1700;

#define MARU_PQ_FUNCTIONS(use)                                                                     \
  use(connectdbParams) use(status) use(errorMessage) use(finish) use(exec) use(sendQueryParams)    \
      use(setSingleRowMode) use(getResult) use(resultStatus) use(resultErrorMessage) use(ntuples)  \
          use(nfields) use(ftype) use(fmod) use(fname) use(getisnull) use(getvalue) use(getlength) \
              use(clear) use(prepare) use(describePrepared) use(getCopyData) use(freemem)          \
                  use(resultErrorField)

struct Libpq {
#define MARU_PQ(name) decltype(&PQ##name) name = nullptr;
  MARU_PQ_FUNCTIONS(MARU_PQ)
#undef MARU_PQ
};

// Loaded once and kept: unloading a library that OpenSSL has hooks in is not safe. kFailedPrecondition when it is not installed.
base::Result<const Libpq*> libpq();
// A message of the server on one line.
std::string pq_line(const char* message);
// `url` may be SQLAlchemy's. kUnavailable when no server answers.
base::Result<PGconn*> connect_postgres(const Libpq& pq, const std::string& url);

struct PqResult {
  const Libpq* pq;
  PGresult* result;
  ~PqResult() { pq->clear(result); }
};

}  // namespace maru::store
