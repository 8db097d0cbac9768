/* The same for plain files: an LD_PRELOAD library that writes down what the program asks of the disk below
   POWERCUT_ROOT. What SQLite writes is the VFS's to tell: names with ".db" in them are left to it.         */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include "journal.h"

#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, name))
static char tracked[65536];

static int ours(const char *path) {
  const char *root = getenv("POWERCUT_ROOT");
  return root && path && strncmp(path, root, strlen(root)) == 0;
}

static int opened(const char *name, int dir, const char *path, int flags, mode_t mode) {
  int mine = ours(path) && !strstr(path, ".db");
  int made = mine && (flags & O_CREAT) && access(path, F_OK) != 0;
  int fd = NEXT(int (*)(int, const char *, int, ...), "openat")(dir, path, flags, mode);
  (void)name;
  if (fd >= 0 && fd < (int)sizeof tracked) tracked[fd] = mine;
  if (fd >= 0 && mine && (flags & (O_WRONLY | O_RDWR))) {
    journal_open();
    journal('O', inode_of(path), made, path, strlen(path));
    if (flags & O_TRUNC) journal('T', inode_of(path), 0, 0, 0);
  }
  return fd;
}

#define MODE(flags) mode_t mode = 0; if ((flags) & O_CREAT) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }
int open(const char *path, int flags, ...) { MODE(flags) return opened("open", AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened("open", AT_FDCWD, path, flags, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE(flags) return opened("openat", dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE(flags) return opened("openat", dir, path, flags, mode); }

static uint64_t inode_at(int fd) {
  struct stat found;
  return fstat(fd, &found) ? 0 : found.st_ino;
}

ssize_t write(int fd, const void *from, size_t n) {
  int mine = fd >= 0 && fd < (int)sizeof tracked && tracked[fd];
  off_t at = mine ? lseek(fd, 0, SEEK_CUR) : 0;
  ssize_t done = NEXT(ssize_t (*)(int, const void *, size_t), "write")(fd, from, n);
  if (mine && done > 0) journal('W', inode_at(fd), at, from, done);
  return done;
}

static int synced(int fd, const char *how) {
  int rc = NEXT(int (*)(int), how)(fd);
  struct stat found;
  if (rc || fd < 0 || fd >= (int)sizeof tracked || !tracked[fd] || fstat(fd, &found)) return rc;
  if (S_ISDIR(found.st_mode)) {
    char link[64], path[512];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path);
    journal_open();
    if (length > 0) journal('D', 0, 0, path, length);
  } else {
    journal('S', found.st_ino, 0, 0, 0);
  }
  return rc;
}
int fsync(int fd) { return synced(fd, "fsync"); }
int fdatasync(int fd) { return synced(fd, "fdatasync"); }

static void renamed(const char *from, const char *to) {
  char both[1100];
  size_t first = strlen(from), second = strlen(to);
  if (!ours(from) || first + second + 1 > sizeof both) return;
  memcpy(both, from, first + 1);
  memcpy(both + first + 1, to, second);
  journal_open();
  journal('R', 0, 0, both, first + 1 + second);
}
int rename(const char *from, const char *to) {
  int rc = NEXT(int (*)(const char *, const char *), "rename")(from, to);
  if (!rc) renamed(from, to);
  return rc;
}
int renameat(int a, const char *from, int b, const char *to) {
  int rc = NEXT(int (*)(int, const char *, int, const char *), "renameat")(a, from, b, to);
  if (!rc) renamed(from, to);
  return rc;
}

static void removed(const char *path) {
  if (ours(path)) { journal_open(); journal('U', 0, 0, path, strlen(path)); }
}
int unlink(const char *path) {
  int rc = NEXT(int (*)(const char *), "unlink")(path);
  if (!rc) removed(path);
  return rc;
}
int unlinkat(int dir, const char *path, int flags) {
  int rc = NEXT(int (*)(int, const char *, int), "unlinkat")(dir, path, flags);
  if (!rc) removed(path);
  return rc;
}

static void folder(const char *path) {
  if (ours(path)) { journal_open(); journal('M', 0, 0, path, strlen(path)); }
}
int mkdir(const char *path, mode_t mode) {
  int rc = NEXT(int (*)(const char *, mode_t), "mkdir")(path, mode);
  if (!rc) folder(path);
  return rc;
}
int mkdirat(int dir, const char *path, mode_t mode) {
  int rc = NEXT(int (*)(int, const char *, mode_t), "mkdirat")(dir, path, mode);
  if (!rc) folder(path);
  return rc;
}
