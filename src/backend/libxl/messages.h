/*
 * The operations of libxl, and which of them a message of libxl's is about. No header of Xen is
 * needed here, so that `tests/libxl/messages.c` can run this by itself.
 */
#ifndef XEND_MESSAGES_H
#define XEND_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#define MESSAGE_SIZE 1024

/* The domid of an operation that makes a domain, until libxl has named the domain. */
#define NO_DOMID UINT32_MAX

/* The first error message of the current call of this thread, which is the nearest to the cause. */
extern __thread char shim_message[MESSAGE_SIZE];

/* An asynchronous operation of libxl: one thread begins it and waits, another completes it. */
struct operation {
    struct operation *next;
    uint32_t domid;
    bool finished;
    int rc;
    char message[MESSAGE_SIZE];
};

void shim_operation_begin(struct operation *operation, uint32_t domid);
/* `rc` is the result of the call that began the operation: it is waited for if that is 0. */
int shim_operation_wait(struct operation *operation, int rc);
/* Ends the wait. */
void shim_operation_finish(struct operation *operation, int rc);

/* Enclose one event of libxl's, in which this thread completes the operations of others. */
void shim_event_begin(void);
void shim_event_end(void);
/* In a child that libxl has forked: it must log without the lock, which a thread of the parent can
   hold. */
void shim_messages_in_child(void);

/* Gives a message that belongs to no operation to the log, see shim_set_log. */
void shim_note(const char *message);

/* A message that libxl logs in this thread. Only those of errors are kept. */
void shim_log(const char *message, bool is_error);

#endif
