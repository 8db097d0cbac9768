/* A VFS over the default one that writes down what SQLite asks of the disk. Loaded as an extension, it becomes the
   default; reads, locks and shared memory pass through, for what they see is gone with the power anyway.       */
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1
#include "journal.h"

typedef struct { sqlite3_file base; uint64_t inode; int fresh_journal; char folder[512]; sqlite3_file *real; } File;

static sqlite3_vfs *below;
#define REAL(f) (((File *)(f))->real)
#define PASS(f, method, ...) REAL(f)->pMethods->method(REAL(f), ##__VA_ARGS__)

static void folder_of(const char *path, char *folder) {
  const char *slash = strrchr(path, '/');
  size_t length = slash ? (size_t)(slash - path) : 0;
  if (length >= 512) abort();
  memcpy(folder, path, length);
  folder[length] = 0;
}

static int x_close(sqlite3_file *f) { return PASS(f, xClose); }
static int x_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at) { return PASS(f, xRead, to, n, at); }
static int x_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at) {
  int rc = PASS(f, xWrite, from, n, at);
  if (rc == SQLITE_OK) journal('W', ((File *)f)->inode, at, from, n);
  return rc;
}
static int x_truncate(sqlite3_file *f, sqlite3_int64 size) {
  int rc = PASS(f, xTruncate, size);
  if (rc == SQLITE_OK) journal('T', ((File *)f)->inode, size, 0, 0);
  return rc;
}
static int x_sync(sqlite3_file *f, int flags) {
  File *file = (File *)f;
  int rc = PASS(f, xSync, flags);
  if (rc != SQLITE_OK) return rc;
  journal('S', file->inode, 0, 0, 0);
  /* the first sync of a new journal or log syncs the folder, too (os_unix.c, UNIXFILE_DIRSYNC) */
  if (file->fresh_journal) journal('D', 0, 0, file->folder, strlen(file->folder));
  file->fresh_journal = 0;
  return rc;
}
static int x_size(sqlite3_file *f, sqlite3_int64 *size) { return PASS(f, xFileSize, size); }
static int x_lock(sqlite3_file *f, int level) { return PASS(f, xLock, level); }
static int x_unlock(sqlite3_file *f, int level) { return PASS(f, xUnlock, level); }
static int x_reserved(sqlite3_file *f, int *out) { return PASS(f, xCheckReservedLock, out); }
static int x_control(sqlite3_file *f, int op, void *arg) { return PASS(f, xFileControl, op, arg); }
static int x_sector(sqlite3_file *f) { return PASS(f, xSectorSize); }
static int x_traits(sqlite3_file *f) { return PASS(f, xDeviceCharacteristics); }
static int x_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **at) {
  return PASS(f, xShmMap, page, size, extend, at);
}
static int x_shm_lock(sqlite3_file *f, int first, int n, int flags) { return PASS(f, xShmLock, first, n, flags); }
static void x_shm_barrier(sqlite3_file *f) { PASS(f, xShmBarrier); }
static int x_shm_unmap(sqlite3_file *f, int gone) { return PASS(f, xShmUnmap, gone); }

/* version 2: without xFetch nothing is written through a mapping, behind our back */
static const sqlite3_io_methods methods = {
  2, x_close, x_read, x_write, x_truncate, x_sync, x_size, x_lock, x_unlock, x_reserved, x_control, x_sector, x_traits,
  x_shm_map, x_shm_lock, x_shm_barrier, x_shm_unmap, 0, 0};

static int x_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out) {
  File *file = (File *)f;
  int made = name && (flags & SQLITE_OPEN_CREATE) && access(name, F_OK) != 0;
  memset(file, 0, sizeof *file);
  file->real = (sqlite3_file *)(file + 1);
  int rc = below->xOpen(below, name, file->real, flags, out);
  if (!file->real->pMethods) return rc;
  file->base.pMethods = &methods;
  if (rc == SQLITE_OK && name) {
    file->inode = inode_of(name);
    file->fresh_journal = made && (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL));
    folder_of(name, file->folder);
    journal('O', file->inode, made, name, strlen(name));
  }
  return rc;
}

static int x_delete(sqlite3_vfs *vfs, const char *name, int sync_folder) {
  char folder[512];
  int rc = below->xDelete(below, name, sync_folder);
  if (rc != SQLITE_OK) return rc;
  journal('U', 0, 0, name, strlen(name));
  folder_of(name, folder);
  if (sync_folder) journal('D', 0, 0, folder, strlen(folder));
  return rc;
}

static void said(sqlite3_context *context, int n, sqlite3_value **values) {
  journal('X', 0, 0, sqlite3_value_text(values[0]), sqlite3_value_bytes(values[0]));
}

__attribute__((visibility("default"))) int sqlite3_extension_init(sqlite3 *db, char **error, const sqlite3_api_routines *api) {
  static sqlite3_vfs vfs;
  SQLITE_EXTENSION_INIT2(api);
  journal_open();
  if (!below) {
    below = sqlite3_vfs_find(0);
    vfs = *below;
    vfs.zName = "powercut";
    vfs.szOsFile = sizeof(File) + below->szOsFile;
    vfs.pNext = 0;
    vfs.xOpen = x_open;
    vfs.xDelete = x_delete;
    if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK) return SQLITE_ERROR;
  }
  int rc = sqlite3_create_function(db, "powercut_said", 1, SQLITE_UTF8, 0, said, 0, 0);
  return rc == SQLITE_OK ? SQLITE_OK_LOAD_PERMANENTLY : rc;
}
