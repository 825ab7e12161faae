#pragma once

namespace maru::store {

// Name of an SQLite VFS that passes every call on to the system's, with the fault points "store.write", "store.sync",
// "store.truncate" and "store.delete" before the calls that change the disk. Registered once; costs one relaxed load a call.
const char* fault_vfs();

}  // namespace maru::store
