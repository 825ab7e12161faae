#include "fault_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <string_view>

#include "maru/base/fault.h"

namespace maru::store {
namespace {

// SQLite allocates szOsFile bytes a file: this head, then the system VFS's own file.
struct FaultFile {
  sqlite3_file head;
  sqlite3_file* real;
  bool is_log;                // write-ahead
  sqlite3_int64 known_bytes;  // of a log that this handle writes: it has at least so many
};

constexpr sqlite3_int64 kGrowFromBytes = 256 << 10;
constexpr sqlite3_int64 kGrowByBytes = 256 << 10;

sqlite3_vfs* system_vfs = nullptr;
thread_local int last_errno = 0;

sqlite3_file* real(sqlite3_file* file) { return reinterpret_cast<FaultFile*>(file)->real; }

// SQLITE_OK, or the result code of an injected failure.
int faulted(std::string_view point, int io_code) {
  const int error = base::fault_point(point);
  last_errno = error;
  if (error == 0) return SQLITE_OK;
  return error == ENOSPC ? SQLITE_FULL : io_code;
}

// A sync of a file that became longer costs the file system an entry of its journal: 0.23 ms where one that did not takes 0.12. So a log that is in use grows
// a piece ahead, by zeros, which SQLite takes for no frames; a short one stays short. A disk that is full is no reason to stop yet.
void grow_ahead(FaultFile& file, sqlite3_int64 end) {
  if (!file.is_log || end <= file.known_bytes) return;
  const sqlite3_io_methods& methods = *file.real->pMethods;
  sqlite3_int64 bytes = 0;
  if (methods.xFileSize(file.real, &bytes) != SQLITE_OK) return;
  file.known_bytes = std::max(bytes, end);
  if (end <= bytes || end < kGrowFromBytes) return;
  static const std::array<char, 64 << 10> zeros{};
  const sqlite3_int64 until = end + kGrowByBytes;
  constexpr auto kStep = static_cast<sqlite3_int64>(zeros.size());
  for (sqlite3_int64 at = end; at + kStep <= until; at += kStep) {
    if (methods.xWrite(file.real, zeros.data(), static_cast<int>(kStep), at) != SQLITE_OK) return;
    file.known_bytes = at + kStep;
  }
}

int close(sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); }
int read(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
  return real(f)->pMethods->xRead(real(f), to, n, at);
}
int write(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
  if (const int code = faulted("store.write", SQLITE_IOERR_WRITE); code != SQLITE_OK) return code;
  grow_ahead(*reinterpret_cast<FaultFile*>(f), at + n);
  return real(f)->pMethods->xWrite(real(f), from, n, at);
}
int truncate(sqlite3_file* f, sqlite3_int64 size) {
  if (const int code = faulted("store.truncate", SQLITE_IOERR_TRUNCATE); code != SQLITE_OK) {
    return code;
  }
  reinterpret_cast<FaultFile*>(f)->known_bytes = 0;
  return real(f)->pMethods->xTruncate(real(f), size);
}
int sync(sqlite3_file* f, int flags) {
  if (const int code = faulted("store.sync", SQLITE_IOERR_FSYNC); code != SQLITE_OK) return code;
  return real(f)->pMethods->xSync(real(f), flags);
}
int file_size(sqlite3_file* f, sqlite3_int64* size) {
  return real(f)->pMethods->xFileSize(real(f), size);
}
int lock(sqlite3_file* f, int kind) { return real(f)->pMethods->xLock(real(f), kind); }
int unlock(sqlite3_file* f, int kind) { return real(f)->pMethods->xUnlock(real(f), kind); }
int check_reserved(sqlite3_file* f, int* out) {
  return real(f)->pMethods->xCheckReservedLock(real(f), out);
}
int control(sqlite3_file* f, int op, void* arg) {
  return real(f)->pMethods->xFileControl(real(f), op, arg);
}
int sector_size(sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); }
int characteristics(sqlite3_file* f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); }
int shm_map(sqlite3_file* f, int region, int size, int extend, void volatile** out) {
  return real(f)->pMethods->xShmMap(real(f), region, size, extend, out);
}
int shm_lock(sqlite3_file* f, int offset, int n, int flags) {
  return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
}
void shm_barrier(sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); }
int shm_unmap(sqlite3_file* f, int remove) { return real(f)->pMethods->xShmUnmap(real(f), remove); }
int fetch(sqlite3_file* f, sqlite3_int64 at, int n, void** out) {
  return real(f)->pMethods->xFetch(real(f), at, n, out);
}
int unfetch(sqlite3_file* f, sqlite3_int64 at, void* page) {
  return real(f)->pMethods->xUnfetch(real(f), at, page);
}

const sqlite3_io_methods kMethods = {3,
                                     close,
                                     read,
                                     write,
                                     truncate,
                                     sync,
                                     file_size,
                                     lock,
                                     unlock,
                                     check_reserved,
                                     control,
                                     sector_size,
                                     characteristics,
                                     shm_map,
                                     shm_lock,
                                     shm_barrier,
                                     shm_unmap,
                                     fetch,
                                     unfetch};

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* mine = reinterpret_cast<FaultFile*>(file);
  mine->head.pMethods = nullptr;
  mine->real = reinterpret_cast<sqlite3_file*>(mine + 1);
  mine->is_log = (flags & SQLITE_OPEN_WAL) != 0;
  mine->known_bytes = 0;
  std::memset(static_cast<void*>(mine->real), 0, static_cast<std::size_t>(system_vfs->szOsFile));
  const int code = system_vfs->xOpen(system_vfs, name, mine->real, flags, out_flags);
  if (mine->real->pMethods != nullptr) mine->head.pMethods = &kMethods;
  return code;
}
int remove(sqlite3_vfs*, const char* name, int sync_folder) {
  if (const int code = faulted("store.delete", SQLITE_IOERR_DELETE); code != SQLITE_OK) return code;
  return system_vfs->xDelete(system_vfs, name, sync_folder);
}
int access(sqlite3_vfs*, const char* name, int flags, int* out) {
  return system_vfs->xAccess(system_vfs, name, flags, out);
}
int full_path(sqlite3_vfs*, const char* name, int n, char* out) {
  return system_vfs->xFullPathname(system_vfs, name, n, out);
}
int randomness(sqlite3_vfs*, int n, char* out) {
  return system_vfs->xRandomness(system_vfs, n, out);
}
int wait(sqlite3_vfs*, int microseconds) { return system_vfs->xSleep(system_vfs, microseconds); }
int current_time(sqlite3_vfs*, double* out) { return system_vfs->xCurrentTime(system_vfs, out); }
int current_time64(sqlite3_vfs*, sqlite3_int64* out) {
  return system_vfs->xCurrentTimeInt64(system_vfs, out);
}
int last_error(sqlite3_vfs*, int n, char* out) {
  if (last_errno != 0) return last_errno;
  return system_vfs->xGetLastError(system_vfs, n, out);
}

}  // namespace

const char* fault_vfs() {
  static sqlite3_vfs vfs;
  static std::once_flag once;
  std::call_once(once, [] {
    system_vfs = sqlite3_vfs_find(nullptr);
    vfs = *system_vfs;
    vfs.iVersion = 2;  // no dynamic loading, no overriding of system calls through this one
    vfs.szOsFile = static_cast<int>(sizeof(FaultFile)) + system_vfs->szOsFile;
    vfs.pNext = nullptr;
    vfs.zName = "maru";
    vfs.xOpen = open;
    vfs.xDelete = remove;
    vfs.xAccess = access;
    vfs.xFullPathname = full_path;
    vfs.xDlOpen = nullptr;
    vfs.xDlError = nullptr;
    vfs.xDlSym = nullptr;
    vfs.xDlClose = nullptr;
    vfs.xRandomness = randomness;
    vfs.xSleep = wait;
    vfs.xCurrentTime = current_time;
    vfs.xGetLastError = last_error;
    vfs.xCurrentTimeInt64 = current_time64;
    sqlite3_vfs_register(&vfs, 0);
  });
  return vfs.zName;
}

}  // namespace maru::store
