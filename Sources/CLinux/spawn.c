#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// dup2 onto itself would leave close-on-exec set.
static int place(int descriptor, int target) {
    if (descriptor == target)
        return fcntl(descriptor, F_SETFD, 0);
    return dup2(descriptor, target);
}

// Runs in the child on the parent's memory: system calls only, no locks, no allocation. Returns the errno of what failed.
static int become(const struct clinux_spawn *request, pid_t parent) {
    struct sigaction defaults = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &defaults, NULL); // fails for SIGKILL, SIGSTOP and the C library's own, rightly
    if (request->own_process_group && setpgid(0, 0) < 0)
        return errno;
    if (request->parent_death_signal) {
        if (prctl(PR_SET_PDEATHSIG, request->parent_death_signal) < 0)
            return errno;
        if (getppid() != parent) // it died before the request was in force
            return ESRCH;
    }
    if (request->network_namespace >= 0 && setns(request->network_namespace, CLONE_NEWNET) < 0)
        return errno;
    if (request->directory && chdir(request->directory) < 0)
        return errno;
    if (place(request->input, 0) < 0 || place(request->output, 1) < 0 || place(request->errors, 2) < 0)
        return errno;
    if (syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
        return errno;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(request->path, request->arguments, request->environment);
    return errno;
}

int clinux_spawn(const struct clinux_spawn *request, int32_t *pid) {
    sigset_t all, before;
    sigfillset(&all);
    // A handler that ran in the child would run on the parent's memory.
    pthread_sigmask(SIG_BLOCK, &all, &before);
    volatile int failure = 0;
    const pid_t parent = getpid();
    pid_t child = vfork();
    if (child == 0) {
        failure = become(request, parent);
        _exit(127);
    }
    int error = child < 0 ? errno : failure;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (child > 0 && error)
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
            ;
    if (error)
        return -error;
    *pid = child;
    return 0;
}
