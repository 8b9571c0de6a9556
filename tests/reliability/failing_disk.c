/* Stands between a program and the C library (LD_PRELOAD): counts what is written below
 * one folder, and lets the n-th operation fail. Built by disks.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

static char below[PATH_MAX];
static size_t below_length;
static atomic_int is_armed;
static atomic_long done, failed;
static long fail_at;
static int error_number, for_good;
static char last[512];

/* What an operation is: ENOSPC comes of those that need room, EACCES of those that ask
 * for a right, EIO of all. */
enum { NEEDS_ROOM = 1, NEEDS_RIGHT = 2 };

void disk_arm(const char *folder, long at, int error, int stays) {
    strncpy(below, folder, sizeof below - 1);
    below_length = strlen(below);
    fail_at = at;
    error_number = error;
    for_good = stays;
    last[0] = 0;
    atomic_store(&done, 0);
    atomic_store(&failed, 0);
    atomic_store(&is_armed, 1);
}

long disk_disarm(void) {
    atomic_store(&is_armed, 0);
    return atomic_load(&done);
}

long disk_failed(void) { return atomic_load(&failed); }
const char *disk_last(void) { return last; }

static int is_below(const char *path) {
    return path && !strncmp(path, below, below_length) && path[below_length] == '/';
}

static int fails(const char *name, const char *path, int kind) {
    if (!atomic_load(&is_armed) || !is_below(path)) return 0;
    if (error_number == ENOSPC && !(kind & NEEDS_ROOM)) return 0;
    if (error_number == EACCES && !(kind & NEEDS_RIGHT)) return 0;
    long number = atomic_fetch_add(&done, 1) + 1;
    if (!fail_at || number < fail_at || (number > fail_at && !for_good)) return 0;
    if (!atomic_fetch_add(&failed, 1))
        snprintf(last, sizeof last, "%s %s", name, path + below_length + 1);
    errno = error_number;
    return 1;
}

static const char *path_of(int fd, char *buffer) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, buffer, PATH_MAX - 1);
    if (length < 0) return NULL;
    buffer[length] = 0;
    return buffer;
}

/* Writing over what is there needs no room. */
static int grows(int fd, off_t at, size_t length) {
    struct stat told;
    if (fstat(fd, &told)) return 1;
    if (at < 0) at = fcntl(fd, F_GETFL) & O_APPEND ? told.st_size : lseek(fd, 0, SEEK_CUR);
    return at < 0 || at + (off_t)length > told.st_size;
}

static int write_fails(const char *name, int fd, off_t at, size_t length) {
    char buffer[PATH_MAX];
    if (!atomic_load(&is_armed)) return 0;
    const char *path = path_of(fd, buffer);
    return fails(name, path, grows(fd, at, length) ? NEEDS_ROOM : 0);
}

#define REAL(name) __typeof__(name) *real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static int opens(const char *path, int flags) {
    if ((flags & O_ACCMODE) == O_RDONLY && !(flags & O_CREAT)) return 0;
    int is_new = (flags & O_CREAT) && access(path, F_OK);
    return fails("open", path, NEEDS_RIGHT | (is_new ? NEEDS_ROOM : 0));
}

#define OPEN(name)                                                       \
    int name(const char *path, int flags, ...) {                         \
        va_list more; va_start(more, flags);                             \
        mode_t mode = va_arg(more, mode_t); va_end(more);                \
        if (opens(path, flags)) return -1;                               \
        REAL(name); return real(path, flags, mode);                      \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                     \
    int name(int folder, const char *path, int flags, ...) {             \
        va_list more; va_start(more, flags);                             \
        mode_t mode = va_arg(more, mode_t); va_end(more);                \
        if (opens(path, flags)) return -1;                               \
        REAL(name); return real(folder, path, flags, mode);              \
    }
OPENAT(openat)
OPENAT(openat64)

#define FOPEN(name)                                                      \
    FILE *name(const char *path, const char *mode) {                     \
        int writes = mode[0] != 'r' || strchr(mode, '+');                \
        int flags = writes ? O_RDWR | (mode[0] == 'r' ? 0 : O_CREAT) : O_RDONLY; \
        if (opens(path, flags)) return NULL;                             \
        REAL(name); return real(path, mode);                             \
    }
FOPEN(fopen)
FOPEN(fopen64)

size_t fwrite(const void *from, size_t size, size_t count, FILE *file) {
    if (write_fails("fwrite", fileno(file), -1, size * count)) return 0;
    REAL(fwrite); return real(from, size, count, file);
}
ssize_t write(int fd, const void *from, size_t length) {
    if (write_fails("write", fd, -1, length)) return -1;
    REAL(write); return real(fd, from, length);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    size_t length = 0;
    for (int i = 0; i < count; i++) length += parts[i].iov_len;
    if (write_fails("writev", fd, -1, length)) return -1;
    REAL(writev); return real(fd, parts, count);
}
ssize_t pwrite(int fd, const void *from, size_t length, off_t at) {
    if (write_fails("pwrite", fd, at, length)) return -1;
    REAL(pwrite); return real(fd, from, length, at);
}
ssize_t pwrite64(int fd, const void *from, size_t length, off64_t at) {
    if (write_fails("pwrite", fd, at, length)) return -1;
    REAL(pwrite64); return real(fd, from, length, at);
}
ssize_t sendfile(int to, int from, off_t *at, size_t length) {
    if (write_fails("sendfile", to, -1, length)) return -1;
    REAL(sendfile); return real(to, from, at, length);
}
ssize_t sendfile64(int to, int from, off64_t *at, size_t length) {
    if (write_fails("sendfile", to, -1, length)) return -1;
    REAL(sendfile64); return real(to, from, at, length);
}
ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *to_at, size_t length,
                        unsigned int flags) {
    if (write_fails("copy_file_range", to, -1, length)) return -1;
    REAL(copy_file_range); return real(from, at, to, to_at, length, flags);
}
int ftruncate(int fd, off_t size) {
    if (write_fails("ftruncate", fd, size, 0)) return -1;
    REAL(ftruncate); return real(fd, size);
}
int ftruncate64(int fd, off64_t size) {
    if (write_fails("ftruncate", fd, size, 0)) return -1;
    REAL(ftruncate64); return real(fd, size);
}
int fsync(int fd) {
    char buffer[PATH_MAX];
    if (atomic_load(&is_armed) && fails("fsync", path_of(fd, buffer), NEEDS_ROOM))
        return -1;
    REAL(fsync); return real(fd);
}
int mkdir(const char *path, mode_t mode) {
    if (fails("mkdir", path, NEEDS_ROOM | NEEDS_RIGHT)) return -1;
    REAL(mkdir); return real(path, mode);
}
int rename(const char *from, const char *to) {
    if (fails("rename", to, NEEDS_RIGHT)) return -1;
    REAL(rename); return real(from, to);
}
int link(const char *from, const char *to) {
    if (fails("link", to, NEEDS_RIGHT)) return -1;
    REAL(link); return real(from, to);
}
