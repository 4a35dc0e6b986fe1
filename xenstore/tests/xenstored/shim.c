/*
 * Lets Debian's xenstored 4.17 run without Xen: preloaded (LD_PRELOAD), it takes the place of the
 * functions of libxenctrl, libxenevtchn and libxengnttab that xenstored calls.
 *
 * Hypervisor and guests are files below xenstored's working directory:
 *
 *   DOMID/          a domain; a domain without a directory does not exist
 *   DOMID/ring      its page of XenStore, a struct xenstore_domain_interface
 *   DOMID/events    datagram socket of the guest: gets a byte for each event sent to it
 *   DOMID/shutdown  the domain has shut down
 *   0/port          domain 0's event channel, a number above 0 that nobody uses
 *   events          datagram socket of xenstored: gets the number of an event channel, 4 bytes
 *
 * Event channels have xenstored's number: domid + 1 for a domain, VIRQ_PORT for VIRQ_DOM_EXC, by
 * which the hypervisor tells that a domain has shut down or is gone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <xenctrl.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#define PAGE_BYTES 4096
#define VIRQ_PORT (DOMID_FIRST_RESERVED + 1)

/* What handles point to: they are opaque to xenstored. */
static char handle;
/* The socket on which events arrive. */
static int events = -1;

/* The address of a domain's file; addresses of sockets and paths of other files are made alike. */
static struct sockaddr_un domain_file(uint32_t domid, const char *name)
{
    struct sockaddr_un file = { .sun_family = AF_UNIX };

    snprintf(file.sun_path, sizeof(file.sun_path), "%u/%s", domid, name);
    return file;
}

static int domain_has(uint32_t domid, const char *name)
{
    return access(domain_file(domid, name).sun_path, F_OK) == 0;
}

/* The kernel has domain 0's page and event channel in files. */
int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list arguments;

    if (strcmp(path, "/proc/xen/xsd_kva") == 0)
        path = "0/ring";
    else if (strcmp(path, "/proc/xen/xsd_port") == 0)
        path = "0/port";
    if (flags & O_CREAT) {
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    return openat(AT_FDCWD, path, flags, mode);
}

/* libxenctrl: which domains there are. */

xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *dombuild_logger,
                                unsigned open_flags)
{
    return (xc_interface *)&handle;
}

int xc_interface_close(xc_interface *xch)
{
    return 0;
}

/* xenstored asks for one domain at a time, and takes any other than that for "no such domain". */
int xc_domain_getinfo(xc_interface *xch, uint32_t first_domid, unsigned int max_doms,
                      xc_dominfo_t *info)
{
    if (!domain_has(first_domid, ""))
        return 0;
    memset(info, 0, sizeof(*info));
    info->domid = first_domid;
    info->shutdown = domain_has(first_domid, "shutdown");
    return 1;
}

/* libxengnttab: the page that a guest has granted to xenstored. */

xengnttab_handle *xengnttab_open(xentoollog_logger *logger, unsigned open_flags)
{
    return (xengnttab_handle *)&handle;
}

int xengnttab_close(xengnttab_handle *xgt)
{
    return 0;
}

int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t nr_grants)
{
    return 0;
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot)
{
    void *page;
    int fd = open(domain_file(domid, "ring").sun_path, O_RDWR);

    if (fd < 0)
        return NULL;
    page = mmap(NULL, PAGE_BYTES, prot, MAP_SHARED, fd, 0);
    close(fd);
    return page == MAP_FAILED ? NULL : page;
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start_address, uint32_t count)
{
    return munmap(start_address, (size_t)count * PAGE_BYTES);
}

/* libxenevtchn: events are datagrams. */

xenevtchn_handle *xenevtchn_open(xentoollog_logger *logger, unsigned int flags)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "events" };

    events = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (events < 0 || bind(events, (struct sockaddr *)&address, sizeof(address)) < 0)
        return NULL;
    return (xenevtchn_handle *)&handle;
}

/* Called after a live update, which the tests do not ask for. */
xenevtchn_handle *xenevtchn_fdopen(xentoollog_logger *logger, int fd, unsigned open_flags)
{
    errno = ENOSYS;
    return NULL;
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
    return events;
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned int virq)
{
    return VIRQ_PORT;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid,
                                                     evtchn_port_t remote_port)
{
    return (int)domid + 1;
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
    return 0;
}

/* An event that finds the guest's socket full is one of several, and those wake the guest. */
int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
    struct sockaddr_un address = domain_file(port - 1, "events");

    sendto(events, "", 1, MSG_DONTWAIT, (struct sockaddr *)&address, sizeof(address));
    return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
    evtchn_port_t port;

    if (recv(events, &port, sizeof(port), MSG_DONTWAIT) != sizeof(port))
        return -1;
    return (int)port;
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
    return 0;
}
