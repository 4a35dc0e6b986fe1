/*
 * The shim: the part of libxl that the libxl backend uses, in plain C types.
 *
 * ffi/c.rs is bindgen's output for this file; tests/xen/headers compares the two.
 *
 * - A function that returns int returns 0, or one of libxl's negative error codes.
 * - `out` receives a string that the caller frees with shim_free. It is set on success only.
 * - JSON is libxl's own, of the structure that is named. The layout of a structure is known to the
 *   C compiler alone.
 * - Functions may be called from any thread, shim_wait_event from one thread only.
 * - All names have the prefix shim_: a program's symbols take precedence over those of its
 *   libraries, and libxenstore has symbols with common names.
 */
#ifndef XEND_SHIM_H
#define XEND_SHIM_H

#include <stdbool.h>
#include <stdint.h>

struct Shim;
struct Hypercalls;

/* libxl's ERROR_DOMAIN_NOTFOUND and ERROR_NOTFOUND. */
#define SHIM_ERROR_DOMAIN_NOTFOUND (-21)
#define SHIM_ERROR_NOTFOUND (-23)

/* ---- the handle ---- */

/* `limit` is how long the gateway waits for the hypervisor, in seconds. One handle can be open at a
   time: see NO_FORK in context.h. */
int shim_open(int limit, struct Shim **out);
void shim_close(struct Shim *shim);
void shim_free(char *string);

/* Where messages go that belong to no call. To be called before shim_open; `log` may be called by
   any thread, and keeps nothing of the message. Without it they are lost. */
void shim_set_log(void (*log)(const char *message));

/* libxl's first error message in this thread since shim_clear_error; empty if there is none. */
const char *shim_error(void);
void shim_clear_error(void);

/* ---- the host ---- */

/* libxl_version_info */
int shim_version(struct Shim *shim, char **out);
/* libxl_physinfo */
int shim_physinfo(struct Shim *shim, char **out);
/* The name of the scheduler of Pool-0. */
int shim_scheduler(struct Shim *shim, char **out);
/* Xen's message buffer, which `clear` empties. */
int shim_dmesg(struct Shim *shim, bool clear, char **out);
int shim_debug_keys(struct Shim *shim, const char *keys);

/* ---- domains ---- */

/* A list of libxl_dominfo. */
int shim_domains(struct Shim *shim, char **out);
/* libxl_dominfo */
int shim_domain(struct Shim *shim, uint32_t domid, char **out);
int shim_name(struct Shim *shim, uint32_t domid, char **out);
/* A list of libxl_vcpuinfo. */
int shim_vcpus(struct Shim *shim, uint32_t domid, char **out);
/* libxl_domain_config, which libxl keeps for the domains of any toolstack. */
int shim_config(struct Shim *shim, uint32_t domid, char **out);

/* xend's own text about a domain, which libxl keeps until the domain is destroyed. */
int shim_store_userdata(struct Shim *shim, uint32_t domid, const char *text);
/* An empty string if there is none. */
int shim_userdata(struct Shim *shim, uint32_t domid, char **out);

/* Builds a domain of a libxl_domain_config and leaves it paused. `fd` is a stream that shim_save
   wrote, to restore the domain from, or -1. */
int shim_create(struct Shim *shim, const char *json, int fd, uint32_t *domid);
/* Bytes that a TCP socket has received; -1 if `fd` is no TCP socket. */
int64_t shim_bytes_received(int fd);
int shim_save(struct Shim *shim, uint32_t domid, int fd, bool live);
/* Resumes a suspended domain. */
int shim_resume(struct Shim *shim, uint32_t domid);
int shim_pause(struct Shim *shim, uint32_t domid);
int shim_unpause(struct Shim *shim, uint32_t domid);
int shim_destroy(struct Shim *shim, uint32_t domid);
/* shim_shutdown and shim_reboot ask the guest and do not wait for it. An HVM guest without Xen's
   drivers cannot be asked: it is stopped, as xend did. */
int shim_shutdown(struct Shim *shim, uint32_t domid);
int shim_reboot(struct Shim *shim, uint32_t domid);
/* Stops the guest as crashed. */
int shim_crash(struct Shim *shim, uint32_t domid);
int shim_rename(struct Shim *shim, uint32_t domid, const char *from, const char *to);
/* Gives a stopped domain another UUID of 16 bytes, and the name `name` followed by `suffix`. */
int shim_preserve(struct Shim *shim, uint32_t domid, const char *name, const char *suffix,
                  const uint8_t *uuid);
int shim_dump(struct Shim *shim, uint32_t domid, const char *file);
int shim_sysrq(struct Shim *shim, uint32_t domid, char key);
int shim_trigger(struct Shim *shim, uint32_t domid, const char *name, uint32_t vcpu);

/* ---- memory, CPUs, scheduler ---- */

int shim_set_memory(struct Shim *shim, uint32_t domid, uint64_t kib);
int shim_set_max_memory(struct Shim *shim, uint32_t domid, uint64_t kib);
/* Sets the VCPUs that are online. */
int shim_set_vcpus(struct Shim *shim, uint32_t domid, const uint32_t *online, int count);
/* Sets the CPUs that a VCPU may run on: any CPU if `count` is 0. */
int shim_pin(struct Shim *shim, uint32_t domid, uint32_t vcpu, const uint32_t *cpus, int count);
/* libxl_domain_sched_params, in both directions. */
int shim_sched_params(struct Shim *shim, uint32_t domid, char **out);
int shim_set_sched_params(struct Shim *shim, uint32_t domid, const char *json);

/* ---- devices ---- */

/* What shim_plug_* does with the device. */
#define SHIM_ADD 0
/* Asks the guest to release the device. */
#define SHIM_REMOVE 1
/* Does not ask the guest. */
#define SHIM_DESTROY 2

/* `json` is a libxl_device_disk, libxl_device_nic, and so on. */
int shim_plug_disk(struct Shim *shim, uint32_t domid, int action, const char *json);
int shim_plug_nic(struct Shim *shim, uint32_t domid, int action, const char *json);
int shim_plug_vfb(struct Shim *shim, uint32_t domid, int action, const char *json);
int shim_plug_vkb(struct Shim *shim, uint32_t domid, int action, const char *json);
int shim_plug_pci(struct Shim *shim, uint32_t domid, int action, const char *json);
/* Changes the medium of a CD-ROM drive; `json` is a libxl_device_disk. */
int shim_insert_cdrom(struct Shim *shim, uint32_t domid, const char *json);
/* A list of libxl_diskinfo or libxl_nicinfo; null is a device that has just been removed. */
int shim_disks(struct Shim *shim, uint32_t domid, char **out);
int shim_nics(struct Shim *shim, uint32_t domid, char **out);

/* ---- CPU pools ---- */

/* A list of libxl_cpupoolinfo. */
int shim_pools(struct Shim *shim, char **out);
int shim_pool_create(struct Shim *shim, const char *name, const char *scheduler,
                     const uint32_t *cpus, int count);
int shim_pool_destroy(struct Shim *shim, const char *name);
int shim_pool_add_cpu(struct Shim *shim, const char *name, int cpu);
int shim_pool_remove_cpu(struct Shim *shim, const char *name, int cpu);
int shim_pool_move(struct Shim *shim, const char *name, uint32_t domid);

/* ---- events ---- */

/* Makes shim_wait_event report the shutdown and the end of a domain. */
int shim_watch_domain(struct Shim *shim, uint32_t domid);
/* Waits for the next event and sets the domid that it is about. One thread must always be in this
   function: it completes the operations of all other threads. */
int shim_wait_event(struct Shim *shim, uint32_t *domid);

/* ---- hypercalls ---- */

/* Calls of libxenctrl alone, for which libxl is not opened. Each of them waits for the hypervisor and for
   nothing else: not for XenStore, a device model or a script. A failure is -errno. */

int shim_hypercalls_open(struct Hypercalls **out);
void shim_hypercalls_close(struct Hypercalls *hypercalls);

/* Sets a timer of this domain's watchdog to so many seconds from now, and returns its number, 1 or
   more. `timer` 0 is any that is free. 0 seconds unset a timer: it is free then. */
int shim_watchdog(struct Hypercalls *hypercalls, uint32_t timer, uint32_t seconds);
/* Finds the first domain from `domid` on, with its UUID of 16 bytes, those that are being destroyed
   among them. Returns 1, or 0 if there is none. */
int shim_next_domain(struct Hypercalls *hypercalls, uint32_t *domid, uint8_t *uuid);
/* Stops a domain's virtual CPUs. */
int shim_halt_domain(struct Hypercalls *hypercalls, uint32_t domid);
/* Destroys a domain, and nothing of what the toolstack has of it. Returns when its own memory is
   freed. */
int shim_end_domain(struct Hypercalls *hypercalls, uint32_t domid);

#endif
