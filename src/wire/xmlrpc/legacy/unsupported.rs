//! Functions that today's Xen cannot carry out, or offers to xl alone.

use super::function::{Function, Plan, Refusal, domain};
use crate::core::error::Error;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;

const CONFIGURE: &str = "A domain's configuration is changed by xend.domain.new";
const IO_PORTS: &str = "I/O ports cannot be passed through to a running domain, \
                        set them in its configuration";
const SHADOW: &str = "Today's Xen manages shadow memory by itself, \
                      set shadow_memory in the configuration";
const TMEM: &str = "Today's Xen has no transcendent memory";
const USB: &str = "USB devices cannot be passed through to a running domain, \
                   set usbdevice in its image";

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "xend.domain.configure",
        params: &["config"],
        required: 1,
        plan: |_, _| Ok(Plan::unsupported(CONFIGURE)),
    },
    Function {
        name: "xend.domain.ioport_range_enable",
        params: &["dom", "first", "last"],
        required: 3,
        plan: |args, _| unsupported(args, IO_PORTS),
    },
    Function {
        name: "xend.domain.ioport_range_disable",
        params: &["dom", "first", "last"],
        required: 3,
        plan: |args, _| unsupported(args, IO_PORTS),
    },
    Function {
        name: "xend.node.tmem_list",
        params: &["domid", "use_long"],
        required: 0,
        plan: |_, _| Ok(Plan::fixed(Value::text(""))),
    },
    Function {
        name: "xend.node.tmem_query_freeable_mb",
        params: &[],
        required: 0,
        plan: |_, _| Ok(Plan::fixed(Value::Int(0))),
    },
    Function {
        name: "xend.node.tmem_destroy",
        params: &["domid"],
        required: 0,
        plan: |_, _| Ok(Plan::unsupported(TMEM)),
    },
    Function {
        name: "xend.node.tmem_freeze",
        params: &["domid"],
        required: 0,
        plan: |_, _| Ok(Plan::unsupported(TMEM)),
    },
    Function {
        name: "xend.node.tmem_thaw",
        params: &["domid"],
        required: 0,
        plan: |_, _| Ok(Plan::unsupported(TMEM)),
    },
    Function {
        name: "xend.node.tmem_flush",
        params: &["domid", "pages"],
        required: 0,
        plan: |_, _| Ok(Plan::unsupported(TMEM)),
    },
    Function {
        name: "xend.node.tmem_set_weight",
        params: &["domid", "value"],
        required: 0,
        plan: |_, _| Ok(Plan::unsupported(TMEM)),
    },
    Function {
        name: "xend.node.tmem_set_cap",
        params: &["domid", "value"],
        required: 0,
        plan: |_, _| Ok(Plan::unsupported(TMEM)),
    },
    Function {
        name: "xend.node.tmem_set_compress",
        params: &["domid", "value"],
        required: 0,
        plan: |_, _| Ok(Plan::unsupported(TMEM)),
    },
    Function {
        name: "xend.node.tmem_shared_auth",
        params: &["domid", "uuid", "auth"],
        required: 0,
        plan: |_, _| Ok(Plan::unsupported(TMEM)),
    },
    Function {
        name: "xend.domain.shadow_control",
        params: &["dom", "op"],
        required: 1,
        plan: |args, _| unsupported(args, SHADOW),
    },
    Function {
        name: "xend.domain.shadow_mem_get",
        params: &["dom"],
        required: 1,
        plan: |args, _| unsupported(args, SHADOW),
    },
    Function {
        name: "xend.domain.shadow_mem_set",
        params: &["dom", "memory"],
        required: 1,
        plan: |args, _| unsupported(args, SHADOW),
    },
    Function {
        name: "xend.domain.usb_add",
        params: &["dom", "dev"],
        required: 1,
        plan: |args, _| unsupported(args, USB),
    },
    Function {
        name: "xend.domain.usb_del",
        params: &["dom", "dev"],
        required: 1,
        plan: |args, _| unsupported(args, USB),
    },
];

/// A fault for a domain that exists. An unknown domain is a fault of its own.
fn unsupported(args: &Args<'_>, reason: &'static str) -> Result<Plan, Refusal> {
    let domain = domain(args)?;
    Ok(Plan::read(move |view| async move {
        view.domain(&domain).await?;
        Err(Error::Unsupported(reason.to_owned()))
    }))
}
