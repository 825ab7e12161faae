#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
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

// A file that grows at its end, created when absent; one writer at a time (kUnavailable for a second one). What was not synced may be lost
// (append.write, append.sync). Not thread safe.
class AppendFile {
 public:
  static Result<AppendFile> open(const std::string& path);
  AppendFile(AppendFile&& other) noexcept;
  AppendFile& operator=(AppendFile&& other) noexcept;
  ~AppendFile();
  std::uint64_t size() const { return size_; }
  Status append(std::string_view bytes);
  Status truncate(std::uint64_t size);
  Status sync();

 private:
  AppendFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

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
