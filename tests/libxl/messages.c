/* Which operation gets a message of libxl's. tests/it/libxl_messages.rs compiles and runs this. */
#include "messages.h"
#include "shim.h"
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A thread that begins an operation and waits for it, as a call of the gateway does. */
struct call {
    uint32_t domid;
    /* What libxl logs as the operation begins; NULL for nothing. */
    const char *logged;
    bool is_error;
    pthread_t thread;
    sem_t begun;
    struct operation operation;
    int rc;
    char said[MESSAGE_SIZE];
};

static void *run(void *argument)
{
    struct call *call = argument;
    shim_operation_begin(&call->operation, call->domid);
    if (call->logged)
        shim_log(call->logged, call->is_error);
    sem_post(&call->begun);
    call->rc = shim_operation_wait(&call->operation, 0);
    strcpy(call->said, shim_message);
    return NULL;
}

static void begin(struct call *call)
{
    sem_init(&call->begun, 0, 0);
    if (pthread_create(&call->thread, NULL, run, call))
        abort();
    sem_wait(&call->begun);
}

/* One event: what libxl logs (NULL for nothing), and the operation that ends in it, if any. */
static void event(const char *first, const char *second, struct call *ended, int rc)
{
    shim_event_begin();
    if (first)
        shim_log(first, true);
    if (second)
        shim_log(second, true);
    if (ended)
        shim_operation_finish(&ended->operation, rc);
    shim_event_end();
}

static int failures;

/* What the log was given last. */
static char noted[MESSAGE_SIZE];

static void note(const char *message)
{
    snprintf(noted, sizeof noted, "%s", message);
}

static void expect(const char *what, struct call *call, int rc, const char *said)
{
    pthread_join(call->thread, NULL);
    if (call->rc == rc && strcmp(call->said, said) == 0)
        return;
    printf("%s: %d '%s' instead of %d '%s'\n", what, call->rc, call->said, rc, said);
    failures++;
}

int main(void)
{
    shim_set_log(note);
    {
        struct call one = { .domid = 1 }, two = { .domid = 2 };
        begin(&one), begin(&two);
        event("Domain 2:no disk", "Domain 2:giving up", &two, -3);
        event(NULL, NULL, &one, -3);
        expect("a message with its domain", &two, -3, "Domain 2:no disk");
        expect("another operation", &one, -3, "");
    }
    {
        struct call one = { .domid = 1 }, two = { .domid = 2 };
        begin(&one), begin(&two);
        event("the script exited with status 1", NULL, &two, -3);
        event(NULL, NULL, &one, -5);
        expect("a message of the event in which it fails", &two, -3, "the script exited with status 1");
        expect("another operation", &one, -5, "");
    }
    {
        struct call one = { .domid = 1 }, two = { .domid = 2 };
        begin(&one), begin(&two);
        event("the script exited with status 1", "Domain 1:no bridge", NULL, 0);
        event(NULL, NULL, &two, -3);
        event(NULL, NULL, &one, -3);
        expect("the cause before the name", &one, -3, "the script exited with status 1");
        expect("another operation", &two, -3, "");
    }
    {
        struct call one = { .domid = 1 }, two = { .domid = 2 };
        begin(&one), begin(&two);
        event("nobody's", NULL, NULL, 0);
        event(NULL, NULL, &two, -3);
        expect("a message that could be anybody's", &two, -3, "");
        if (strcmp(noted, "nobody's")) {
            printf("the log was given '%s'\n", noted);
            failures++;
        }
        event("the only one's", NULL, NULL, 0);
        event(NULL, NULL, &one, -3);
        expect("a message while one operation runs", &one, -3, "the only one's");
    }
    {
        struct call one = { .domid = 1 }, two = { .domid = 2 };
        begin(&one), begin(&two);
        shim_event_begin();
        shim_log("a read failed", true);
        shim_operation_finish(&one.operation, 0);
        shim_operation_finish(&two.operation, -3);
        shim_event_end();
        expect("an operation that succeeds", &one, 0, "");
        expect("the one that fails", &two, -3, "a read failed");
    }
    {
        struct call seven = { .domid = NO_DOMID, .logged = "Domain 7:running bootloader" };
        struct call eight = { .domid = NO_DOMID, .logged = "Domain 8:running bootloader" };
        begin(&seven), begin(&eight);
        event("Domain 8:no kernel", NULL, NULL, 0);
        event("Domain 9:its device model", NULL, NULL, 0);
        event(NULL, NULL, &seven, -3);
        event(NULL, NULL, &eight, -3);
        expect("a domain that is being made", &seven, -3, "");
        expect("another domain that is being made", &eight, -3, "Domain 8:no kernel");
    }
    {
        struct call making = { .domid = NO_DOMID }, one = { .domid = 1 };
        begin(&making), begin(&one);
        event("Domain 7:no memory", NULL, NULL, 0);
        event(NULL, NULL, &one, -3);
        event(NULL, NULL, &making, -3);
        expect("a domain that has no name yet", &making, -3, "Domain 7:no memory");
        expect("an operation on another", &one, -3, "");
    }
    {
        struct call one = { .domid = 1, .logged = "bad configuration", .is_error = true };
        struct call two = { .domid = 2 };
        begin(&one), begin(&two);
        event(NULL, NULL, &two, -3);
        event("Domain 1:later", NULL, &one, -6);
        expect("what its own thread logs", &one, -6, "bad configuration");
        expect("another operation", &two, -3, "");
    }
    shim_log("of a call without an operation", true);
    shim_log("later", true);
    if (strcmp(shim_message, "of a call without an operation")) {
        printf("a call: '%s'\n", shim_message);
        failures++;
    }
    return failures != 0;
}
