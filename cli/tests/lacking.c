/* A file system that lacks the calls that the variable LACKS names, for LD_PRELOAD. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int lacks(const char *call, int error) {
    const char *names = getenv("LACKS");
    if (names == NULL || strstr(names, call) == NULL) return 0;
    errno = error;
    return 1;
}

int rename(const char *from, const char *to) {
    return lacks("rename", ENOSYS) ? -1 : (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

int ftruncate64(int file, off64_t length) {
    return lacks("ftruncate", ENOSYS) ? -1 : (int)syscall(SYS_ftruncate, file, length);
}

int ftruncate(int file, off_t length) {
    return lacks("ftruncate", ENOSYS) ? -1 : (int)syscall(SYS_ftruncate, file, length);
}

int fsync(int file) {
    return lacks("fsync", EINVAL) ? -1 : lacks("disk", EIO) ? -1 : (int)syscall(SYS_fsync, file);
}
