/*
 * Messages of libxl find the operation that they are about.
 *
 * libxl has one logger for all operations and does not tell it which one logs. What the thread logs
 * that begins an operation is the operation's. The thread that serves events completes the
 * operations of all threads. There a message that names a domain ("Domain 7:") belongs to the
 * operation on that domain. One that names none belongs to the operation that fails, or is named, in
 * the same event. A message that is nobody's for certain is for the log alone: another operation's
 * words would mislead.
 */
#include "messages.h"
#include "shim.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__thread char shim_message[MESSAGE_SIZE];

/* The operation that this thread is beginning. */
static __thread struct operation *beginning;
/* Whether this thread is completing the operations of all threads. */
static __thread bool serving;
/* The first message of the event that is nobody's yet. */
static __thread char unclaimed[MESSAGE_SIZE];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t operation_finished = PTHREAD_COND_INITIALIZER;
static struct operation *operations;

/* Set before any thread begins. */
static void (*log_note)(const char *message);

void shim_set_log(void (*log)(const char *message))
{
    log_note = log;
}

void shim_note(const char *message)
{
    if (log_note)
        log_note(message);
}

static void keep_first(char *first, const char *message)
{
    if (first[0] == 0)
        snprintf(first, MESSAGE_SIZE, "%s", message);
}

/* Messages about a domain contain "Domain N:". */
static bool names_domain(const char *message, uint32_t *domid)
{
    static const char prefix[] = "Domain ";
    const char *at = strstr(message, prefix);
    if (!at)
        return false;
    const char *number = at + strlen(prefix);
    char *end;
    *domid = strtoul(number, &end, 10);
    return end > number && *end == ':' && *domid != NO_DOMID;
}

/* The only operation with this domid, or of all with `any`; NULL if there are none or several. */
static struct operation *only_one(bool any, uint32_t domid)
{
    struct operation *found = NULL;
    for (struct operation *operation = operations; operation; operation = operation->next) {
        if (!any && operation->domid != domid)
            continue;
        if (found)
            return NULL;
        found = operation;
    }
    return found;
}

/* Gives an operation what the event has logged before. */
static void claim(struct operation *operation)
{
    if (unclaimed[0])
        keep_first(operation->message, unclaimed);
    unclaimed[0] = 0;
}

static void give_to_operations(const char *message)
{
    uint32_t domid;
    if (!names_domain(message, &domid)) {
        keep_first(unclaimed, message);
        return;
    }
    bool given = false;
    pthread_mutex_lock(&lock);
    for (struct operation *operation = operations; operation; operation = operation->next)
        if (operation->domid == domid) {
            claim(operation);
            keep_first(operation->message, message);
            given = true;
        }
    /* A domain whose making has not named it yet, or its device model's. */
    struct operation *making = given ? NULL : only_one(false, NO_DOMID);
    if (making) {
        claim(making);
        keep_first(making->message, message);
    }
    pthread_mutex_unlock(&lock);
}

void shim_log(const char *message, bool is_error)
{
    uint32_t domid;
    if (beginning) {
        pthread_mutex_lock(&lock);
        /* A new domain is named as soon as it has a number, in messages that are no errors. */
        if (beginning->domid == NO_DOMID && names_domain(message, &domid) && domid != 0)
            beginning->domid = domid;
        if (is_error)
            keep_first(beginning->message, message);
        pthread_mutex_unlock(&lock);
    } else if (is_error && serving) {
        give_to_operations(message);
    } else if (is_error) {
        keep_first(shim_message, message);
    }
}

void shim_operation_begin(struct operation *operation, uint32_t domid)
{
    *operation = (struct operation){ .domid = domid };
    pthread_mutex_lock(&lock);
    operation->next = operations;
    operations = operation;
    pthread_mutex_unlock(&lock);
    beginning = operation;
}

int shim_operation_wait(struct operation *operation, int rc)
{
    beginning = NULL;
    pthread_mutex_lock(&lock);
    while (rc == 0 && !operation->finished)
        pthread_cond_wait(&operation_finished, &lock);
    if (rc == 0)
        rc = operation->rc;
    struct operation **at = &operations;
    while (*at != operation)
        at = &(*at)->next;
    *at = operation->next;
    pthread_mutex_unlock(&lock);
    keep_first(shim_message, operation->message);
    return rc;
}

void shim_operation_finish(struct operation *operation, int rc)
{
    pthread_mutex_lock(&lock);
    if (rc)
        claim(operation);
    operation->rc = rc;
    operation->finished = true;
    pthread_cond_broadcast(&operation_finished);
    pthread_mutex_unlock(&lock);
}

void shim_event_begin(void)
{
    serving = true;
    unclaimed[0] = 0;
}

void shim_event_end(void)
{
    serving = false;
    if (!unclaimed[0])
        return;
    pthread_mutex_lock(&lock);
    struct operation *only = only_one(true, 0);
    if (only)
        claim(only);
    pthread_mutex_unlock(&lock);
    if (unclaimed[0])
        shim_note(unclaimed);
    unclaimed[0] = 0;
}

void shim_messages_in_child(void)
{
    serving = false;
    beginning = NULL;
    log_note = NULL;
}
