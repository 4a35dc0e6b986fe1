/* What the two C files of the libxl backend share. */
#ifndef XEND_SHIM_H
#define XEND_SHIM_H

#define _GNU_SOURCE
#define LIBXL_API_VERSION 0x041400
#include <libxl.h>
#include <libxl_event.h>
#include <pthread.h>
#include <stdint.h>
#include <xenctrl.h>
#include <xenstore.h>
#include <xentoollog.h>

struct registered_fd;
struct timer;
struct occurred;

struct gate {
    libxl_ctx *ctx;
    xc_interface *xc;
    /* Watches are for the one thread that waits in gate_change. */
    struct xs_handle *store;

    /* How long the gateway waits for the hypervisor, in seconds: libxl's own limits go by it. */
    int limit;
    /* What libxl wants to be told of, and what it told. The lock is taken inside libxl's own and never around a call of libxl. */
    pthread_mutex_t lock;
    struct registered_fd *fds;
    struct timer *timers;
    uintptr_t timers_registered;
    struct occurred *occurred;
    struct occurred **occurred_end;
    /* A byte in it ends a poll. */
    int wake[2];
};

/* ---- events.c ---- */

extern xentoollog_logger shim_logger;

/* The first error message of the current call of this thread: it is nearest to the cause. */
#define WORDS 1024
extern __thread char shim_words[WORDS];

/* Has libxl tell `gate` of its file descriptors, timers and events, and fork through it. */
int shim_register(struct gate *gate);
void shim_unregister(struct gate *gate);

/* An operation of libxl's that takes its time: other threads complete it while the one that began it waits. */
struct operation {
    struct operation *next;
    uint32_t domid;
    int finished;
    int rc;
    char words[WORDS];
};

void shim_begin(struct operation *operation, uint32_t domid);
int shim_finish(struct operation *operation, int rc);
void shim_finished(libxl_ctx *ctx, int rc, void *for_callback);

/* `call` begins the operation and passes `&how`; the result is that of the whole operation. */
#define OPERATION(domid, call)                                                                                     \
    ({                                                                                                             \
        struct operation operation;                                                                                \
        const libxl_asyncop_how how = { .callback = shim_finished, .u.for_callback = &operation };                   \
        shim_begin(&operation, domid);                                                                             \
        shim_finish(&operation, (call));                                                                           \
    })

/* The domid of an operation that makes one. */
#define NO_DOMID UINT32_MAX

/*
 * Hypercalls and forks are kept apart. libxencall guards its buffers by one mutex of the whole process
 * (tools/libs/call/buffer.c), and libxl_domain_destroy leaves the last hypercall to a child that it forks. If another
 * thread holds the mutex at that moment, the child waits for it for ever, and so does whoever destroys the domain.
 *
 * libxl forks with the context locked, so its calls that lock the context are no danger: gate_open sees to it that there is
 * one context alone. All others that make hypercalls begin with NO_FORK: a fork waits until they return.
 */
int shim_forbid_fork(void);
void shim_allow_fork(const int *forbidden);

#define NO_FORK __attribute__((cleanup(shim_allow_fork), unused)) const int forbidden = shim_forbid_fork()

#endif
