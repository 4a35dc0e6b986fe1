/*
 * libxl's event loop: its file descriptors and timers, the operations that it completes, the
 * children that it forks, and its log messages, which messages.c sorts.
 *
 * libxl could wait for its file descriptors and timers by itself, in any thread that is in a call.
 * Its own limits are constants (libxl_internal.h: 60 s for a device model to start, 40 s for a
 * hotplug script) and too short for a slow host. Timers that are registered with an application
 * expire when the application says so, which allows longer limits. This works only if no thread
 * waits inside libxl: operations are begun in one thread and completed in the thread that calls
 * shim_wait_event.
 */
#include "context.h"
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
    /* libxl's own limits suit a gateway that waits this long. */
    USUAL_LIMIT_SECONDS = 120,
    /* Shorter timers are pauses between two attempts, of two seconds at most. */
    SHORTEST_LIMIT_MS = 3000,
    /* The limits of a minute are for a program to start or a guest to answer, which takes longer on
       a busy host. The next shorter limit is 40 s; the next longer one is 120 s, for a boot
       loader. */
    MINUTE_FROM_MS = 50 * 1000,
    MINUTE_TO_MS = 100 * 1000,
    MINUTE_FACTOR = 3,
    /* A fork waits this long for hypercalls to end: one that never returns must not block it
       forever. */
    FORK_LIMIT_SECONDS = 5,
};

static int64_t stretch(const struct Shim *shim, int64_t ms)
{
    if (ms < SHORTEST_LIMIT_MS)
        return ms;
    if (ms >= MINUTE_FROM_MS && ms < MINUTE_TO_MS)
        ms *= MINUTE_FACTOR;
    /* A gateway that waits for less time does not make libxl faster. */
    int limit = shim->limit > USUAL_LIMIT_SECONDS ? shim->limit : USUAL_LIMIT_SECONDS;
    return ms * limit / USUAL_LIMIT_SECONDS;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- log messages ---- */

static void log_message(xentoollog_logger *logger, xentoollog_level level, int errnoval,
                        const char *context, const char *format, va_list al)
{
    (void)logger, (void)context;
    char message[MESSAGE_SIZE], reason[128];
    int length = vsnprintf(message, sizeof message, format, al);
    /* libxl leaves it to the logger to print errno: "No space left on device". */
    if (errnoval > 0 && length >= 0 && (size_t)length < sizeof message)
        snprintf(message + length, sizeof message - length, ": %s",
                 strerror_r(errnoval, reason, sizeof reason));
    shim_log(message, level >= XTL_ERROR);
}

static void log_progress(xentoollog_logger *logger, const char *context, const char *doing,
                         int percent, unsigned long done, unsigned long total)
{
    (void)logger, (void)context, (void)doing, (void)percent, (void)done, (void)total;
}

static void destroy_logger(xentoollog_logger *logger)
{
    (void)logger;
}

xentoollog_logger shim_logger = { log_message, log_progress, destroy_logger };

void shim_operation_done(libxl_ctx *ctx, int rc, void *for_callback)
{
    (void)ctx;
    shim_operation_finish(for_callback, rc);
}

/* ---- forks ---- */

static pthread_rwlock_t forking = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

int shim_forks_forbid(void)
{
    return pthread_rwlock_rdlock(&forking);
}

void shim_forks_allow(const int *forbidden)
{
    if (*forbidden == 0)
        pthread_rwlock_unlock(&forking);
}

static pid_t fork_without_hypercalls(void *user)
{
    (void)user;
    struct timespec limit;
    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += FORK_LIMIT_SECONDS;
    bool locked = pthread_rwlock_clockwrlock(&forking, CLOCK_MONOTONIC, &limit) == 0;
    pid_t pid = fork();
    int error = errno;
    if (pid == 0) {
        /* The lock is still that of the parent's thread, which no thread here can give back; libxl
           forks again in the child that starts a device model. */
        forking = (pthread_rwlock_t)PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
        shim_messages_in_child();
    } else if (locked) {
        pthread_rwlock_unlock(&forking);
    }
    if (pid > 0 && !locked) {
        char note[MESSAGE_SIZE];
        snprintf(note, sizeof note, "forked during a hypercall that had not returned for %d s",
                 FORK_LIMIT_SECONDS);
        shim_note(note);
    }
    errno = error;
    return pid;
}

static const libxl_childproc_hooks childproc_hooks = {
    .chldowner = libxl_sigchld_owner_libxl_always_selective_reap,
    .fork_replacement = fork_without_hypercalls,
};

/* ---- file descriptors and timers ---- */

struct registered_fd {
    struct registered_fd *next;
    int fd;
    short events;
    void *for_libxl;
};

/* libxl knows a timer by its number: it can change a timer that has just expired and been freed. */
struct timer {
    struct timer *next;
    uintptr_t number;
    int64_t due_ms;
    void *for_libxl;
};

static void wake(struct Shim *shim)
{
    /* If the pipe is full, the poll ends as well. */
    ssize_t written = write(shim->wake[1], "", 1);
    (void)written;
}

static int register_fd(void *user, int fd, void **registration, short events, void *for_libxl)
{
    struct Shim *shim = user;
    struct registered_fd *registered = malloc(sizeof *registered);
    if (!registered)
        return ERROR_OSEVENT_REG_FAIL;
    pthread_mutex_lock(&shim->lock);
    *registered = (struct registered_fd){ shim->fds, fd, events, for_libxl };
    shim->fds = registered;
    pthread_mutex_unlock(&shim->lock);
    *registration = registered;
    wake(shim);
    return 0;
}

static int modify_fd(void *user, int fd, void **registration, short events)
{
    (void)fd;
    struct Shim *shim = user;
    struct registered_fd *registered = *registration;
    pthread_mutex_lock(&shim->lock);
    registered->events = events;
    pthread_mutex_unlock(&shim->lock);
    wake(shim);
    return 0;
}

static void deregister_fd(void *user, int fd, void *registration)
{
    (void)fd;
    struct Shim *shim = user;
    struct registered_fd **at = &shim->fds;
    pthread_mutex_lock(&shim->lock);
    while (*at && *at != registration)
        at = &(*at)->next;
    if (*at)
        *at = (*at)->next;
    pthread_mutex_unlock(&shim->lock);
    free(registration);
    wake(shim);
}

static int register_timer(void *user, void **registration, struct timeval at, void *for_libxl)
{
    struct Shim *shim = user;
    struct timeval now;
    struct timer *timer = malloc(sizeof *timer);
    if (!timer || gettimeofday(&now, NULL)) {
        free(timer);
        return ERROR_OSEVENT_REG_FAIL;
    }
    int64_t ms = (int64_t)(at.tv_sec - now.tv_sec) * 1000 + (at.tv_usec - now.tv_usec) / 1000;
    pthread_mutex_lock(&shim->lock);
    *timer = (struct timer){ shim->timers, ++shim->timers_registered, now_ms() + stretch(shim, ms),
                             for_libxl };
    shim->timers = timer;
    *registration = (void *)timer->number;
    pthread_mutex_unlock(&shim->lock);
    wake(shim);
    return 0;
}

/* libxl asks for one change only: to expire at once. */
static int modify_timer(void *user, void **registration, struct timeval at)
{
    (void)at;
    struct Shim *shim = user;
    pthread_mutex_lock(&shim->lock);
    for (struct timer *timer = shim->timers; timer; timer = timer->next)
        if (timer->number == (uintptr_t)*registration)
            timer->due_ms = 0;
    pthread_mutex_unlock(&shim->lock);
    wake(shim);
    return 0;
}

static void deregister_timer(void *user, void *registration)
{
    /* libxl never calls it. */
    (void)user, (void)registration;
}

static const libxl_osevent_hooks osevent_hooks = {
    register_fd, modify_fd, deregister_fd, register_timer, modify_timer, deregister_timer,
};

/* The arguments of a poll, as they were registered when it began. */
struct polled {
    nfds_t count;
    struct pollfd *fds;
    void **for_libxl;
    int timeout_ms;
};

static int prepare_poll(struct Shim *shim, struct polled *polled)
{
    nfds_t count = 1;
    int64_t due = INT64_MAX;
    pthread_mutex_lock(&shim->lock);
    for (struct registered_fd *registered = shim->fds; registered; registered = registered->next)
        count++;
    polled->fds = calloc(count, sizeof *polled->fds);
    polled->for_libxl = calloc(count, sizeof *polled->for_libxl);
    if (!polled->fds || !polled->for_libxl) {
        pthread_mutex_unlock(&shim->lock);
        return ERROR_NOMEM;
    }
    polled->fds[0] = (struct pollfd){ .fd = shim->wake[0], .events = POLLIN };
    polled->count = 1;
    for (struct registered_fd *registered = shim->fds; registered; registered = registered->next) {
        if (!registered->events)
            continue;
        polled->fds[polled->count] =
            (struct pollfd){ .fd = registered->fd, .events = registered->events };
        polled->for_libxl[polled->count++] = registered->for_libxl;
    }
    for (struct timer *timer = shim->timers; timer; timer = timer->next)
        if (timer->due_ms < due)
            due = timer->due_ms;
    pthread_mutex_unlock(&shim->lock);
    int64_t wait = due == INT64_MAX ? -1 : due - now_ms();
    polled->timeout_ms = due == INT64_MAX ? -1 : wait < 0 ? 0 : wait > 60000 ? 60000 : (int)wait;
    return 0;
}

/* Takes a timer that is due off the list. */
static bool next_due_timer(struct Shim *shim, void **for_libxl)
{
    int64_t now = now_ms();
    struct timer **at = &shim->timers, *timer;
    pthread_mutex_lock(&shim->lock);
    while (*at && (*at)->due_ms > now)
        at = &(*at)->next;
    timer = *at;
    if (timer)
        *at = timer->next;
    pthread_mutex_unlock(&shim->lock);
    if (!timer)
        return false;
    *for_libxl = timer->for_libxl;
    free(timer);
    return true;
}

/* Waits for a file descriptor or timer of libxl's, and calls libxl. */
static int serve(struct Shim *shim)
{
    struct polled polled = { 0 };
    void *for_libxl;
    int rc = prepare_poll(shim, &polled);
    if (rc == 0 && poll(polled.fds, polled.count, polled.timeout_ms) < 0 && errno != EINTR)
        rc = ERROR_FAIL;
    if (rc == 0) {
        char bytes[64];
        while (read(shim->wake[0], bytes, sizeof bytes) > 0)
            ;
        /* libxl polls again by itself, so changes since the poll do no harm. */
        for (nfds_t i = 1; i < polled.count; i++) {
            if (!polled.fds[i].revents)
                continue;
            shim_event_begin();
            libxl_osevent_occurred_fd(shim->ctx, polled.for_libxl[i], polled.fds[i].fd,
                                      polled.fds[i].events, polled.fds[i].revents);
            shim_event_end();
        }
        while (next_due_timer(shim, &for_libxl)) {
            shim_event_begin();
            libxl_osevent_occurred_timeout(shim->ctx, for_libxl);
            shim_event_end();
        }
    }
    free(polled.fds);
    free(polled.for_libxl);
    return rc;
}

/* ---- events ---- */

struct domain_event {
    struct domain_event *next;
    uint32_t domid;
    libxl_event_type type;
};

static void event_occurs(void *user, libxl_event *event)
{
    struct Shim *shim = user;
    struct domain_event *queued = malloc(sizeof *queued);
    if (queued) {
        *queued = (struct domain_event){ NULL, event->domid, event->type };
        pthread_mutex_lock(&shim->lock);
        *shim->events_end = queued;
        shim->events_end = &queued->next;
        pthread_mutex_unlock(&shim->lock);
        wake(shim);
    }
    libxl_event_free(shim->ctx, event);
}

static struct domain_event *next_event(struct Shim *shim)
{
    pthread_mutex_lock(&shim->lock);
    struct domain_event *event = shim->events;
    if (event) {
        shim->events = event->next;
        if (!shim->events)
            shim->events_end = &shim->events;
    }
    pthread_mutex_unlock(&shim->lock);
    return event;
}

static const libxl_event_hooks event_hooks = { .event_occurs_mask = LIBXL_EVENTMASK_ALL,
                                               .event_occurs = event_occurs };

/* A domain whose shutdown and end libxl reports. libxl keeps `generator` until it is disabled. */
struct domain_watch {
    struct domain_watch *next;
    uint32_t domid;
    libxl_evgen_domain_death *generator;
};

int shim_watch_domain(struct Shim *shim, uint32_t domid)
{
    int rc = 0;
    pthread_mutex_lock(&shim->watches_lock);
    struct domain_watch *watch = shim->watches;
    while (watch && watch->domid != domid)
        watch = watch->next;
    if (!watch) {
        watch = malloc(sizeof *watch);
        if (watch) {
            *watch = (struct domain_watch){ shim->watches, domid, NULL };
            rc = libxl_evenable_domain_death(shim->ctx, domid, 0, &watch->generator);
        } else {
            rc = ERROR_NOMEM;
        }
        if (rc == 0)
            shim->watches = watch;
        else
            free(watch);
    }
    pthread_mutex_unlock(&shim->watches_lock);
    return rc;
}

static void end_watch(struct Shim *shim, uint32_t domid)
{
    pthread_mutex_lock(&shim->watches_lock);
    struct domain_watch **at = &shim->watches;
    while (*at && (*at)->domid != domid)
        at = &(*at)->next;
    struct domain_watch *watch = *at;
    if (watch) {
        *at = watch->next;
        libxl_evdisable_domain_death(shim->ctx, watch->generator);
        free(watch);
    }
    pthread_mutex_unlock(&shim->watches_lock);
}

int shim_wait_event(struct Shim *shim, uint32_t *domid)
{
    struct domain_event *event;
    while (!(event = next_event(shim))) {
        int rc = serve(shim);
        if (rc)
            return rc;
    }
    *domid = event->domid;
    /* The last event of a domain. */
    if (event->type == LIBXL_EVENT_TYPE_DOMAIN_DEATH)
        end_watch(shim, event->domid);
    free(event);
    return 0;
}

int shim_events_init(struct Shim *shim)
{
    pthread_mutex_init(&shim->lock, NULL);
    pthread_mutex_init(&shim->watches_lock, NULL);
    shim->events_end = &shim->events;
    if (pipe2(shim->wake, O_CLOEXEC | O_NONBLOCK)) {
        shim->wake[0] = shim->wake[1] = -1;
        return ERROR_FAIL;
    }
    return 0;
}

void shim_events_register(struct Shim *shim)
{
    libxl_osevent_register_hooks(shim->ctx, &osevent_hooks, shim);
    libxl_event_register_callbacks(shim->ctx, &event_hooks, shim);
    libxl_childproc_setmode(shim->ctx, &childproc_hooks, shim);
}

void shim_events_free(struct Shim *shim)
{
    for (struct domain_event *event; (event = next_event(shim));)
        free(event);
    for (struct registered_fd *next, *registered = shim->fds; registered; registered = next) {
        next = registered->next;
        free(registered);
    }
    for (struct timer *next, *timer = shim->timers; timer; timer = next) {
        next = timer->next;
        free(timer);
    }
    /* The context has freed the generators. */
    for (struct domain_watch *next, *watch = shim->watches; watch; watch = next) {
        next = watch->next;
        free(watch);
    }
    for (int i = 0; i < 2; i++)
        if (shim->wake[i] >= 0)
            close(shim->wake[i]);
    pthread_mutex_destroy(&shim->watches_lock);
    pthread_mutex_destroy(&shim->lock);
}
