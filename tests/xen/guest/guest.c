/*
 * A paravirtual guest that fits in 4 MiB. It prints on its console and writes to XenStore that it is
 * up, and obeys control/shutdown: poweroff, halt, reboot, crash, suspend.
 *
 * It has no interrupts and no drivers, but releases devices that are unplugged. It waits with
 * SCHEDOP_poll.
 */
#include <stddef.h>
#include <stdint.h>
#include <xen/event_channel.h>
#include <xen/io/console.h>
#include <xen/io/xs_wire.h>
#include <xen/sched.h>
#include <xen/xen.h>

#define PAGE 4096

extern char hypercall_page[];

static start_info_t *info;

/* The shared page is mapped over this page, since the address space is flat. */
static uint8_t shared_page[PAGE] __attribute__((aligned(PAGE)));
static shared_info_t *const shared = (void *)shared_page;

/* The guest's frames, which Xen's tools read to save it. */
static uint64_t frame_list[PAGE / 8] __attribute__((aligned(PAGE)));
static uint64_t frame_list_list[PAGE / 8] __attribute__((aligned(PAGE)));

/* ---- functions of a C library ---- */

void *memcpy(void *to, const void *from, size_t count)
{
    char *t = to;
    const char *f = from;
    while (count--)
        *t++ = *f++;
    return to;
}

void *memset(void *to, int byte, size_t count)
{
    char *t = to;
    while (count--)
        *t++ = byte;
    return to;
}

static size_t length(const char *text)
{
    size_t count = 0;
    while (text[count])
        count++;
    return count;
}

static int same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

/* ---- Xen ---- */

static long hypercall(int number, long a, long b, long c)
{
    register long r10 asm("r10") = 0;
    long result;
    void *entry = hypercall_page + number * 32;
    asm volatile("call *%[entry]"
                 : "=a"(result), "+D"(a), "+S"(b), "+d"(c), "+r"(r10)
                 : [entry] "0"(entry)
                 : "memory", "rcx", "r11", "r8", "r9");
    return result;
}

/* Xen's table from machine frames to guest frames. */
static const uint64_t *const machine_to_physical = (const uint64_t *)0xffff800000000000ULL;

static uint64_t *physical_to_machine(void)
{
    return (uint64_t *)info->mfn_list;
}

static void *at_machine_frame(uint64_t frame)
{
    return (void *)(machine_to_physical[frame] * PAGE);
}

static uint64_t machine_frame_of(void *address)
{
    return physical_to_machine()[(uint64_t)address / PAGE];
}

static void notify(uint32_t port)
{
    struct evtchn_send send = { port };
    hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, (long)&send, 0);
}

static void seen(uint32_t port)
{
    __sync_fetch_and_and(&shared->evtchn_pending[port / 64], ~(1UL << (port % 64)));
}

static void wait_for(uint32_t port)
{
    evtchn_port_t ports = port;
    struct sched_poll poll;
    memset(&poll, 0, sizeof poll);
    set_xen_guest_handle(poll.ports, &ports);
    poll.nr_ports = 1;
    hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, (long)&poll, 0);
    seen(port);
}

static void stop(int reason)
{
    struct sched_shutdown how = { reason };
    hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, (long)&how, 0);
}

/* Maps the shared page and publishes the frames: at the start, and after every suspension. */
static void settle_in(void)
{
    uint64_t pages = ((uint64_t)info->nr_pages * 8 + PAGE - 1) / PAGE;
    hypercall(__HYPERVISOR_update_va_mapping, (long)shared_page, info->shared_info | 7, UVMF_INVLPG);
    for (uint64_t i = 0; i < pages && i < PAGE / 8; i++)
        frame_list[i] = machine_frame_of((char *)info->mfn_list + i * PAGE);
    frame_list_list[0] = machine_frame_of(frame_list);
    shared->arch.max_pfn = info->nr_pages;
    shared->arch.pfn_to_mfn_frame_list_list = machine_frame_of(frame_list_list);
}

/* ---- the console ---- */

static void say(const char *text)
{
    struct xencons_interface *console = at_machine_frame(info->console.domU.mfn);
    for (; *text && console->out_prod - console->out_cons < sizeof console->out; text++) {
        console->out[MASK_XENCONS_IDX(console->out_prod, console->out)] = *text;
        __sync_synchronize();
        console->out_prod++;
    }
    notify(info->console.domU.evtchn);
}

/* ---- XenStore ---- */

static char answer[PAGE + 1];
static int fired;

/* Devices whose unplugging the guest must confirm like a driver. The disk may come later. */
static struct {
    const char *path, *backend, *state;
    char behind[80];
} devices[] = {
    { "device/vif/0", "device/vif/0/backend", "device/vif/0/state", "" },
    { "device/vbd/51728", "device/vbd/51728/backend", "device/vbd/51728/state", "" },
};
#define DEVICES (sizeof devices / sizeof devices[0])

static void put(const void *data, size_t count)
{
    struct xenstore_domain_interface *store = at_machine_frame(info->store_mfn);
    const char *from = data;
    while (count) {
        if (store->req_prod - store->req_cons >= XENSTORE_RING_SIZE) {
            notify(info->store_evtchn);
            wait_for(info->store_evtchn);
            continue;
        }
        store->req[MASK_XENSTORE_IDX(store->req_prod)] = *from++;
        __sync_synchronize();
        store->req_prod++;
        count--;
    }
}

static void get(void *data, size_t count)
{
    struct xenstore_domain_interface *store = at_machine_frame(info->store_mfn);
    char *to = data;
    while (count) {
        if (store->rsp_cons == store->rsp_prod) {
            seen(info->store_evtchn);
            __sync_synchronize();
            if (store->rsp_cons == store->rsp_prod)
                wait_for(info->store_evtchn);
            continue;
        }
        __sync_synchronize();
        *to++ = store->rsp[MASK_XENSTORE_IDX(store->rsp_cons)];
        store->rsp_cons++;
        count--;
    }
    notify(info->store_evtchn);
}

/* Sends a request to XenStore. The reply is in `answer`; a watch event meanwhile sets `fired`. */
static int ask(int type, const char *path, const char *value, int with_zero)
{
    size_t of_path = length(path) + 1, of_value = value ? length(value) + with_zero : 0;
    struct xsd_sockmsg head = { type, 1, 0, of_path + of_value };
    put(&head, sizeof head);
    put(path, of_path);
    put(value, of_value);
    notify(info->store_evtchn);
    for (;;) {
        get(&head, sizeof head);
        get(answer, head.len);
        answer[head.len] = 0;
        if (head.type != XS_WATCH_EVENT)
            return head.type == (uint32_t)type;
        fired = 1;
    }
}

static void wait_for_watch(void)
{
    struct xsd_sockmsg head;
    if (!fired) {
        get(&head, sizeof head);
        get(answer, head.len);
    }
    fired = 0;
}

static void introduce(void)
{
    ask(XS_WRITE, "control/feature-poweroff", "1", 0);
    ask(XS_WRITE, "control/feature-reboot", "1", 0);
    ask(XS_WRITE, "control/feature-suspend", "1", 0);
    ask(XS_WRITE, "data/guest", "up", 0);
    ask(XS_WATCH, "control/shutdown", "shutdown", 1);
    for (size_t i = 0; i < DEVICES; i++) {
        devices[i].behind[0] = 0;
        ask(XS_WATCH, devices[i].path, "device", 1);
    }
}

static void look_after_devices(void)
{
    for (size_t i = 0; i < DEVICES; i++) {
        char *behind = devices[i].behind;
        if (!behind[0] && ask(XS_READ, devices[i].backend, 0, 0)
            && length(answer) + sizeof "/state" <= sizeof devices[i].behind) {
            memcpy(behind, answer, length(answer));
            memcpy(behind + length(answer), "/state", sizeof "/state");
            ask(XS_WATCH, behind, "backend", 1);
        }
        if (behind[0] && ask(XS_READ, behind, 0, 0) && same(answer, "5"))
            ask(XS_WRITE, devices[i].state, "6", 0);
    }
}

/* ---- suspend and shutdown ---- */

/* During a suspension the start info has guest frame numbers: the machine frames change. */
static void suspend(void)
{
    struct sched_shutdown how = { SHUTDOWN_suspend };
    hypercall(__HYPERVISOR_update_va_mapping, (long)shared_page, 0, UVMF_INVLPG);
    info->store_mfn = machine_to_physical[info->store_mfn];
    info->console.domU.mfn = machine_to_physical[info->console.domU.mfn];
    long cancelled = hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, (long)&how, machine_frame_of(info));
    if (cancelled) {
        info->store_mfn = physical_to_machine()[info->store_mfn];
        info->console.domU.mfn = physical_to_machine()[info->console.domU.mfn];
    }
    settle_in();
    say(cancelled ? "guest: goes on\n" : "guest: is back\n");
    if (!cancelled)
        introduce();
}

static void obey(const char *order)
{
    say("guest: ");
    say(order);
    say("\n");
    ask(XS_WRITE, "control/shutdown", "", 0);
    if (same(order, "poweroff") || same(order, "halt"))
        stop(SHUTDOWN_poweroff);
    else if (same(order, "reboot"))
        stop(SHUTDOWN_reboot);
    else if (same(order, "crash"))
        stop(SHUTDOWN_crash);
    else if (same(order, "suspend"))
        suspend();
}

void guest(start_info_t *start)
{
    char order[16];
    info = start;
    settle_in();
    say("guest: up\n");
    introduce();
    for (;;) {
        if (ask(XS_READ, "control/shutdown", 0, 0) && answer[0] && length(answer) < sizeof order) {
            memcpy(order, answer, length(answer) + 1);
            obey(order);
        } else {
            wait_for_watch();
            look_after_devices();
        }
    }
}
