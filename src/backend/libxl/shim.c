/* The functions of shim.h; those that wait for events are in events.c. */
#include "context.h"
#include <libxl_utils.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

_Static_assert(SHIM_ERROR_DOMAIN_NOTFOUND == ERROR_DOMAIN_NOTFOUND, "libxl's number");
_Static_assert(SHIM_ERROR_NOTFOUND == ERROR_NOTFOUND, "libxl's number");

/* ---- the handle ---- */

static atomic_flag is_open = ATOMIC_FLAG_INIT;

void shim_close(struct Shim *shim)
{
    if (shim->xc)
        xc_interface_close(shim->xc);
    if (shim->ctx)
        libxl_ctx_free(shim->ctx);
    shim_events_free(shim);
    free(shim);
    atomic_flag_clear(&is_open);
}

int shim_open(int limit, struct Shim **out)
{
    if (atomic_flag_test_and_set(&is_open)) {
        snprintf(shim_message, sizeof shim_message, "libxl is open already");
        return ERROR_FAIL;
    }
    struct Shim *shim = calloc(1, sizeof *shim);
    if (!shim) {
        atomic_flag_clear(&is_open);
        return ERROR_NOMEM;
    }
    shim->limit = limit;
    int rc = shim_events_init(shim);
    if (rc == 0)
        rc = libxl_ctx_alloc(&shim->ctx, LIBXL_VERSION, 0, &shim_logger);
    if (rc == 0) {
        shim_events_register(shim);
        shim->xc = xc_interface_open(&shim_logger, &shim_logger, 0);
        if (!shim->xc)
            rc = ERROR_FAIL;
    }
    if (rc)
        shim_close(shim);
    else
        *out = shim;
    return rc;
}

void shim_free(char *string)
{
    free(string);
}

const char *shim_error(void)
{
    return shim_message;
}

void shim_clear_error(void)
{
    shim_message[0] = 0;
}

/* ---- strings for the caller ---- */

/* Gives a string of malloc's to the caller; NULL is a failed allocation. */
static int give(char **out, char *string)
{
    if (!string)
        return ERROR_NOMEM;
    *out = string;
    return 0;
}

/* A string that is written piece by piece. */
struct text {
    FILE *file;
    char *bytes;
    size_t size;
};

static int text_begin(struct text *text)
{
    *text = (struct text){ 0 };
    text->file = open_memstream(&text->bytes, &text->size);
    return text->file ? 0 : ERROR_NOMEM;
}

static int text_end(struct text *text, char **out)
{
    bool failed = ferror(text->file);
    if (fclose(text->file) || failed) {
        free(text->bytes);
        return ERROR_NOMEM;
    }
    return give(out, text->bytes);
}

/*
 * Gives the caller a JSON list; the value is 0 or an error. `item` makes the JSON of element `i` of
 * `count`, which is freed here; NULL becomes null:
 *
 *     int rc = LIST(out, count, libxl_dominfo_to_json(shim->ctx, &all[i]));
 */
#define LIST(out, count, item)                                                                     \
    ({                                                                                             \
        struct text list;                                                                          \
        int list_rc = text_begin(&list);                                                           \
        if (list_rc == 0) {                                                                        \
            fputc('[', list.file);                                                                 \
            for (int i = 0; i < (count); i++) {                                                    \
                char *json = (item);                                                               \
                fprintf(list.file, "%s%s", i ? "," : "", json ? json : "null");                    \
                free(json);                                                                        \
            }                                                                                      \
            fputc(']', list.file);                                                                 \
            list_rc = text_end(&list, out);                                                        \
        }                                                                                          \
        list_rc;                                                                                   \
    })

/* ---- the host ---- */

int shim_version(struct Shim *shim, char **out)
{
    NO_FORK;
    const libxl_version_info *info = libxl_get_version_info(shim->ctx);
    /* The conversion changes nothing. */
    return info ? give(out, libxl_version_info_to_json(shim->ctx, (libxl_version_info *)info))
                : ERROR_FAIL;
}

int shim_physinfo(struct Shim *shim, char **out)
{
    NO_FORK;
    libxl_physinfo info;
    libxl_physinfo_init(&info);
    int rc = libxl_get_physinfo(shim->ctx, &info);
    if (rc == 0)
        rc = give(out, libxl_physinfo_to_json(shim->ctx, &info));
    libxl_physinfo_dispose(&info);
    return rc;
}

int shim_scheduler(struct Shim *shim, char **out)
{
    NO_FORK;
    int scheduler = libxl_get_scheduler(shim->ctx);
    if (scheduler < 0)
        return scheduler;
    const char *name = libxl_scheduler_to_string(scheduler);
    return name ? give(out, strdup(name)) : ERROR_INVAL;
}

int shim_dmesg(struct Shim *shim, bool clear, char **out)
{
    NO_FORK;
    struct text text;
    int rc = text_begin(&text);
    if (rc)
        return rc;
    libxl_xen_console_reader *reader = libxl_xen_console_read_start(shim->ctx, clear);
    if (!reader) {
        fclose(text.file);
        free(text.bytes);
        return ERROR_FAIL;
    }
    char *line;
    while (libxl_xen_console_read_line(shim->ctx, reader, &line) > 0)
        fputs(line, text.file);
    libxl_xen_console_read_finish(shim->ctx, reader);
    return text_end(&text, out);
}

int shim_debug_keys(struct Shim *shim, const char *keys)
{
    NO_FORK;
    /* libxl does not change them. */
    return libxl_send_debug_keys(shim->ctx, (char *)keys);
}

/* ---- domains ---- */

int shim_domains(struct Shim *shim, char **out)
{
    NO_FORK;
    int count = 0;
    libxl_dominfo *all = libxl_list_domain(shim->ctx, &count);
    if (!all)
        return ERROR_FAIL;
    int rc = LIST(out, count, libxl_dominfo_to_json(shim->ctx, &all[i]));
    libxl_dominfo_list_free(all, count);
    return rc;
}

int shim_domain(struct Shim *shim, uint32_t domid, char **out)
{
    NO_FORK;
    libxl_dominfo info;
    libxl_dominfo_init(&info);
    int rc = libxl_domain_info(shim->ctx, &info, domid);
    if (rc == 0)
        rc = give(out, libxl_dominfo_to_json(shim->ctx, &info));
    libxl_dominfo_dispose(&info);
    return rc;
}

int shim_name(struct Shim *shim, uint32_t domid, char **out)
{
    char *name = libxl_domid_to_name(shim->ctx, domid);
    return name ? give(out, name) : ERROR_DOMAIN_NOTFOUND;
}

int shim_vcpus(struct Shim *shim, uint32_t domid, char **out)
{
    NO_FORK;
    int count = 0, cpus = 0;
    libxl_vcpuinfo *all = libxl_list_vcpu(shim->ctx, domid, &count, &cpus);
    if (!all)
        return ERROR_FAIL;
    int rc = LIST(out, count, libxl_vcpuinfo_to_json(shim->ctx, &all[i]));
    libxl_vcpuinfo_list_free(all, count);
    return rc;
}

static int retrieve_config(struct Shim *shim, uint32_t domid, libxl_domain_config *config)
{
    return OPERATION(domid, libxl_retrieve_domain_configuration(shim->ctx, domid, config, &how));
}

int shim_config(struct Shim *shim, uint32_t domid, char **out)
{
    libxl_domain_config config;
    libxl_domain_config_init(&config);
    int rc = retrieve_config(shim, domid, &config);
    if (rc == 0)
        rc = give(out, libxl_domain_config_to_json(shim->ctx, &config));
    libxl_domain_config_dispose(&config);
    return rc;
}

/* libxl's name for xend's text about a domain. */
#define USERDATA "xend"

int shim_store_userdata(struct Shim *shim, uint32_t domid, const char *text)
{
    return libxl_userdata_store(shim->ctx, domid, USERDATA, (const uint8_t *)text, strlen(text));
}

int shim_userdata(struct Shim *shim, uint32_t domid, char **out)
{
    uint8_t *data = NULL;
    int length = 0;
    int rc = libxl_userdata_retrieve(shim->ctx, domid, USERDATA, &data, &length);
    if (rc == 0)
        rc = give(out, data ? strndup((char *)data, length) : strdup(""));
    free(data);
    return rc;
}

int shim_create(struct Shim *shim, const char *json, int fd, uint32_t *domid)
{
    libxl_domain_config config;
    libxl_domain_config_init(&config);
    *domid = NO_DOMID;
    int rc = libxl_domain_config_from_json(shim->ctx, &config, json);
    if (rc == 0 && fd < 0) {
        rc = OPERATION(NO_DOMID,
                       libxl_domain_create_new(shim->ctx, &config, domid, &how, NULL));
    } else if (rc == 0) {
        libxl_domain_restore_params params;
        libxl_domain_restore_params_init(&params);
        /* The default is 1, the format of xend's own time. */
        params.stream_version = 2;
        rc = OPERATION(NO_DOMID, libxl_domain_create_restore(shim->ctx, &config, domid, fd, -1,
                                                             &params, &how, NULL));
        libxl_domain_restore_params_dispose(&params);
    }
    libxl_domain_config_dispose(&config);
    return rc;
}

int64_t shim_bytes_received(int fd)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    memset(&info, 0, sizeof info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size))
        return -1;
    return (int64_t)info.tcpi_bytes_received;
}

int shim_save(struct Shim *shim, uint32_t domid, int fd, bool live)
{
    int flags = live ? LIBXL_SUSPEND_LIVE : 0;
    return OPERATION(domid, libxl_domain_suspend(shim->ctx, domid, fd, flags, &how));
}

int shim_resume(struct Shim *shim, uint32_t domid)
{
    return OPERATION(domid, libxl_domain_resume(shim->ctx, domid, 1, &how));
}

int shim_pause(struct Shim *shim, uint32_t domid)
{
    return OPERATION(domid, libxl_domain_pause(shim->ctx, domid, &how));
}

int shim_unpause(struct Shim *shim, uint32_t domid)
{
    return OPERATION(domid, libxl_domain_unpause(shim->ctx, domid, &how));
}

int shim_destroy(struct Shim *shim, uint32_t domid)
{
    return OPERATION(domid, libxl_domain_destroy(shim->ctx, domid, &how));
}

/* Stops a domain without asking its guest. */
static int stop(struct Shim *shim, uint32_t domid, int reason)
{
    NO_FORK;
    return xc_domain_shutdown(shim->xc, domid, reason) ? ERROR_FAIL : 0;
}

/* `rc` is the result of asking the guest: one that cannot be asked is stopped. */
static int stop_if_no_drivers(struct Shim *shim, uint32_t domid, int rc, int reason)
{
    return rc == ERROR_NOPARAVIRT && stop(shim, domid, reason) == 0 ? 0 : rc;
}

/* Completion is an event, which is not waited for. */
static const libxl_asyncop_how no_wait = { .callback = NULL };

int shim_shutdown(struct Shim *shim, uint32_t domid)
{
    int rc = libxl_domain_shutdown(shim->ctx, domid, &no_wait);
    return stop_if_no_drivers(shim, domid, rc, SHUTDOWN_poweroff);
}

int shim_reboot(struct Shim *shim, uint32_t domid)
{
    int rc = libxl_domain_reboot(shim->ctx, domid, &no_wait);
    return stop_if_no_drivers(shim, domid, rc, SHUTDOWN_reboot);
}

int shim_crash(struct Shim *shim, uint32_t domid)
{
    return stop(shim, domid, SHUTDOWN_crash);
}

int shim_rename(struct Shim *shim, uint32_t domid, const char *from, const char *to)
{
    NO_FORK;
    return libxl_domain_rename(shim->ctx, domid, from, to);
}

int shim_preserve(struct Shim *shim, uint32_t domid, const char *name, const char *suffix,
                  const uint8_t *uuid)
{
    libxl_domain_config config;
    libxl_uuid new_uuid;
    libxl_domain_config_init(&config);
    memcpy(libxl_uuid_bytearray(&new_uuid), uuid, 16);
    int rc = retrieve_config(shim, domid, &config);
    if (rc == 0) {
        free(config.c_info.name);
        config.c_info.name = strdup(name);
        rc = config.c_info.name ? 0 : ERROR_NOMEM;
    }
    if (rc == 0) {
        NO_FORK;
        rc = libxl_domain_preserve(shim->ctx, domid, &config.c_info, suffix, new_uuid);
    }
    libxl_domain_config_dispose(&config);
    return rc;
}

int shim_dump(struct Shim *shim, uint32_t domid, const char *file)
{
    return OPERATION(domid, libxl_domain_core_dump(shim->ctx, domid, file, &how));
}

int shim_sysrq(struct Shim *shim, uint32_t domid, char key)
{
    return libxl_send_sysrq(shim->ctx, domid, key);
}

int shim_trigger(struct Shim *shim, uint32_t domid, const char *name, uint32_t vcpu)
{
    libxl_trigger trigger;
    int rc = libxl_trigger_from_string(name, &trigger);
    if (rc)
        return rc;
    return OPERATION(domid, libxl_send_trigger(shim->ctx, domid, trigger, vcpu, &how));
}

/* ---- memory, CPUs, scheduler ---- */

int shim_set_memory(struct Shim *shim, uint32_t domid, uint64_t kib)
{
    return libxl_set_memory_target(shim->ctx, domid, kib, 0, 1);
}

int shim_set_max_memory(struct Shim *shim, uint32_t domid, uint64_t kib)
{
    return libxl_domain_setmaxmem(shim->ctx, domid, kib);
}

/* A bitmap of `size` bits. Bits beyond it are left out. Dispose of it even after a failure. */
static int make_bitmap(struct Shim *shim, libxl_bitmap *map, const uint32_t *bits, int count,
                       int size)
{
    libxl_bitmap_init(map);
    int rc = libxl_bitmap_alloc(shim->ctx, map, size);
    for (int i = 0; rc == 0 && i < count; i++)
        if ((int)bits[i] < size)
            libxl_bitmap_set(map, bits[i]);
    return rc;
}

int shim_set_vcpus(struct Shim *shim, uint32_t domid, const uint32_t *online, int count)
{
    libxl_bitmap map;
    int rc = make_bitmap(shim, &map, online, count, 128);
    if (rc == 0)
        rc = OPERATION(domid, libxl_set_vcpuonline(shim->ctx, domid, &map, &how));
    libxl_bitmap_dispose(&map);
    return rc;
}

int shim_pin(struct Shim *shim, uint32_t domid, uint32_t vcpu, const uint32_t *cpus, int count)
{
    NO_FORK;
    libxl_bitmap map;
    int max_cpus = libxl_get_max_cpus(shim->ctx);
    if (max_cpus < 0)
        return max_cpus;
    int rc = make_bitmap(shim, &map, cpus, count, max_cpus);
    if (rc == 0 && count == 0)
        libxl_bitmap_set_any(&map);
    if (rc == 0)
        rc = libxl_set_vcpuaffinity(shim->ctx, domid, vcpu, &map, NULL);
    libxl_bitmap_dispose(&map);
    return rc;
}

int shim_sched_params(struct Shim *shim, uint32_t domid, char **out)
{
    NO_FORK;
    libxl_domain_sched_params params;
    libxl_domain_sched_params_init(&params);
    int rc = libxl_domain_sched_params_get(shim->ctx, domid, &params);
    if (rc == 0)
        rc = give(out, libxl_domain_sched_params_to_json(shim->ctx, &params));
    libxl_domain_sched_params_dispose(&params);
    return rc;
}

int shim_set_sched_params(struct Shim *shim, uint32_t domid, const char *json)
{
    NO_FORK;
    libxl_domain_sched_params params;
    libxl_domain_sched_params_init(&params);
    int rc = libxl_domain_sched_params_from_json(shim->ctx, &params, json);
    if (rc == 0)
        rc = libxl_domain_sched_params_set(shim->ctx, domid, &params);
    libxl_domain_sched_params_dispose(&params);
    return rc;
}

/* ---- devices ---- */

/* Does `action` with a device; the value is the result. */
#define PLUG(type, action, device)                                                                 \
    ({                                                                                             \
        int plug_rc;                                                                               \
        switch (action) {                                                                          \
        case SHIM_ADD:                                                                             \
            plug_rc = OPERATION(                                                                   \
                domid, libxl_device_##type##_add(shim->ctx, domid, device, &how));                 \
            break;                                                                                 \
        case SHIM_REMOVE:                                                                          \
            plug_rc = OPERATION(                                                                   \
                domid, libxl_device_##type##_remove(shim->ctx, domid, device, &how));              \
            break;                                                                                 \
        case SHIM_DESTROY:                                                                         \
            plug_rc = OPERATION(                                                                   \
                domid, libxl_device_##type##_destroy(shim->ctx, domid, device, &how));             \
            break;                                                                                 \
        default:                                                                                   \
            plug_rc = ERROR_INVAL;                                                                 \
        }                                                                                          \
        plug_rc;                                                                                   \
    })

/* Defines plug_TYPE, which does `action` with a libxl_device_TYPE that is given as JSON. */
#define DEFINE_PLUG(type)                                                                          \
    static int plug_##type(struct Shim *shim, uint32_t domid, int action, const char *json)        \
    {                                                                                              \
        libxl_device_##type device;                                                                \
        libxl_device_##type##_init(&device);                                                       \
        int rc = libxl_device_##type##_from_json(shim->ctx, &device, json);                        \
        if (rc == 0)                                                                               \
            rc = PLUG(type, action, &device);                                                      \
        libxl_device_##type##_dispose(&device);                                                    \
        return rc;                                                                                 \
    }

DEFINE_PLUG(disk)
DEFINE_PLUG(nic)
DEFINE_PLUG(vfb)
DEFINE_PLUG(vkb)
DEFINE_PLUG(pci)

/* Unplugs the disk that has the name of the given one: only libxl knows its backend. */
static int unplug_disk(struct Shim *shim, uint32_t domid, int action, const char *json)
{
    libxl_device_disk given, plugged;
    libxl_device_disk_init(&given);
    libxl_device_disk_init(&plugged);
    int rc = libxl_device_disk_from_json(shim->ctx, &given, json);
    if (rc == 0)
        rc = libxl_vdev_to_device_disk(shim->ctx, domid, given.vdev, &plugged);
    if (rc == 0)
        rc = PLUG(disk, action, &plugged);
    libxl_device_disk_dispose(&given);
    libxl_device_disk_dispose(&plugged);
    return rc;
}

int shim_plug_disk(struct Shim *shim, uint32_t domid, int action, const char *json)
{
    return action == SHIM_ADD ? plug_disk(shim, domid, action, json)
                              : unplug_disk(shim, domid, action, json);
}

int shim_plug_nic(struct Shim *shim, uint32_t domid, int action, const char *json)
{
    return plug_nic(shim, domid, action, json);
}

int shim_plug_vfb(struct Shim *shim, uint32_t domid, int action, const char *json)
{
    return plug_vfb(shim, domid, action, json);
}

int shim_plug_vkb(struct Shim *shim, uint32_t domid, int action, const char *json)
{
    return plug_vkb(shim, domid, action, json);
}

static bool has_pci(struct Shim *shim, uint32_t domid, const char *json)
{
    libxl_device_pci pci;
    int count = 0;
    bool found = false;
    libxl_device_pci_init(&pci);
    libxl_device_pci *all = libxl_device_pci_list(shim->ctx, domid, &count);
    if (libxl_device_pci_from_json(shim->ctx, &pci, json) == 0)
        for (int i = 0; i < count; i++)
            found |= all[i].domain == pci.domain && all[i].bus == pci.bus && all[i].dev == pci.dev
                     && all[i].func == pci.func;
    libxl_device_pci_list_free(all, count);
    libxl_device_pci_dispose(&pci);
    return found;
}

int shim_plug_pci(struct Shim *shim, uint32_t domid, int action, const char *json)
{
    int rc = plug_pci(shim, domid, action, json);
    /* libxl reports success even if the guest has not released the function. */
    if (rc == 0 && action != SHIM_ADD && has_pci(shim, domid, json)) {
        snprintf(shim_message, sizeof shim_message, "The guest does not let go of it");
        rc = ERROR_FAIL;
    }
    return rc;
}

int shim_insert_cdrom(struct Shim *shim, uint32_t domid, const char *json)
{
    libxl_device_disk disk;
    libxl_device_disk_init(&disk);
    int rc = libxl_device_disk_from_json(shim->ctx, &disk, json);
    if (rc == 0)
        rc = OPERATION(domid, libxl_cdrom_insert(shim->ctx, domid, &disk, &how));
    libxl_device_disk_dispose(&disk);
    return rc;
}

static char *disk_info(struct Shim *shim, uint32_t domid, libxl_device_disk *disk)
{
    libxl_diskinfo info;
    libxl_diskinfo_init(&info);
    int rc = libxl_device_disk_getinfo(shim->ctx, domid, disk, &info);
    char *json = rc ? NULL : libxl_diskinfo_to_json(shim->ctx, &info);
    libxl_diskinfo_dispose(&info);
    return json;
}

int shim_disks(struct Shim *shim, uint32_t domid, char **out)
{
    int count = 0;
    libxl_device_disk *all = libxl_device_disk_list(shim->ctx, domid, &count);
    int rc = LIST(out, count, disk_info(shim, domid, &all[i]));
    libxl_device_disk_list_free(all, count);
    return rc;
}

static char *nic_info(struct Shim *shim, uint32_t domid, libxl_device_nic *nic)
{
    libxl_nicinfo info;
    libxl_nicinfo_init(&info);
    int rc = libxl_device_nic_getinfo(shim->ctx, domid, nic, &info);
    char *json = rc ? NULL : libxl_nicinfo_to_json(shim->ctx, &info);
    libxl_nicinfo_dispose(&info);
    return json;
}

int shim_nics(struct Shim *shim, uint32_t domid, char **out)
{
    int count = 0;
    libxl_device_nic *all = libxl_device_nic_list(shim->ctx, domid, &count);
    int rc = LIST(out, count, nic_info(shim, domid, &all[i]));
    libxl_device_nic_list_free(all, count);
    return rc;
}

/* ---- CPU pools ---- */

int shim_pools(struct Shim *shim, char **out)
{
    NO_FORK;
    int count = 0;
    libxl_cpupoolinfo *all = libxl_list_cpupool(shim->ctx, &count);
    if (!all)
        return ERROR_FAIL;
    int rc = LIST(out, count, libxl_cpupoolinfo_to_json(shim->ctx, &all[i]));
    libxl_cpupoolinfo_list_free(all, count);
    return rc;
}

static int pool_id(struct Shim *shim, const char *name, uint32_t *id)
{
    return libxl_name_to_cpupoolid(shim->ctx, name, id) ? ERROR_NOTFOUND : 0;
}

int shim_pool_create(struct Shim *shim, const char *name, const char *scheduler,
                     const uint32_t *cpus, int count)
{
    NO_FORK;
    libxl_bitmap map;
    libxl_uuid uuid;
    libxl_scheduler kind;
    uint32_t id = LIBXL_CPUPOOL_POOLID_ANY;
    int max_cpus = libxl_get_max_cpus(shim->ctx);
    if (max_cpus < 0)
        return max_cpus;
    if (libxl_scheduler_from_string(scheduler, &kind))
        return ERROR_INVAL;
    libxl_uuid_generate(&uuid);
    int rc = make_bitmap(shim, &map, cpus, count, max_cpus);
    if (rc == 0)
        rc = libxl_cpupool_create(shim->ctx, name, kind, map, &uuid, &id);
    libxl_bitmap_dispose(&map);
    return rc;
}

int shim_pool_destroy(struct Shim *shim, const char *name)
{
    NO_FORK;
    uint32_t id;
    int rc = pool_id(shim, name, &id);
    return rc ? rc : libxl_cpupool_destroy(shim->ctx, id);
}

int shim_pool_add_cpu(struct Shim *shim, const char *name, int cpu)
{
    NO_FORK;
    uint32_t id;
    int rc = pool_id(shim, name, &id);
    return rc ? rc : libxl_cpupool_cpuadd(shim->ctx, id, cpu);
}

int shim_pool_remove_cpu(struct Shim *shim, const char *name, int cpu)
{
    NO_FORK;
    uint32_t id;
    int rc = pool_id(shim, name, &id);
    return rc ? rc : libxl_cpupool_cpuremove(shim->ctx, id, cpu);
}

int shim_pool_move(struct Shim *shim, const char *name, uint32_t domid)
{
    NO_FORK;
    uint32_t id;
    int rc = pool_id(shim, name, &id);
    return rc ? rc : libxl_cpupool_movedomain(shim->ctx, id, domid);
}
