#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "maru/base/result.h"

namespace maru::base {

// Files with the durability steps spelled out. ENOSPC -> kNoSpace, ENOENT -> kNotFound, EACCES -> kPermissionDenied.
// Created files are 0600, folders 0700. Every call passes a fault point (fault.h) named as in parentheses.
Result<std::string> read_file(const std::string& path, std::size_t max_bytes = 1u << 30);
// Writes path.tmp-<random>, fsyncs, renames over `path`, fsyncs the folder: readers see the old or the new bytes (file.write, file.fsync, file.rename).
Status write_file_atomic(const std::string& path, std::string_view bytes);
Status make_folders(const std::string& path);
Status sync_file(const std::string& path);
Status sync_folder(const std::string& path);
// rename + fsync of the target's folder.
Status rename_durable(const std::string& from, const std::string& to);
Status remove_tree(const std::string& path);  // absent is fine
bool path_exists(const std::string& path);
bool is_folder(const std::string& path);
Result<std::uint64_t> file_size(const std::string& path);
// Sorted names, without "." and "..".
Result<std::vector<std::string>> list_folder(const std::string& path);
// Shell-style pattern (* ? [..]) over the file system; sorted. A pattern without a match is kNotFound.
Result<std::vector<std::string>> glob_files(const std::string& pattern);
std::string join_path(std::string_view folder, std::string_view name);
std::string file_name(std::string_view path);
std::string parent_path(std::string_view path);
std::uint64_t free_bytes(const std::string& path);

// Exclusive advisory lock; released by the destructor. kUnavailable (with the holder's pid) when another process has it.
class FileLock {
 public:
  static Result<FileLock> acquire(const std::string& path);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace maru::base
