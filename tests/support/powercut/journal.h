/* What both recorders write: one line of history, in which every write, sync and name has its place.

   A record is the letter of what happened, an inode, an offset, the length of what follows, and that.
   O opened (offset 1: made)   W written   T cut to offset   S synced   D folder synced
   R renamed (old NUL new)     U removed   M folder made     X said by the program                        */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int journal_fd = -1;

static void journal_open(void) {
  const char *path = getenv("POWERCUT_LOG");
  if (journal_fd < 0 && path) journal_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void journal(char op, uint64_t inode, int64_t offset, const void *data, uint32_t length) {
  struct __attribute__((packed)) { char op; uint64_t inode; int64_t offset; uint32_t length; } head = {op, inode, offset, length};
  struct iovec parts[2] = {{&head, sizeof head}, {(void *)data, length}};
  if (journal_fd >= 0 && writev(journal_fd, parts, length ? 2 : 1) < 0) abort();
}

static uint64_t inode_of(const char *path) {
  struct stat found;
  return stat(path, &found) ? 0 : found.st_ino;
}
