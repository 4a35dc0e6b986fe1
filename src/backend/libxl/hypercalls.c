/*
 * Hypercalls without libxl, for the guard of a fleet's domains.
 *
 * They lack NO_FORK: in the guard's process libxl is never opened, and nothing forks.
 */
#include "context.h"
#include <errno.h>
#include <string.h>

/* A handle of libxenctrl, under a name that shim.h can have without its header. */
static xc_interface *xc_of(struct Hypercalls *hypercalls)
{
    return (xc_interface *)hypercalls;
}

/* The result of a call of libxenctrl, which has set errno if it failed. */
static int checked(int result)
{
    return result < 0 ? (errno > 0 ? -errno : -EIO) : result;
}

int shim_hypercalls_open(struct Hypercalls **out)
{
    xc_interface *xc = xc_interface_open(&shim_logger, &shim_logger, 0);
    if (!xc)
        return checked(-1);
    *out = (struct Hypercalls *)xc;
    return 0;
}

void shim_hypercalls_close(struct Hypercalls *hypercalls)
{
    xc_interface_close(xc_of(hypercalls));
}

int shim_watchdog(struct Hypercalls *hypercalls, uint32_t timer, uint32_t seconds)
{
    return checked(xc_watchdog(xc_of(hypercalls), timer, seconds));
}

int shim_next_domain(struct Hypercalls *hypercalls, uint32_t *domid, uint8_t *uuid)
{
    xc_domaininfo_t info;
    int count = checked(xc_domain_getinfolist(xc_of(hypercalls), *domid, 1, &info));
    if (count <= 0)
        return count;
    _Static_assert(sizeof info.handle == 16, "a UUID");
    *domid = info.domain;
    memcpy(uuid, info.handle, sizeof info.handle);
    return 1;
}

int shim_halt_domain(struct Hypercalls *hypercalls, uint32_t domid)
{
    return checked(xc_domain_pause(xc_of(hypercalls), domid));
}

int shim_end_domain(struct Hypercalls *hypercalls, uint32_t domid)
{
    return checked(xc_domain_destroy(xc_of(hypercalls), domid));
}
