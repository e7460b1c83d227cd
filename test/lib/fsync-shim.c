/*
 * Preloaded into a process under test: every call that makes data durable is slowed down, or left out.
 *
 *   FSYNC_DELAY_MS=20  waits so long before each call, as a slow card does
 *   FSYNC_SKIP=1       answers success without the call, as a program that forgot it
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static int skip;
static long delay_ms;

__attribute__((constructor)) static void read_environment(void) {
  const char *skip_word = getenv("FSYNC_SKIP");
  const char *delay_word = getenv("FSYNC_DELAY_MS");
  skip = skip_word != NULL && atoi(skip_word) != 0;
  delay_ms = delay_word == NULL ? 0 : atol(delay_word);
}

static void wait_first(void) {
  if (delay_ms <= 0) return;
  struct timespec left = {delay_ms / 1000, (delay_ms % 1000) * 1000000L};
  while (nanosleep(&left, &left) == -1 && errno == EINTR) {
  }
}

/* The function of this name in libc, which the one here stands in front of. */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd) {
  if (skip) return 0;
  wait_first();
  return REAL(fsync)(fd);
}

int fdatasync(int fd) {
  if (skip) return 0;
  wait_first();
  return REAL(fdatasync)(fd);
}

int syncfs(int fd) {
  if (skip) return 0;
  wait_first();
  return REAL(syncfs)(fd);
}

void sync(void) {
  if (skip) return;
  wait_first();
  REAL(sync)();
}

int sync_file_range(int fd, off64_t offset, off64_t bytes, unsigned int flags) {
  if (skip) return 0;
  wait_first();
  return REAL(sync_file_range)(fd, offset, bytes, flags);
}

int msync(void *address, size_t bytes, int flags) {
  if (skip) return 0;
  wait_first();
  return REAL(msync)(address, bytes, flags);
}
