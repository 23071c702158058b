/*
 * Counts how often a process asks for something to be on disk. Built when it is needed, and put before the C
 * library of a program that is watched (LD_PRELOAD). SYNCS_FILE names a file of two numbers of 64 bits that is
 * shared with whoever watches: how often it was asked so far, and how many microseconds more each time is to
 * take, as on a slower disk.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct syncs {
    _Atomic uint64_t asked;
    _Atomic uint64_t micros;
};

static struct syncs *syncs;

__attribute__((constructor)) static void share(void) {
    const char *path = getenv("SYNCS_FILE");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *shared = MAP_FAILED;
    if (file >= 0) {
        shared = mmap(NULL, sizeof *syncs, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        close(file);
    }
    /* Whoever is not counted must not look like somebody who never asks. */
    if (shared == MAP_FAILED) abort();
    syncs = shared;
}

static void count(void) {
    uint64_t micros = atomic_load(&syncs->micros);
    atomic_fetch_add(&syncs->asked, 1);
    if (micros) usleep(micros);
}

int fsync(int file) {
    count();
    return syscall(SYS_fsync, file);
}

int fdatasync(int file) {
    count();
    return syscall(SYS_fdatasync, file);
}

int syncfs(int file) {
    count();
    return syscall(SYS_syncfs, file);
}

void sync(void) {
    count();
    syscall(SYS_sync);
}

int msync(void *start, size_t length, int flags) {
    if (flags & MS_SYNC) count();
    return syscall(SYS_msync, start, length, flags);
}
