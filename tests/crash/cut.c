/*
 * Runs a program and cuts it at one of its changes of files.
 *
 *   cut DIR NUMBER kill|tear|fail COUNT -- PROGRAM ARGUMENT...
 *
 * Counts the system calls of all its threads that change files below DIR, from 1. At call NUMBER the
 * program is killed before the call (kill) or in the middle of it (tear: half of the bytes are
 * written), or the call fails with ENOSPC (fail). Writes the number of calls into the file COUNT,
 * and exits with the program's status, or 137 if it was killed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum mode { KILL, TEAR, FAIL };

static const char *dir;
static long cut_at, seen;
static enum mode mode;
static pid_t program;

/* A thread that has to be dealt with when its call is over. */
static pid_t torn, failed;

static void die(const char *what)
{
    perror(what);
    exit(2);
}

/* A text of the program. */
static bool read_text(pid_t thread, unsigned long from, char *text, size_t size)
{
    struct iovec here = { text, size - 1 }, there = { (void *)from, size - 1 };
    /* A page less may be mapped than is asked for. */
    ssize_t length = process_vm_readv(thread, &here, 1, &there, 1, 0);
    if (length < 0) {
        here.iov_len = there.iov_len = 4096 - from % 4096;
        length = process_vm_readv(thread, &here, 1, &there, 1, 0);
    }
    if (length < 0)
        return false;
    text[length] = 0;
    return memchr(text, 0, (size_t)length) != NULL || (size_t)length < size - 1;
}

static bool below(const char *path)
{
    size_t length = strlen(dir);
    return strncmp(path, dir, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static bool fd_below(pid_t thread, int fd)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/%d/fd/%d", thread, fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return false;
    path[length] = 0;
    return below(path);
}

static bool path_below(pid_t thread, int at, unsigned long address)
{
    char path[PATH_MAX];
    if (!read_text(thread, address, path, sizeof path))
        return false;
    return path[0] == '/' ? below(path) : at != AT_FDCWD && fd_below(thread, at);
}

/* Whether a call changes files below the directory. */
static bool changes(pid_t thread, unsigned long number, const unsigned long *args)
{
    const int to_write = O_CREAT | O_TRUNC;
    switch (number) {
    case SYS_write:
    case SYS_pwrite64:
    case SYS_writev:
    case SYS_pwritev:
    case SYS_fsync:
    case SYS_fdatasync:
    case SYS_ftruncate:
    case SYS_fallocate:
    case SYS_copy_file_range:
    case SYS_sendfile:
        return fd_below(thread, (int)args[number == SYS_copy_file_range ? 2 : 0]);
    case SYS_open:
        return (args[1] & to_write) && path_below(thread, AT_FDCWD, args[0]);
    case SYS_openat:
        return (args[2] & to_write) && path_below(thread, (int)args[0], args[1]);
    case SYS_rename:
    case SYS_link:
    case SYS_symlink:
        return path_below(thread, AT_FDCWD, args[1]);
    case SYS_renameat:
    case SYS_renameat2:
    case SYS_linkat:
        return path_below(thread, (int)args[2], args[3]);
    case SYS_unlink:
    case SYS_rmdir:
    case SYS_mkdir:
    case SYS_truncate:
        return path_below(thread, AT_FDCWD, args[0]);
    case SYS_unlinkat:
    case SYS_mkdirat:
        return path_below(thread, (int)args[0], args[1]);
    default:
        return false;
    }
}

static void kill_program(void)
{
    kill(program, SIGKILL);
}

static void set_registers(pid_t thread, void (*change)(struct user_regs_struct *))
{
    struct user_regs_struct registers;
    if (ptrace(PTRACE_GETREGS, thread, NULL, &registers) != 0)
        return;
    change(&registers);
    ptrace(PTRACE_SETREGS, thread, NULL, &registers);
}

static void halve(struct user_regs_struct *registers) { registers->rdx /= 2; }
static void skip(struct user_regs_struct *registers) { registers->orig_rax = (unsigned long)-1; }
static void no_space(struct user_regs_struct *registers) { registers->rax = (unsigned long)-ENOSPC; }

static void at_entry(pid_t thread, const struct __ptrace_syscall_info *call)
{
    unsigned long args[6];
    for (int i = 0; i < 6; i++)
        args[i] = call->entry.args[i];
    if (!changes(thread, call->entry.nr, args) || ++seen != cut_at)
        return;
    bool is_write = call->entry.nr == SYS_write || call->entry.nr == SYS_pwrite64;
    switch (mode) {
    case KILL:
        kill_program();
        break;
    case TEAR:
        if (is_write)
            set_registers(thread, halve);
        torn = thread;
        break;
    case FAIL:
        set_registers(thread, skip);
        failed = thread;
        break;
    }
}

static void at_exit(pid_t thread)
{
    if (thread == torn) {
        torn = 0;
        kill_program();
    } else if (thread == failed) {
        failed = 0;
        set_registers(thread, no_space);
    }
}

int main(int argc, char **argv)
{
    if (argc < 7 || strcmp(argv[5], "--") != 0) {
        fprintf(stderr, "cut DIR NUMBER kill|tear|fail COUNT -- PROGRAM ARGUMENT...\n");
        return 2;
    }
    dir = argv[1];
    cut_at = atol(argv[2]);
    mode = argv[3][0] == 'k' ? KILL : argv[3][0] == 't' ? TEAR : FAIL;
    program = fork();
    if (program < 0)
        die("fork");
    if (program == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        execvp(argv[6], argv + 6);
        die(argv[6]);
    }
    int status;
    if (waitpid(program, &status, 0) < 0)
        die("waitpid");
    long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SETOPTIONS, program, NULL, options) != 0)
        die("PTRACE_SETOPTIONS");
    ptrace(PTRACE_SYSCALL, program, NULL, 0);

    int result = 137;
    for (;;) {
        pid_t thread = waitpid(-1, &status, __WALL);
        if (thread < 0)
            break;
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (thread == program) {
                result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
                break;
            }
            continue;
        }
        int signal = WSTOPSIG(status);
        if (signal == (SIGTRAP | 0x80)) {
            struct __ptrace_syscall_info call;
            if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof call, &call) > 0) {
                if (call.op == PTRACE_SYSCALL_INFO_ENTRY)
                    at_entry(thread, &call);
                else if (call.op == PTRACE_SYSCALL_INFO_EXIT)
                    at_exit(thread);
            }
            signal = 0;
        } else if (signal == SIGTRAP || signal == SIGSTOP) {
            /* A new thread, or an event of ptrace. */
            signal = 0;
        }
        ptrace(PTRACE_SYSCALL, thread, NULL, signal);
    }
    FILE *count = fopen(argv[4], "w");
    if (!count)
        die(argv[4]);
    fprintf(count, "%ld\n", seen);
    fclose(count);
    return result;
}
