/*
 * The part of libxl that the gateway uses, behind plain C types.
 *
 * libxl's structures are laid out by its headers, which this file is compiled against, and by nobody else: whatever is
 * more than a number goes in and out as libxl's own JSON. Every function returns 0 or one of libxl's negative error
 * codes; a string that is handed out belongs to the caller, who gives it to gate_free. The names begin with gate_ since
 * libxenstore has others of the obvious kind, and a program's symbols go before those of its libraries.
 */
#include "shim.h"
#include <errno.h>
#include <libxl_utils.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

void gate_free(void *pointer)
{
    free(pointer);
}

/* What libxl said since gate_begin, on this thread. */
const char *gate_words(void)
{
    return shim_words;
}

void gate_begin(void)
{
    shim_words[0] = 0;
}

static atomic_flag is_open = ATOMIC_FLAG_INIT;

void gate_close(struct gate *gate)
{
    xs_close(gate->store);
    if (gate->xc)
        xc_interface_close(gate->xc);
    if (gate->ctx)
        libxl_ctx_free(gate->ctx);
    shim_unregister(gate);
    free(gate);
    atomic_flag_clear(&is_open);
}

/* `limit` is how long the gateway waits for the hypervisor, in seconds. One gate can be open: see NO_FORK. */
int gate_open(int limit, struct gate **out)
{
    *out = NULL;
    if (atomic_flag_test_and_set(&is_open)) {
        snprintf(shim_words, sizeof shim_words, "libxl is open already");
        return ERROR_FAIL;
    }
    struct gate *gate = calloc(1, sizeof *gate);
    int rc = gate ? libxl_ctx_alloc(&gate->ctx, LIBXL_VERSION, 0, &shim_logger) : ERROR_NOMEM;
    if (!gate) {
        atomic_flag_clear(&is_open);
        return rc;
    }
    gate->limit = limit;
    if (rc == 0)
        rc = shim_register(gate);
    if (rc == 0) {
        gate->xc = xc_interface_open(&shim_logger, &shim_logger, 0);
        gate->store = xs_open(0);
        if (!gate->xc || !gate->store || !xs_watch(gate->store, "@introduceDomain", "")
            || !xs_watch(gate->store, "@releaseDomain", ""))
            rc = ERROR_FAIL;
    }
    if (rc)
        gate_close(gate);
    else
        *out = gate;
    return rc;
}

static int given(char **out, char *json)
{
    *out = json;
    return json ? 0 : ERROR_NOMEM;
}

/* [a, b, ...] of what `item` makes of each of `count` things. */
#define LIST(out, count, item)                                                                                     \
    do {                                                                                                           \
        size_t size = 0;                                                                                           \
        FILE *file = open_memstream(out, &size);                                                                   \
        if (!file)                                                                                                 \
            return ERROR_NOMEM;                                                                                    \
        fputc('[', file);                                                                                          \
        for (int i = 0; i < (count); i++) {                                                                        \
            char *one = (item);                                                                                    \
            fprintf(file, "%s%s", i ? "," : "", one ? one : "null");                                               \
            free(one);                                                                                             \
        }                                                                                                          \
        fputc(']', file);                                                                                          \
        fclose(file);                                                                                              \
    } while (0)

/* ---- the host ---- */

int gate_version(struct gate *gate, char **out)
{
    NO_FORK;
    const libxl_version_info *info = libxl_get_version_info(gate->ctx);
    return info ? given(out, libxl_version_info_to_json(gate->ctx, (libxl_version_info *)info)) : ERROR_FAIL;
}

int gate_physinfo(struct gate *gate, char **out)
{
    NO_FORK;
    libxl_physinfo info;
    libxl_physinfo_init(&info);
    int rc = libxl_get_physinfo(gate->ctx, &info);
    if (rc == 0)
        rc = given(out, libxl_physinfo_to_json(gate->ctx, &info));
    libxl_physinfo_dispose(&info);
    return rc;
}

int gate_scheduler(struct gate *gate, char **out)
{
    NO_FORK;
    int scheduler = libxl_get_scheduler(gate->ctx);
    if (scheduler < 0)
        return scheduler;
    return given(out, strdup(libxl_scheduler_to_string(scheduler)));
}

/* Xen's message buffer; empties it if `clear`. */
int gate_dmesg(struct gate *gate, int clear, char **out)
{
    NO_FORK;
    libxl_xen_console_reader *reader = libxl_xen_console_read_start(gate->ctx, clear);
    size_t size = 0;
    FILE *file = open_memstream(out, &size);
    char *line;
    if (!reader || !file)
        return ERROR_FAIL;
    while (libxl_xen_console_read_line(gate->ctx, reader, &line) > 0)
        fputs(line, file);
    libxl_xen_console_read_finish(gate->ctx, reader);
    fclose(file);
    return 0;
}

int gate_debug_keys(struct gate *gate, const char *keys)
{
    NO_FORK;
    /* libxl does not change them. */
    return libxl_send_debug_keys(gate->ctx, (char *)keys);
}

/* ---- domains ---- */

int gate_domains(struct gate *gate, char **out)
{
    NO_FORK;
    int count = 0;
    libxl_dominfo *all = libxl_list_domain(gate->ctx, &count);
    if (!all)
        return ERROR_FAIL;
    LIST(out, count, libxl_dominfo_to_json(gate->ctx, &all[i]));
    libxl_dominfo_list_free(all, count);
    return 0;
}

int gate_domain(struct gate *gate, uint32_t domid, char **out)
{
    NO_FORK;
    libxl_dominfo info;
    libxl_dominfo_init(&info);
    int rc = libxl_domain_info(gate->ctx, &info, domid);
    if (rc == 0)
        rc = given(out, libxl_dominfo_to_json(gate->ctx, &info));
    libxl_dominfo_dispose(&info);
    return rc;
}

int gate_name(struct gate *gate, uint32_t domid, char **out)
{
    *out = libxl_domid_to_name(gate->ctx, domid);
    return *out ? 0 : ERROR_DOMAIN_NOTFOUND;
}

int gate_vcpus(struct gate *gate, uint32_t domid, char **out)
{
    NO_FORK;
    int count = 0, cpus = 0;
    libxl_vcpuinfo *all = libxl_list_vcpu(gate->ctx, domid, &count, &cpus);
    if (!all)
        return ERROR_FAIL;
    LIST(out, count, libxl_vcpuinfo_to_json(gate->ctx, &all[i]));
    libxl_vcpuinfo_list_free(all, count);
    return 0;
}

/* The configuration as libxl keeps it, of a domain that some other toolstack built, too. */
int gate_config(struct gate *gate, uint32_t domid, char **out)
{
    libxl_domain_config config;
    libxl_domain_config_init(&config);
    int rc = OPERATION(domid, libxl_retrieve_domain_configuration(gate->ctx, domid, &config, &how));
    if (rc == 0)
        rc = given(out, libxl_domain_config_to_json(gate->ctx, &config));
    libxl_domain_config_dispose(&config);
    return rc;
}

/* Text of ours that libxl keeps with a domain and forgets with it. */
int gate_note(struct gate *gate, uint32_t domid, const char *text)
{
    return libxl_userdata_store(gate->ctx, domid, "xend", (const uint8_t *)text, strlen(text));
}

int gate_noted(struct gate *gate, uint32_t domid, char **out)
{
    uint8_t *data = NULL;
    int length = 0;
    int rc = libxl_userdata_retrieve(gate->ctx, domid, "xend", &data, &length);
    if (rc == 0) {
        *out = data ? strndup((char *)data, length) : strdup("");
        if (!*out)
            rc = ERROR_NOMEM;
    }
    free(data);
    return rc;
}

/* Builds a domain and leaves it paused. From `fd`, a stream of gate_save's, unless that is -1. */
int gate_create(struct gate *gate, const char *json, int fd, uint32_t *domid)
{
    libxl_domain_config config;
    libxl_domain_config_init(&config);
    *domid = -1;
    int rc = libxl_domain_config_from_json(gate->ctx, &config, json);
    if (rc == 0 && fd < 0) {
        rc = OPERATION(NO_DOMID, libxl_domain_create_new(gate->ctx, &config, domid, &how, NULL));
    } else if (rc == 0) {
        libxl_domain_restore_params params;
        libxl_domain_restore_params_init(&params);
        /* The default is a stream of xend's own time. */
        params.stream_version = 2;
        rc = OPERATION(NO_DOMID, libxl_domain_create_restore(gate->ctx, &config, domid, fd, -1, &params, &how, NULL));
        libxl_domain_restore_params_dispose(&params);
    }
    libxl_domain_config_dispose(&config);
    return rc;
}

/* How many bytes a TCP socket has received; -1 of what is none. */
int64_t gate_received(int fd)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    memset(&info, 0, sizeof info);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) ? -1 : (int64_t)info.tcpi_bytes_received;
}

int gate_save(struct gate *gate, uint32_t domid, int fd, int live)
{
    int flags = live ? LIBXL_SUSPEND_LIVE : 0;
    return OPERATION(domid, libxl_domain_suspend(gate->ctx, domid, fd, flags, &how));
}

int gate_unsuspend(struct gate *gate, uint32_t domid)
{
    return OPERATION(domid, libxl_domain_resume(gate->ctx, domid, 1, &how));
}

int gate_pause(struct gate *gate, uint32_t domid)
{
    return OPERATION(domid, libxl_domain_pause(gate->ctx, domid, &how));
}

int gate_unpause(struct gate *gate, uint32_t domid)
{
    return OPERATION(domid, libxl_domain_unpause(gate->ctx, domid, &how));
}

int gate_destroy(struct gate *gate, uint32_t domid)
{
    return OPERATION(domid, libxl_domain_destroy(gate->ctx, domid, &how));
}

/* The guest is asked, and not waited for: what comes of it is an event. */
static const libxl_asyncop_how asked = { .callback = NULL };

/* Stops a domain without asking its guest. */
static int stop(struct gate *gate, uint32_t domid, int reason)
{
    NO_FORK;
    return xc_domain_shutdown(gate->xc, domid, reason) ? ERROR_FAIL : 0;
}

/* A guest that cannot be asked, an HVM guest without Xen's drivers, is stopped, as xend did. */
static int or_stopped(struct gate *gate, uint32_t domid, int rc, int reason)
{
    return rc == ERROR_NOPARAVIRT && stop(gate, domid, reason) == 0 ? 0 : rc;
}

int gate_shutdown(struct gate *gate, uint32_t domid)
{
    return or_stopped(gate, domid, libxl_domain_shutdown(gate->ctx, domid, &asked), SHUTDOWN_poweroff);
}

int gate_reboot(struct gate *gate, uint32_t domid)
{
    return or_stopped(gate, domid, libxl_domain_reboot(gate->ctx, domid, &asked), SHUTDOWN_reboot);
}

int gate_crash(struct gate *gate, uint32_t domid)
{
    return stop(gate, domid, SHUTDOWN_crash);
}

int gate_rename(struct gate *gate, uint32_t domid, const char *from, const char *to)
{
    NO_FORK;
    return libxl_domain_rename(gate->ctx, domid, from, to);
}

/* Gives a stopped domain another UUID and a name with `suffix` behind it. */
int gate_preserve(struct gate *gate, uint32_t domid, const char *name, const char *suffix, const uint8_t uuid[16])
{
    libxl_domain_config config;
    libxl_uuid fresh;
    libxl_domain_config_init(&config);
    memcpy(libxl_uuid_bytearray(&fresh), uuid, 16);
    int rc = OPERATION(domid, libxl_retrieve_domain_configuration(gate->ctx, domid, &config, &how));
    if (rc == 0) {
        free(config.c_info.name);
        config.c_info.name = strdup(name);
        NO_FORK;
        rc = libxl_domain_preserve(gate->ctx, domid, &config.c_info, suffix, fresh);
    }
    libxl_domain_config_dispose(&config);
    return rc;
}

int gate_dump(struct gate *gate, uint32_t domid, const char *file)
{
    return OPERATION(domid, libxl_domain_core_dump(gate->ctx, domid, file, &how));
}

int gate_sysrq(struct gate *gate, uint32_t domid, char key)
{
    return libxl_send_sysrq(gate->ctx, domid, key);
}

int gate_trigger(struct gate *gate, uint32_t domid, const char *name, uint32_t vcpu)
{
    libxl_trigger trigger;
    int rc = libxl_trigger_from_string(name, &trigger);
    return rc ? rc : OPERATION(domid, libxl_send_trigger(gate->ctx, domid, trigger, vcpu, &how));
}

/* ---- memory, CPUs, scheduler ---- */

int gate_set_memory(struct gate *gate, uint32_t domid, uint64_t kib)
{
    return libxl_set_memory_target(gate->ctx, domid, kib, 0, 1);
}

int gate_set_max_memory(struct gate *gate, uint32_t domid, uint64_t kib)
{
    return libxl_domain_setmaxmem(gate->ctx, domid, kib);
}

static int bitmap(struct gate *gate, libxl_bitmap *map, const uint32_t *bits, int count, int size)
{
    libxl_bitmap_init(map);
    int rc = libxl_bitmap_alloc(gate->ctx, map, size);
    for (int i = 0; rc == 0 && i < count; i++)
        if ((int)bits[i] < size)
            libxl_bitmap_set(map, bits[i]);
    return rc;
}

int gate_set_vcpus(struct gate *gate, uint32_t domid, const uint32_t *online, int count)
{
    libxl_bitmap map;
    int rc = bitmap(gate, &map, online, count, 128);
    if (rc == 0)
        rc = OPERATION(domid, libxl_set_vcpuonline(gate->ctx, domid, &map, &how));
    libxl_bitmap_dispose(&map);
    return rc;
}

/* Where a VCPU may be; anywhere if count is 0. */
int gate_pin(struct gate *gate, uint32_t domid, uint32_t vcpu, const uint32_t *cpus, int count)
{
    NO_FORK;
    libxl_bitmap map;
    int most = libxl_get_max_cpus(gate->ctx);
    int rc = most < 0 ? most : bitmap(gate, &map, cpus, count, most);
    if (rc == 0 && count == 0)
        libxl_bitmap_set_any(&map);
    if (rc == 0)
        rc = libxl_set_vcpuaffinity(gate->ctx, domid, vcpu, &map, NULL);
    if (most >= 0)
        libxl_bitmap_dispose(&map);
    return rc;
}

int gate_sched(struct gate *gate, uint32_t domid, char **out)
{
    NO_FORK;
    libxl_domain_sched_params params;
    libxl_domain_sched_params_init(&params);
    int rc = libxl_domain_sched_params_get(gate->ctx, domid, &params);
    if (rc == 0)
        rc = given(out, libxl_domain_sched_params_to_json(gate->ctx, &params));
    libxl_domain_sched_params_dispose(&params);
    return rc;
}

int gate_set_sched(struct gate *gate, uint32_t domid, const char *json)
{
    NO_FORK;
    libxl_domain_sched_params params;
    libxl_domain_sched_params_init(&params);
    int rc = libxl_domain_sched_params_from_json(gate->ctx, &params, json);
    if (rc == 0)
        rc = libxl_domain_sched_params_set(gate->ctx, domid, &params);
    libxl_domain_sched_params_dispose(&params);
    return rc;
}

/* ---- devices: `what` is one of the words below ---- */

enum { ADD, REMOVE, DESTROY };

#define DEVICE(type)                                                                                               \
    do {                                                                                                           \
        libxl_device_##type device;                                                                                \
        libxl_device_##type##_init(&device);                                                                       \
        int rc = libxl_device_##type##_from_json(gate->ctx, &device, json);                                          \
        if (rc == 0)                                                                                               \
            rc = OPERATION(domid, what == ADD ? libxl_device_##type##_add(gate->ctx, domid, &device, &how)          \
                                  : what == REMOVE ? libxl_device_##type##_remove(gate->ctx, domid, &device, &how)  \
                                                   : libxl_device_##type##_destroy(gate->ctx, domid, &device, &how)); \
        libxl_device_##type##_dispose(&device);                                                                    \
        return rc;                                                                                                 \
    } while (0)

/* Only libxl knows which backend serves a disk that is plugged in: it is looked up by its name in the guest. */
int gate_disk(struct gate *gate, uint32_t domid, int what, const char *json)
{
    libxl_device_disk disk, there;
    if (what == ADD)
        DEVICE(disk);
    libxl_device_disk_init(&disk);
    libxl_device_disk_init(&there);
    int rc = libxl_device_disk_from_json(gate->ctx, &disk, json);
    if (rc == 0)
        rc = libxl_vdev_to_device_disk(gate->ctx, domid, disk.vdev, &there);
    if (rc == 0)
        rc = OPERATION(domid, what == REMOVE ? libxl_device_disk_remove(gate->ctx, domid, &there, &how)
                                             : libxl_device_disk_destroy(gate->ctx, domid, &there, &how));
    libxl_device_disk_dispose(&disk);
    libxl_device_disk_dispose(&there);
    return rc;
}

int gate_nic(struct gate *gate, uint32_t domid, int what, const char *json)
{
    DEVICE(nic);
}

int gate_vfb(struct gate *gate, uint32_t domid, int what, const char *json)
{
    DEVICE(vfb);
}

int gate_vkb(struct gate *gate, uint32_t domid, int what, const char *json)
{
    DEVICE(vkb);
}

static int plug_pci(struct gate *gate, uint32_t domid, int what, const char *json)
{
    DEVICE(pci);
}

static int has_pci(struct gate *gate, uint32_t domid, const char *json)
{
    libxl_device_pci pci;
    int count = 0, found = 0;
    libxl_device_pci_init(&pci);
    libxl_device_pci *all = libxl_device_pci_list(gate->ctx, domid, &count);
    if (libxl_device_pci_from_json(gate->ctx, &pci, json) == 0)
        for (int i = 0; i < count; i++)
            found |= all[i].domain == pci.domain && all[i].bus == pci.bus && all[i].dev == pci.dev
                     && all[i].func == pci.func;
    libxl_device_pci_list_free(all, count);
    libxl_device_pci_dispose(&pci);
    return found;
}

/* libxl says that all is well as well when the guest has not let go of it. */
int gate_pci(struct gate *gate, uint32_t domid, int what, const char *json)
{
    int rc = plug_pci(gate, domid, what, json);
    if (rc == 0 && what != ADD && has_pci(gate, domid, json)) {
        snprintf(shim_words, sizeof shim_words, "The guest does not let go of it");
        rc = ERROR_FAIL;
    }
    return rc;
}

int gate_medium(struct gate *gate, uint32_t domid, const char *json)
{
    libxl_device_disk disk;
    libxl_device_disk_init(&disk);
    int rc = libxl_device_disk_from_json(gate->ctx, &disk, json);
    if (rc == 0)
        rc = OPERATION(domid, libxl_cdrom_insert(gate->ctx, domid, &disk, &how));
    libxl_device_disk_dispose(&disk);
    return rc;
}

static char *disk_info(struct gate *gate, uint32_t domid, libxl_device_disk *disk)
{
    libxl_diskinfo info;
    libxl_diskinfo_init(&info);
    int rc = libxl_device_disk_getinfo(gate->ctx, domid, disk, &info);
    char *json = rc ? NULL : libxl_diskinfo_to_json(gate->ctx, &info);
    libxl_diskinfo_dispose(&info);
    return json;
}

int gate_disks(struct gate *gate, uint32_t domid, char **out)
{
    int count = 0;
    libxl_device_disk *all = libxl_device_disk_list(gate->ctx, domid, &count);
    LIST(out, count, disk_info(gate, domid, &all[i]));
    libxl_device_disk_list_free(all, count);
    return 0;
}

static char *nic_info(struct gate *gate, uint32_t domid, libxl_device_nic *nic)
{
    libxl_nicinfo info;
    libxl_nicinfo_init(&info);
    int rc = libxl_device_nic_getinfo(gate->ctx, domid, nic, &info);
    char *json = rc ? NULL : libxl_nicinfo_to_json(gate->ctx, &info);
    libxl_nicinfo_dispose(&info);
    return json;
}

int gate_nics(struct gate *gate, uint32_t domid, char **out)
{
    int count = 0;
    libxl_device_nic *all = libxl_device_nic_list(gate->ctx, domid, &count);
    LIST(out, count, nic_info(gate, domid, &all[i]));
    libxl_device_nic_list_free(all, count);
    return 0;
}

/* ---- XenStore, of devices that libxl does not show ---- */

/* The names of the nodes below a path, each ended by a newline, which no name can hold. Nothing if there is no such path. */
int gate_nodes(struct gate *gate, const char *path, char **out)
{
    unsigned int count = 0;
    size_t size = 0;
    FILE *file = open_memstream(out, &size);
    if (!file)
        return ERROR_NOMEM;
    char **names = xs_directory(gate->store, XBT_NULL, path, &count);
    for (unsigned int i = 0; names && i < count; i++)
        fprintf(file, "%s\n", names[i]);
    free(names);
    fclose(file);
    return 0;
}

int gate_read(struct gate *gate, const char *path, char **out)
{
    *out = xs_read(gate->store, XBT_NULL, path, NULL);
    return *out ? 0 : ERROR_NOTFOUND;
}

/* ---- events ---- */

/* Has gate_change tell of a new name of a domain, or not any more. */
int gate_follow(struct gate *gate, uint32_t domid, int on)
{
    char path[64], token[16];
    snprintf(path, sizeof path, "/local/domain/%u/name", domid);
    snprintf(token, sizeof token, "%u", domid);
    bool done = on ? xs_watch(gate->store, path, token) : xs_unwatch(gate->store, path, token);
    return done ? 0 : ERROR_FAIL;
}

/*
 * Waits for somebody, us included, to build a domain, take one away, or name one. The domid is that of one that was named;
 * otherwise -1: any can have come or gone, and the same if nothing has happened for as long as was to be waited.
 */
int gate_change(struct gate *gate, int milliseconds, uint32_t *domid)
{
    struct pollfd ready = { .fd = xs_fileno(gate->store), .events = POLLIN };
    *domid = -1;
    char **watch = xs_check_watch(gate->store);
    if (!watch && poll(&ready, 1, milliseconds) > 0)
        watch = xs_check_watch(gate->store);
    if (!watch)
        return errno == EAGAIN || ready.revents == 0 ? 0 : ERROR_FAIL;
    if (*watch[XS_WATCH_TOKEN])
        *domid = strtoul(watch[XS_WATCH_TOKEN], NULL, 10);
    free(watch);
    return 0;
}

/* Has the death and the shutdown of a domain told. For as long as the domain lives. */
int gate_watch(struct gate *gate, uint32_t domid)
{
    libxl_evgen_domain_death *watch;
    return libxl_evenable_domain_death(gate->ctx, domid, 0, &watch);
}

/* ---- CPU pools ---- */

int gate_pools(struct gate *gate, char **out)
{
    NO_FORK;
    int count = 0;
    libxl_cpupoolinfo *all = libxl_list_cpupool(gate->ctx, &count);
    if (!all)
        return ERROR_FAIL;
    LIST(out, count, libxl_cpupoolinfo_to_json(gate->ctx, &all[i]));
    libxl_cpupoolinfo_list_free(all, count);
    return 0;
}

static int pool_id(struct gate *gate, const char *name, uint32_t *id)
{
    return libxl_name_to_cpupoolid(gate->ctx, name, id) ? ERROR_NOTFOUND : 0;
}

int gate_pool_create(struct gate *gate, const char *name, const char *scheduler, const uint32_t *cpus, int count)
{
    NO_FORK;
    libxl_bitmap map;
    libxl_uuid uuid;
    libxl_scheduler kind;
    uint32_t id = LIBXL_CPUPOOL_POOLID_ANY;
    int most = libxl_get_max_cpus(gate->ctx);
    if (most < 0)
        return most;
    if (libxl_scheduler_from_string(scheduler, &kind))
        return ERROR_INVAL;
    libxl_uuid_generate(&uuid);
    int rc = bitmap(gate, &map, cpus, count, most);
    if (rc == 0)
        rc = libxl_cpupool_create(gate->ctx, name, kind, map, &uuid, &id);
    libxl_bitmap_dispose(&map);
    return rc;
}

int gate_pool_destroy(struct gate *gate, const char *name)
{
    NO_FORK;
    uint32_t id;
    int rc = pool_id(gate, name, &id);
    return rc ? rc : libxl_cpupool_destroy(gate->ctx, id);
}

int gate_pool_cpu(struct gate *gate, const char *name, int cpu, int add)
{
    NO_FORK;
    uint32_t id;
    int rc = pool_id(gate, name, &id);
    if (rc)
        return rc;
    return add ? libxl_cpupool_cpuadd(gate->ctx, id, cpu) : libxl_cpupool_cpuremove(gate->ctx, id, cpu);
}

int gate_pool_move(struct gate *gate, const char *name, uint32_t domid)
{
    NO_FORK;
    uint32_t id;
    int rc = pool_id(gate, name, &id);
    return rc ? rc : libxl_cpupool_movedomain(gate->ctx, id, domid);
}
