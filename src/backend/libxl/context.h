/* Shared by shim.c, events.c and hypercalls.c: the handle, asynchronous operations, the lock against forks. */
#ifndef XEND_CONTEXT_H
#define XEND_CONTEXT_H

#define _GNU_SOURCE
#define LIBXL_API_VERSION 0x041400
#include "messages.h"
#include "shim.h"
#include <libxl.h>
#include <libxl_event.h>
#include <pthread.h>
#include <xenctrl.h>
#include <xentoollog.h>

struct registered_fd;
struct timer;
struct domain_event;
struct domain_watch;

struct Shim {
    libxl_ctx *ctx;
    xc_interface *xc;

    /* How long the gateway waits for the hypervisor, in seconds. libxl's own limits are stretched
       accordingly. */
    int limit;
    /* Protects the file descriptors, timers and events below. libxl's callbacks take it while they
       hold libxl's own lock, so it is never held during a call of libxl. */
    pthread_mutex_t lock;
    struct registered_fd *fds;
    struct timer *timers;
    uintptr_t timers_registered;
    struct domain_event *events;
    struct domain_event **events_end;
    /* A pipe: a byte in it ends a poll. */
    int wake[2];
    /* Protects the watches. No callback takes it, so it may be held during a call of libxl. */
    pthread_mutex_t watches_lock;
    struct domain_watch *watches;
};

/* ---- events.c ---- */

extern xentoollog_logger shim_logger;

/* Before the context exists: makes the locks and the pipe. */
int shim_events_init(struct Shim *shim);
/* Makes libxl register its file descriptors, timers and events here, and fork through this file. */
void shim_events_register(struct Shim *shim);
/* After the context has been freed. */
void shim_events_free(struct Shim *shim);

/* libxl's callback at the end of an operation. */
void shim_operation_done(libxl_ctx *ctx, int rc, void *for_callback);

/*
 * Runs an asynchronous operation to its end; the value is its result. `call` is the call of libxl,
 * which is given `&how`:
 *
 *     int rc = OPERATION(domid, libxl_domain_pause(shim->ctx, domid, &how));
 */
#define OPERATION(domid, call)                                                                     \
    ({                                                                                             \
        struct operation operation;                                                                \
        const libxl_asyncop_how how = { .callback = shim_operation_done,                           \
                                        .u.for_callback = &operation };                            \
        shim_operation_begin(&operation, domid);                                                   \
        shim_operation_wait(&operation, (call));                                                   \
    })

/*
 * Keeps libxl from forking until the end of the block. Each function that makes a hypercall without
 * libxl's lock begins with it.
 *
 * libxencall protects its buffers by one mutex of the whole process (tools/libs/call/buffer.c), and
 * libxl_domain_destroy makes its last hypercall in a child that it forks. If another thread holds
 * the mutex at the moment of the fork, the child waits for it forever, and so does the caller of
 * libxl_domain_destroy.
 *
 * libxl forks with its context locked, so calls that lock the context need no NO_FORK. This holds
 * for one context only: shim_open does not open a second one.
 */
#define NO_FORK                                                                                    \
    __attribute__((cleanup(shim_forks_allow), unused)) const int forbidden = shim_forks_forbid()

int shim_forks_forbid(void);
/* `forbidden` is what shim_forks_forbid returned. */
void shim_forks_allow(const int *forbidden);

#endif
