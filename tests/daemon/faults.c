/* Preloaded into the server: makes writes and syncs of files below $FAULTS_DIR fail as the file $FAULTS_FILE says, a
 * line such as `write 28` or `sync 5` (an errno; `write` is every write that makes a file grow). Without it they work. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int fault(const char *call, int fd, off_t end) {
  const char *dir = getenv("FAULTS_DIR"), *control = getenv("FAULTS_FILE");
  char link[64], path[4096], wanted[16];
  int error = 0;
  ssize_t n;
  FILE *f;
  struct stat st;
  if (dir == NULL || control == NULL || (f = fopen(control, "re")) == NULL) return 0;
  if (fscanf(f, "%15s %d", wanted, &error) != 2) error = 0;
  fclose(f);
  if (error == 0 || strcmp(wanted, call) != 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  n = readlink(link, path, sizeof path - 1);
  if (n < 0) return 0;
  path[n] = 0;
  if (strncmp(path, dir, strlen(dir)) != 0) return 0;
  if (strcmp(call, "write") == 0 && fstat(fd, &st) == 0 && end <= st.st_size) return 0;
  errno = error;
  return -1;
}

#define REAL(type, name, ...) \
  static type (*real)(__VA_ARGS__); \
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, name)

static off_t total(const struct iovec *v, int n) {
  off_t sum = 0;
  for (int i = 0; i < n; ++i) sum += (off_t)v[i].iov_len;
  return sum;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
  REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
  return fault("write", fd, at + (off_t)size) ? -1 : real(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) { return pwrite(fd, data, size, at); }
ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at) {
  REAL(ssize_t, "pwritev", int, const struct iovec *, int, off_t);
  return fault("write", fd, at + total(v, n)) ? -1 : real(fd, v, n, at);
}
ssize_t pwritev64(int fd, const struct iovec *v, int n, off_t at) { return pwritev(fd, v, n, at); }
ssize_t writev(int fd, const struct iovec *v, int n) {
  REAL(ssize_t, "writev", int, const struct iovec *, int);
  off_t at = lseek(fd, 0, SEEK_CUR);
  return at >= 0 && fault("write", fd, at + total(v, n)) ? -1 : real(fd, v, n);
}
int fdatasync(int fd) {
  REAL(int, "fdatasync", int);
  return fault("sync", fd, 0) ? -1 : real(fd);
}
