/*
 * libxl's events: file descriptors and timers that it waits for, operations that it completes, children that it forks, and
 * what it logs meanwhile.
 *
 * libxl could wait for its file descriptors and timers by itself, in whichever thread is in a call. It does not here, since
 * its limits are written into it (libxl_internal.h: 60 s for a device model to start, 40 s for a hotplug script) and too
 * short for a slow host: timers that are registered with an application ring when the application says so. For that no
 * thread may wait inside libxl, so operations are begun in one thread and completed in the one that calls gate_event.
 */
#include "shim.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* ---- limits ---- */

enum {
    /* The limit of the gateway for which libxl's own limits are right. */
    USUAL_LIMIT_SECONDS = 120,
    /* Shorter timers are pauses, after which libxl looks again: two seconds at most. */
    SHORTEST_LIMIT_MS = 3000,
    /* The limits of a minute are for a program to start or a guest to answer: a busy host takes longer. The next shorter one is
       of 40 s, the next longer one of 120 s, for a boot loader. */
    MINUTE_FROM_MS = 50 * 1000,
    MINUTE_TO_MS = 100 * 1000,
    MINUTE_FACTOR = 3,
    /* A hypercall that stands still must not stop libxl's children for ever. */
    FORK_LIMIT_SECONDS = 5,
};

static int64_t stretched(const struct gate *gate, int64_t ms)
{
    if (ms < SHORTEST_LIMIT_MS)
        return ms;
    if (ms >= MINUTE_FROM_MS && ms < MINUTE_TO_MS)
        ms *= MINUTE_FACTOR;
    /* A gateway that is in a hurry makes libxl no faster. */
    int limit = gate->limit > USUAL_LIMIT_SECONDS ? gate->limit : USUAL_LIMIT_SECONDS;
    return ms * limit / USUAL_LIMIT_SECONDS;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- what libxl logs ---- */

__thread char shim_words[WORDS];

/* The operation that this thread begins at the moment. */
static __thread struct operation *beginning;
/* Whether this thread completes operations of all threads. */
static __thread int serving;

static pthread_mutex_t operations_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t operation_finished = PTHREAD_COND_INITIALIZER;
static struct operation *operations;

static void keep_first(char *words, const char *message)
{
    if (words[0] == 0)
        snprintf(words, WORDS, "%s", message);
}

/* Messages about a domain hold "Domain N:". */
static int names_domain(const char *message, uint32_t *domid)
{
    const char *at = strstr(message, "Domain ");
    char *end;
    if (!at)
        return 0;
    *domid = strtoul(at + strlen("Domain "), &end, 10);
    return end > at + strlen("Domain ") && *end == ':';
}

/*
 * Gives a message of the serving thread to the operation on the domain that it names. One that names another domain goes to
 * the operations that make one, and one that names none goes to all: libxl does not tell which operation it is about.
 */
static void hand_out(const char *message)
{
    uint32_t domid;
    int named = names_domain(message, &domid), known = 0;
    pthread_mutex_lock(&operations_lock);
    for (struct operation *one = operations; named && one; one = one->next)
        if (one->domid == domid) {
            keep_first(one->words, message);
            known = 1;
        }
    for (struct operation *one = operations; !known && one; one = one->next)
        if (!named || one->domid == NO_DOMID)
            keep_first(one->words, message);
    pthread_mutex_unlock(&operations_lock);
}

static void vmessage(xentoollog_logger *logger, xentoollog_level level, int errnoval, const char *context,
                     const char *format, va_list al)
{
    (void)logger, (void)errnoval, (void)context;
    char message[WORDS];
    if (level < XTL_ERROR)
        return;
    vsnprintf(message, sizeof message, format, al);
    if (serving)
        hand_out(message);
    else
        keep_first(beginning ? beginning->words : shim_words, message);
}

static void progress(xentoollog_logger *logger, const char *context, const char *doing, int percent,
                     unsigned long done, unsigned long total)
{
    (void)logger, (void)context, (void)doing, (void)percent, (void)done, (void)total;
}

static void destroy_logger(xentoollog_logger *logger)
{
    (void)logger;
}

xentoollog_logger shim_logger = { vmessage, progress, destroy_logger };

/* ---- operations ---- */

void shim_begin(struct operation *operation, uint32_t domid)
{
    *operation = (struct operation){ .domid = domid };
    pthread_mutex_lock(&operations_lock);
    operation->next = operations;
    operations = operation;
    pthread_mutex_unlock(&operations_lock);
    beginning = operation;
}

/* Waits for the operation unless `rc` says that it did not begin. */
int shim_finish(struct operation *operation, int rc)
{
    beginning = NULL;
    pthread_mutex_lock(&operations_lock);
    while (rc == 0 && !operation->finished)
        pthread_cond_wait(&operation_finished, &operations_lock);
    if (rc == 0)
        rc = operation->rc;
    struct operation **at = &operations;
    while (*at != operation)
        at = &(*at)->next;
    *at = operation->next;
    pthread_mutex_unlock(&operations_lock);
    keep_first(shim_words, operation->words);
    return rc;
}

void shim_finished(libxl_ctx *ctx, int rc, void *for_callback)
{
    (void)ctx;
    struct operation *operation = for_callback;
    pthread_mutex_lock(&operations_lock);
    operation->rc = rc;
    operation->finished = 1;
    pthread_cond_broadcast(&operation_finished);
    pthread_mutex_unlock(&operations_lock);
}

/* ---- forks ---- */

static pthread_rwlock_t forking = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

int shim_forbid_fork(void)
{
    return pthread_rwlock_rdlock(&forking);
}

void shim_allow_fork(const int *forbidden)
{
    if (*forbidden == 0)
        pthread_rwlock_unlock(&forking);
}

static pid_t fork_alone(void *user)
{
    (void)user;
    struct timespec limit;
    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += FORK_LIMIT_SECONDS;
    int alone = pthread_rwlock_clockwrlock(&forking, CLOCK_MONOTONIC, &limit) == 0;
    pid_t pid = fork();
    int error = errno;
    if (pid == 0) {
        /* What it logs must take no lock, which a thread of the parent can have held. */
        serving = 0;
        beginning = NULL;
    } else if (alone) {
        pthread_rwlock_unlock(&forking);
    }
    if (pid > 0 && !alone)
        fprintf(stderr, "libxl forked while a hypercall was being made: it had not ended for %d s\n", FORK_LIMIT_SECONDS);
    errno = error;
    return pid;
}

static const libxl_childproc_hooks childproc = {
    .chldowner = libxl_sigchld_owner_libxl_always_selective_reap,
    .fork_replacement = fork_alone,
};

/* ---- file descriptors and timers ---- */

struct registered_fd {
    struct registered_fd *next;
    int fd;
    short events;
    void *for_libxl;
};

/* A timer goes by a number: libxl may change it while it rings and is gone here. */
struct timer {
    struct timer *next;
    uintptr_t number;
    int64_t due_ms;
    void *for_libxl;
};

static void wake(struct gate *gate)
{
    /* A full pipe wakes as well. */
    ssize_t written = write(gate->wake[1], "", 1);
    (void)written;
}

static int fd_register(void *user, int fd, void **registration, short events, void *for_libxl)
{
    struct gate *gate = user;
    struct registered_fd *one = malloc(sizeof *one);
    if (!one)
        return ERROR_OSEVENT_REG_FAIL;
    pthread_mutex_lock(&gate->lock);
    *one = (struct registered_fd){ gate->fds, fd, events, for_libxl };
    gate->fds = one;
    pthread_mutex_unlock(&gate->lock);
    *registration = one;
    wake(gate);
    return 0;
}

static int fd_modify(void *user, int fd, void **registration, short events)
{
    (void)fd;
    struct gate *gate = user;
    struct registered_fd *one = *registration;
    pthread_mutex_lock(&gate->lock);
    one->events = events;
    pthread_mutex_unlock(&gate->lock);
    wake(gate);
    return 0;
}

static void fd_deregister(void *user, int fd, void *registration)
{
    (void)fd;
    struct gate *gate = user;
    struct registered_fd **at = &gate->fds;
    pthread_mutex_lock(&gate->lock);
    while (*at && *at != registration)
        at = &(*at)->next;
    if (*at)
        *at = (*at)->next;
    pthread_mutex_unlock(&gate->lock);
    free(registration);
    wake(gate);
}

static int timeout_register(void *user, void **registration, struct timeval at, void *for_libxl)
{
    struct gate *gate = user;
    struct timeval now;
    struct timer *timer = malloc(sizeof *timer);
    if (!timer || gettimeofday(&now, NULL)) {
        free(timer);
        return ERROR_OSEVENT_REG_FAIL;
    }
    int64_t ms = (int64_t)(at.tv_sec - now.tv_sec) * 1000 + (at.tv_usec - now.tv_usec) / 1000;
    pthread_mutex_lock(&gate->lock);
    *timer = (struct timer){ gate->timers, ++gate->timers_registered, now_ms() + stretched(gate, ms), for_libxl };
    gate->timers = timer;
    pthread_mutex_unlock(&gate->lock);
    *registration = (void *)timer->number;
    wake(gate);
    return 0;
}

/* libxl asks for one change alone: to ring at once. */
static int timeout_modify(void *user, void **registration, struct timeval at)
{
    (void)at;
    struct gate *gate = user;
    pthread_mutex_lock(&gate->lock);
    for (struct timer *timer = gate->timers; timer; timer = timer->next)
        if (timer->number == (uintptr_t)*registration)
            timer->due_ms = 0;
    pthread_mutex_unlock(&gate->lock);
    wake(gate);
    return 0;
}

static void timeout_deregister(void *user, void *registration)
{
    /* libxl never calls it. */
    (void)user, (void)registration;
}

static const libxl_osevent_hooks osevents = {
    fd_register, fd_modify, fd_deregister, timeout_register, timeout_modify, timeout_deregister,
};

/* What is polled, as it was registered when the poll began. */
struct polled {
    nfds_t count;
    struct pollfd *fds;
    void **for_libxl;
    int timeout_ms;
};

static int prepare(struct gate *gate, struct polled *polled)
{
    nfds_t count = 1;
    int64_t due = INT64_MAX;
    pthread_mutex_lock(&gate->lock);
    for (struct registered_fd *one = gate->fds; one; one = one->next)
        count++;
    polled->fds = calloc(count, sizeof *polled->fds);
    polled->for_libxl = calloc(count, sizeof *polled->for_libxl);
    if (!polled->fds || !polled->for_libxl) {
        pthread_mutex_unlock(&gate->lock);
        return ERROR_NOMEM;
    }
    polled->fds[0] = (struct pollfd){ .fd = gate->wake[0], .events = POLLIN };
    polled->count = 1;
    for (struct registered_fd *one = gate->fds; one; one = one->next) {
        if (!one->events)
            continue;
        polled->fds[polled->count] = (struct pollfd){ .fd = one->fd, .events = one->events };
        polled->for_libxl[polled->count++] = one->for_libxl;
    }
    for (struct timer *timer = gate->timers; timer; timer = timer->next)
        if (timer->due_ms < due)
            due = timer->due_ms;
    pthread_mutex_unlock(&gate->lock);
    int64_t wait = due == INT64_MAX ? -1 : due - now_ms();
    polled->timeout_ms = due == INT64_MAX ? -1 : wait < 0 ? 0 : wait > 60000 ? 60000 : (int)wait;
    return 0;
}

/* Takes a timer that is due off the list. */
static int next_due(struct gate *gate, void **for_libxl)
{
    int64_t now = now_ms();
    struct timer **at = &gate->timers, *timer;
    pthread_mutex_lock(&gate->lock);
    while (*at && (*at)->due_ms > now)
        at = &(*at)->next;
    timer = *at;
    if (timer)
        *at = timer->next;
    pthread_mutex_unlock(&gate->lock);
    if (!timer)
        return 0;
    *for_libxl = timer->for_libxl;
    free(timer);
    return 1;
}

/* Waits for something that libxl wants to be told of, and tells it. */
static int serve(struct gate *gate)
{
    struct polled polled = { 0 };
    void *for_libxl;
    int rc = prepare(gate, &polled);
    if (rc == 0 && poll(polled.fds, polled.count, polled.timeout_ms) < 0 && errno != EINTR)
        rc = ERROR_FAIL;
    if (rc == 0) {
        char bytes[64];
        while (read(gate->wake[0], bytes, sizeof bytes) > 0)
            ;
        serving = 1;
        /* libxl looks again by itself: what has changed since the poll does no harm. */
        for (nfds_t i = 1; i < polled.count; i++)
            if (polled.fds[i].revents)
                libxl_osevent_occurred_fd(gate->ctx, polled.for_libxl[i], polled.fds[i].fd, polled.fds[i].events,
                                          polled.fds[i].revents);
        while (next_due(gate, &for_libxl))
            libxl_osevent_occurred_timeout(gate->ctx, for_libxl);
        serving = 0;
    }
    free(polled.fds);
    free(polled.for_libxl);
    return rc;
}

/* ---- events ---- */

/* Something happened to a domain. */
struct occurred {
    struct occurred *next;
    uint32_t domid;
};

static void event_occurs(void *user, libxl_event *event)
{
    struct gate *gate = user;
    struct occurred *one = malloc(sizeof *one);
    if (one) {
        *one = (struct occurred){ NULL, event->domid };
        pthread_mutex_lock(&gate->lock);
        *gate->occurred_end = one;
        gate->occurred_end = &one->next;
        pthread_mutex_unlock(&gate->lock);
        wake(gate);
    }
    libxl_event_free(gate->ctx, event);
}

static int next_occurred(struct gate *gate, uint32_t *domid)
{
    pthread_mutex_lock(&gate->lock);
    struct occurred *one = gate->occurred;
    if (one) {
        gate->occurred = one->next;
        if (!gate->occurred)
            gate->occurred_end = &gate->occurred;
    }
    pthread_mutex_unlock(&gate->lock);
    if (!one)
        return 0;
    *domid = one->domid;
    free(one);
    return 1;
}

static const libxl_event_hooks events = { .event_occurs_mask = LIBXL_EVENTMASK_ALL, .event_occurs = event_occurs };

/*
 * Waits for the next event, whatever it is, and says which domain it is about. One thread must always be here: it
 * completes the operations of all others.
 */
int gate_event(struct gate *gate, uint32_t *domid)
{
    int rc = 0;
    while (rc == 0 && !next_occurred(gate, domid))
        rc = serve(gate);
    return rc;
}

int shim_register(struct gate *gate)
{
    pthread_mutex_init(&gate->lock, NULL);
    gate->occurred_end = &gate->occurred;
    if (pipe2(gate->wake, O_CLOEXEC | O_NONBLOCK)) {
        gate->wake[0] = gate->wake[1] = -1;
        return ERROR_FAIL;
    }
    libxl_osevent_register_hooks(gate->ctx, &osevents, gate);
    libxl_event_register_callbacks(gate->ctx, &events, gate);
    libxl_childproc_setmode(gate->ctx, &childproc, gate);
    return 0;
}

/* After libxl's context was freed. */
void shim_unregister(struct gate *gate)
{
    uint32_t domid;
    while (next_occurred(gate, &domid))
        ;
    for (struct registered_fd *next, *one = gate->fds; one; one = next) {
        next = one->next;
        free(one);
    }
    for (struct timer *next, *one = gate->timers; one; one = next) {
        next = one->next;
        free(one);
    }
    for (int i = 0; i < 2; i++)
        if (gate->wake[i] > 0)
            close(gate->wake[i]);
    pthread_mutex_destroy(&gate->lock);
}
