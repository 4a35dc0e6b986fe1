/*
 * The part of libxl that the gateway uses, behind plain C types.
 *
 * libxl's structures are laid out by its headers, which this file is compiled against, and by nobody else: whatever is
 * more than a number goes in and out as libxl's own JSON. Every function returns 0 or one of libxl's negative error
 * codes; a string that is handed out belongs to the caller, who gives it to xs_free.
 */
#define LIBXL_API_VERSION 0x041400
#include <libxl.h>
#include <libxl_event.h>
#include <libxl_utils.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenctrl.h>
#include <xentoollog.h>

/* What libxl says of a failure is worth more than its code: the last words on this thread. */
static __thread char words[1024];

static void vmessage(xentoollog_logger *logger, xentoollog_level level, int errnoval, const char *context,
                     const char *format, va_list al)
{
    (void)logger;
    (void)errnoval;
    (void)context;
    if (level < XTL_ERROR)
        return;
    /* The first is nearest to the cause. */
    if (words[0] == 0)
        vsnprintf(words, sizeof words, format, al);
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

static xentoollog_logger logger = { vmessage, progress, destroy_logger };

static const libxl_childproc_hooks childproc = {
    .chldowner = libxl_sigchld_owner_libxl_always_selective_reap,
};

struct xs {
    libxl_ctx *ctx;
    xc_interface *xc;
};

void xs_free(void *pointer)
{
    free(pointer);
}

/* What libxl said since xs_begin, on this thread. */
const char *xs_words(void)
{
    return words;
}

void xs_begin(void)
{
    words[0] = 0;
}

void xs_close(struct xs *xs)
{
    if (xs->xc)
        xc_interface_close(xs->xc);
    if (xs->ctx)
        libxl_ctx_free(xs->ctx);
    free(xs);
}

int xs_open(struct xs **out)
{
    struct xs *xs = calloc(1, sizeof *xs);
    int rc = xs ? libxl_ctx_alloc(&xs->ctx, LIBXL_VERSION, 0, &logger) : ERROR_NOMEM;
    if (rc == 0) {
        libxl_childproc_setmode(xs->ctx, &childproc, 0);
        xs->xc = xc_interface_open(&logger, &logger, 0);
        if (!xs->xc)
            rc = ERROR_FAIL;
    }
    if (rc && xs) {
        xs_close(xs);
        xs = NULL;
    }
    *out = xs;
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

int xs_version(struct xs *xs, char **out)
{
    const libxl_version_info *info = libxl_get_version_info(xs->ctx);
    return info ? given(out, libxl_version_info_to_json(xs->ctx, (libxl_version_info *)info)) : ERROR_FAIL;
}

int xs_physinfo(struct xs *xs, char **out)
{
    libxl_physinfo info;
    libxl_physinfo_init(&info);
    int rc = libxl_get_physinfo(xs->ctx, &info);
    if (rc == 0)
        rc = given(out, libxl_physinfo_to_json(xs->ctx, &info));
    libxl_physinfo_dispose(&info);
    return rc;
}

int xs_scheduler(struct xs *xs, char **out)
{
    int scheduler = libxl_get_scheduler(xs->ctx);
    if (scheduler < 0)
        return scheduler;
    return given(out, strdup(libxl_scheduler_to_string(scheduler)));
}

/* Xen's message buffer; empties it if `clear`. */
int xs_dmesg(struct xs *xs, int clear, char **out)
{
    libxl_xen_console_reader *reader = libxl_xen_console_read_start(xs->ctx, clear);
    size_t size = 0;
    FILE *file = open_memstream(out, &size);
    char *line;
    if (!reader || !file)
        return ERROR_FAIL;
    while (libxl_xen_console_read_line(xs->ctx, reader, &line) > 0)
        fputs(line, file);
    libxl_xen_console_read_finish(xs->ctx, reader);
    fclose(file);
    return 0;
}

/* ---- domains ---- */

int xs_domains(struct xs *xs, char **out)
{
    int count = 0;
    libxl_dominfo *all = libxl_list_domain(xs->ctx, &count);
    if (!all)
        return ERROR_FAIL;
    LIST(out, count, libxl_dominfo_to_json(xs->ctx, &all[i]));
    libxl_dominfo_list_free(all, count);
    return 0;
}

int xs_domain(struct xs *xs, uint32_t domid, char **out)
{
    libxl_dominfo info;
    libxl_dominfo_init(&info);
    int rc = libxl_domain_info(xs->ctx, &info, domid);
    if (rc == 0)
        rc = given(out, libxl_dominfo_to_json(xs->ctx, &info));
    libxl_dominfo_dispose(&info);
    return rc;
}

int xs_name(struct xs *xs, uint32_t domid, char **out)
{
    *out = libxl_domid_to_name(xs->ctx, domid);
    return *out ? 0 : ERROR_DOMAIN_NOTFOUND;
}

int xs_vcpus(struct xs *xs, uint32_t domid, char **out)
{
    int count = 0, cpus = 0;
    libxl_vcpuinfo *all = libxl_list_vcpu(xs->ctx, domid, &count, &cpus);
    if (!all)
        return ERROR_FAIL;
    LIST(out, count, libxl_vcpuinfo_to_json(xs->ctx, &all[i]));
    libxl_vcpuinfo_list_free(all, count);
    return 0;
}

/* The configuration as libxl keeps it, of a domain that some other toolstack built, too. */
int xs_config(struct xs *xs, uint32_t domid, char **out)
{
    libxl_domain_config config;
    libxl_domain_config_init(&config);
    int rc = libxl_retrieve_domain_configuration(xs->ctx, domid, &config, NULL);
    if (rc == 0)
        rc = given(out, libxl_domain_config_to_json(xs->ctx, &config));
    libxl_domain_config_dispose(&config);
    return rc;
}

/* Text of ours that libxl keeps with a domain and forgets with it. */
int xs_note(struct xs *xs, uint32_t domid, const char *text)
{
    return libxl_userdata_store(xs->ctx, domid, "xend", (const uint8_t *)text, strlen(text));
}

int xs_noted(struct xs *xs, uint32_t domid, char **out)
{
    uint8_t *data = NULL;
    int length = 0;
    int rc = libxl_userdata_retrieve(xs->ctx, domid, "xend", &data, &length);
    if (rc == 0) {
        *out = data ? strndup((char *)data, length) : strdup("");
        if (!*out)
            rc = ERROR_NOMEM;
    }
    free(data);
    return rc;
}

/* Builds a domain and leaves it paused. From `fd`, a stream of xs_save's, unless that is -1. */
int xs_create(struct xs *xs, const char *json, int fd, uint32_t *domid)
{
    libxl_domain_config config;
    libxl_domain_config_init(&config);
    *domid = -1;
    int rc = libxl_domain_config_from_json(xs->ctx, &config, json);
    if (rc == 0 && fd < 0) {
        rc = libxl_domain_create_new(xs->ctx, &config, domid, NULL, NULL);
    } else if (rc == 0) {
        libxl_domain_restore_params params;
        libxl_domain_restore_params_init(&params);
        /* The default is a stream of xend's own time. */
        params.stream_version = 2;
        rc = libxl_domain_create_restore(xs->ctx, &config, domid, fd, -1, &params, NULL, NULL);
        libxl_domain_restore_params_dispose(&params);
    }
    libxl_domain_config_dispose(&config);
    return rc;
}

int xs_save(struct xs *xs, uint32_t domid, int fd, int live)
{
    return libxl_domain_suspend(xs->ctx, domid, fd, live ? LIBXL_SUSPEND_LIVE : 0, NULL);
}

int xs_unsuspend(struct xs *xs, uint32_t domid)
{
    return libxl_domain_resume(xs->ctx, domid, 1, NULL);
}

int xs_pause(struct xs *xs, uint32_t domid)
{
    return libxl_domain_pause(xs->ctx, domid, NULL);
}

int xs_unpause(struct xs *xs, uint32_t domid)
{
    return libxl_domain_unpause(xs->ctx, domid, NULL);
}

int xs_destroy(struct xs *xs, uint32_t domid)
{
    return libxl_domain_destroy(xs->ctx, domid, NULL);
}

int xs_shutdown(struct xs *xs, uint32_t domid)
{
    return libxl_domain_shutdown(xs->ctx, domid, NULL);
}

int xs_reboot(struct xs *xs, uint32_t domid)
{
    return libxl_domain_reboot(xs->ctx, domid, NULL);
}

int xs_crash(struct xs *xs, uint32_t domid)
{
    return xc_domain_shutdown(xs->xc, domid, SHUTDOWN_crash) ? ERROR_FAIL : 0;
}

int xs_rename(struct xs *xs, uint32_t domid, const char *from, const char *to)
{
    return libxl_domain_rename(xs->ctx, domid, from, to);
}

/* Gives a stopped domain another UUID and a name with `suffix` behind it. */
int xs_preserve(struct xs *xs, uint32_t domid, const char *name, const char *suffix, const uint8_t uuid[16])
{
    libxl_domain_config config;
    libxl_uuid fresh;
    libxl_domain_config_init(&config);
    memcpy(libxl_uuid_bytearray(&fresh), uuid, 16);
    int rc = libxl_retrieve_domain_configuration(xs->ctx, domid, &config, NULL);
    if (rc == 0) {
        free(config.c_info.name);
        config.c_info.name = strdup(name);
        rc = libxl_domain_preserve(xs->ctx, domid, &config.c_info, suffix, fresh);
    }
    libxl_domain_config_dispose(&config);
    return rc;
}

int xs_dump(struct xs *xs, uint32_t domid, const char *file)
{
    return libxl_domain_core_dump(xs->ctx, domid, file, NULL);
}

int xs_sysrq(struct xs *xs, uint32_t domid, char key)
{
    return libxl_send_sysrq(xs->ctx, domid, key);
}

int xs_trigger(struct xs *xs, uint32_t domid, const char *name, uint32_t vcpu)
{
    libxl_trigger trigger;
    int rc = libxl_trigger_from_string(name, &trigger);
    return rc ? rc : libxl_send_trigger(xs->ctx, domid, trigger, vcpu, NULL);
}

/* ---- memory, CPUs, scheduler ---- */

int xs_set_memory(struct xs *xs, uint32_t domid, uint64_t kib)
{
    return libxl_set_memory_target(xs->ctx, domid, kib, 0, 1);
}

int xs_set_max_memory(struct xs *xs, uint32_t domid, uint64_t kib)
{
    return libxl_domain_setmaxmem(xs->ctx, domid, kib);
}

static int bitmap(struct xs *xs, libxl_bitmap *map, const uint32_t *bits, int count, int size)
{
    libxl_bitmap_init(map);
    int rc = libxl_bitmap_alloc(xs->ctx, map, size);
    for (int i = 0; rc == 0 && i < count; i++)
        if ((int)bits[i] < size)
            libxl_bitmap_set(map, bits[i]);
    return rc;
}

int xs_set_vcpus(struct xs *xs, uint32_t domid, const uint32_t *online, int count)
{
    libxl_bitmap map;
    int rc = bitmap(xs, &map, online, count, 128);
    if (rc == 0)
        rc = libxl_set_vcpuonline(xs->ctx, domid, &map, NULL);
    libxl_bitmap_dispose(&map);
    return rc;
}

/* Where a VCPU may be; anywhere if count is 0. */
int xs_pin(struct xs *xs, uint32_t domid, uint32_t vcpu, const uint32_t *cpus, int count)
{
    libxl_bitmap map;
    int most = libxl_get_max_cpus(xs->ctx);
    int rc = most < 0 ? most : bitmap(xs, &map, cpus, count, most);
    if (rc == 0 && count == 0)
        libxl_bitmap_set_any(&map);
    if (rc == 0)
        rc = libxl_set_vcpuaffinity(xs->ctx, domid, vcpu, &map, NULL);
    if (most >= 0)
        libxl_bitmap_dispose(&map);
    return rc;
}

int xs_sched(struct xs *xs, uint32_t domid, char **out)
{
    libxl_domain_sched_params params;
    libxl_domain_sched_params_init(&params);
    int rc = libxl_domain_sched_params_get(xs->ctx, domid, &params);
    if (rc == 0)
        rc = given(out, libxl_domain_sched_params_to_json(xs->ctx, &params));
    libxl_domain_sched_params_dispose(&params);
    return rc;
}

int xs_set_sched(struct xs *xs, uint32_t domid, const char *json)
{
    libxl_domain_sched_params params;
    libxl_domain_sched_params_init(&params);
    int rc = libxl_domain_sched_params_from_json(xs->ctx, &params, json);
    if (rc == 0)
        rc = libxl_domain_sched_params_set(xs->ctx, domid, &params);
    libxl_domain_sched_params_dispose(&params);
    return rc;
}

/* ---- devices: `what` is one of the words below ---- */

enum { ADD, REMOVE, DESTROY };

#define DEVICE(type)                                                                                               \
    do {                                                                                                           \
        libxl_device_##type device;                                                                                \
        libxl_device_##type##_init(&device);                                                                       \
        int rc = libxl_device_##type##_from_json(xs->ctx, &device, json);                                          \
        if (rc == 0)                                                                                               \
            rc = what == ADD      ? libxl_device_##type##_add(xs->ctx, domid, &device, NULL)                       \
                 : what == REMOVE ? libxl_device_##type##_remove(xs->ctx, domid, &device, NULL)                    \
                                  : libxl_device_##type##_destroy(xs->ctx, domid, &device, NULL);                  \
        libxl_device_##type##_dispose(&device);                                                                    \
        return rc;                                                                                                 \
    } while (0)

/* Only libxl knows which backend serves a disk that is plugged in: it is looked up by its name in the guest. */
int xs_disk(struct xs *xs, uint32_t domid, int what, const char *json)
{
    libxl_device_disk disk, there;
    if (what == ADD)
        DEVICE(disk);
    libxl_device_disk_init(&disk);
    libxl_device_disk_init(&there);
    int rc = libxl_device_disk_from_json(xs->ctx, &disk, json);
    if (rc == 0)
        rc = libxl_vdev_to_device_disk(xs->ctx, domid, disk.vdev, &there);
    if (rc == 0)
        rc = what == REMOVE ? libxl_device_disk_remove(xs->ctx, domid, &there, NULL)
                            : libxl_device_disk_destroy(xs->ctx, domid, &there, NULL);
    libxl_device_disk_dispose(&disk);
    libxl_device_disk_dispose(&there);
    return rc;
}

int xs_nic(struct xs *xs, uint32_t domid, int what, const char *json)
{
    DEVICE(nic);
}

int xs_vfb(struct xs *xs, uint32_t domid, int what, const char *json)
{
    DEVICE(vfb);
}

int xs_vkb(struct xs *xs, uint32_t domid, int what, const char *json)
{
    DEVICE(vkb);
}

int xs_pci(struct xs *xs, uint32_t domid, int what, const char *json)
{
    DEVICE(pci);
}

int xs_medium(struct xs *xs, uint32_t domid, const char *json)
{
    libxl_device_disk disk;
    libxl_device_disk_init(&disk);
    int rc = libxl_device_disk_from_json(xs->ctx, &disk, json);
    if (rc == 0)
        rc = libxl_cdrom_insert(xs->ctx, domid, &disk, NULL);
    libxl_device_disk_dispose(&disk);
    return rc;
}

static char *disk_info(struct xs *xs, uint32_t domid, libxl_device_disk *disk)
{
    libxl_diskinfo info;
    libxl_diskinfo_init(&info);
    int rc = libxl_device_disk_getinfo(xs->ctx, domid, disk, &info);
    char *json = rc ? NULL : libxl_diskinfo_to_json(xs->ctx, &info);
    libxl_diskinfo_dispose(&info);
    return json;
}

int xs_disks(struct xs *xs, uint32_t domid, char **out)
{
    int count = 0;
    libxl_device_disk *all = libxl_device_disk_list(xs->ctx, domid, &count);
    LIST(out, count, disk_info(xs, domid, &all[i]));
    libxl_device_disk_list_free(all, count);
    return 0;
}

static char *nic_info(struct xs *xs, uint32_t domid, libxl_device_nic *nic)
{
    libxl_nicinfo info;
    libxl_nicinfo_init(&info);
    int rc = libxl_device_nic_getinfo(xs->ctx, domid, nic, &info);
    char *json = rc ? NULL : libxl_nicinfo_to_json(xs->ctx, &info);
    libxl_nicinfo_dispose(&info);
    return json;
}

int xs_nics(struct xs *xs, uint32_t domid, char **out)
{
    int count = 0;
    libxl_device_nic *all = libxl_device_nic_list(xs->ctx, domid, &count);
    LIST(out, count, nic_info(xs, domid, &all[i]));
    libxl_device_nic_list_free(all, count);
    return 0;
}

/* ---- events ---- */

/* Has the death and the shutdown of a domain told. For as long as the domain lives. */
int xs_watch(struct xs *xs, uint32_t domid)
{
    libxl_evgen_domain_death *watch;
    return libxl_evenable_domain_death(xs->ctx, domid, 0, &watch);
}

/* Waits for the next event, whatever it is, and says which domain it is about. */
int xs_event(struct xs *xs, uint32_t *domid)
{
    libxl_event *event = NULL;
    int rc = libxl_event_wait(xs->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL);
    if (rc == 0) {
        *domid = event->domid;
        libxl_event_free(xs->ctx, event);
    }
    return rc;
}
