//! What there is none of: security labels, of which xend answered the same while no module was
//! loaded, and what today's Xen has no more, or has for xl alone.

use super::{Function, Refused, Work, domain, looked_up};
use crate::core::op::Query;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;

const TMEM: &str = "Today's Xen has no transcendent memory";
const SHADOW: &str =
    "Today's Xen sees to shadow memory by itself, set shadow_memory in the configuration";
const LABELS: &str = "No security module with labels is loaded";
const PORTS: &str =
    "I/O ports cannot be handed over while a domain runs, set them in its configuration";
const CONFIGURE: &str = "A domain's configuration is changed by xend.domain.new";
const USB: &str =
    "USB devices cannot be handed over while a domain runs, set usbdevice in its image";

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "xend.security.get_domain_label",
        takes: &["dom"],
        needs: 1,
        make: |args, _| looked_up(args, |_| Value::text("")),
    },
    Function {
        name: "xend.security.list_labels",
        takes: &["policy", "type"],
        needs: 0,
        make: |_, _| Ok(Work::said(Value::Array(vec![]))),
    },
    Function {
        name: "xend.security.get_xstype",
        takes: &[],
        needs: 0,
        make: |_, _| Ok(Work::said(Value::Int(0))),
    },
    Function {
        name: "xend.security.get_policy",
        takes: &[],
        needs: 0,
        make: |_, _| Ok(Work::said(Value::Array(vec![Value::text(""), Value::Int(0)]))),
    },
    Function {
        name: "xend.security.get_labeled_resources",
        takes: &[],
        needs: 0,
        make: |_, _| Ok(Work::said(Value::Struct(vec![]))),
    },
    Function {
        name: "xend.security.get_resource_label",
        takes: &["resource"],
        needs: 1,
        make: |_, _| Ok(Work::said(Value::text(""))),
    },
    Function {
        name: "xend.security.set_resource_label",
        takes: &["resource", "policytype", "policyref", "reslabel", "oreslabel"],
        needs: 4,
        make: |_, _| Ok(Work::unsupported(vec![], LABELS)),
    },
    Function {
        name: "xend.security.set_policy",
        takes: &["xs_type", "xml", "flags", "overwrite"],
        needs: 4,
        make: |_, _| Ok(Work::unsupported(vec![], LABELS)),
    },
    Function {
        name: "xend.security.reset_policy",
        takes: &[],
        needs: 0,
        make: |_, _| Ok(Work::unsupported(vec![], LABELS)),
    },
    Function {
        name: "xend.security.activate_policy",
        takes: &[],
        needs: 0,
        make: |_, _| Ok(Work::unsupported(vec![], LABELS)),
    },
    Function {
        name: "xend.security.rm_bootpolicy",
        takes: &[],
        needs: 0,
        make: |_, _| Ok(Work::unsupported(vec![], LABELS)),
    },
    Function {
        name: "xend.security.set_domain_label",
        takes: &[],
        needs: 0,
        make: |_, _| Ok(Work::unsupported(vec![], LABELS)),
    },
    Function {
        name: "xend.domain.configure",
        takes: &["config"],
        needs: 1,
        make: |_, _| Ok(Work::unsupported(vec![], CONFIGURE)),
    },
    Function {
        name: "xend.domain.ioport_range_enable",
        takes: &["dom", "first", "last"],
        needs: 3,
        make: |args, _| of_domain(args, PORTS),
    },
    Function {
        name: "xend.domain.ioport_range_disable",
        takes: &["dom", "first", "last"],
        needs: 3,
        make: |args, _| of_domain(args, PORTS),
    },
    Function {
        name: "xend.node.tmem_list",
        takes: &["domid", "use_long"],
        needs: 0,
        make: |_, _| Ok(Work::said(Value::text(""))),
    },
    Function {
        name: "xend.node.tmem_query_freeable_mb",
        takes: &[],
        needs: 0,
        make: |_, _| Ok(Work::said(Value::Int(0))),
    },
    Function {
        name: "xend.node.tmem_destroy",
        takes: &["domid"],
        needs: 0,
        make: |_, _| Ok(Work::unsupported(vec![], TMEM)),
    },
    Function {
        name: "xend.node.tmem_freeze",
        takes: &["domid"],
        needs: 0,
        make: |_, _| Ok(Work::unsupported(vec![], TMEM)),
    },
    Function {
        name: "xend.node.tmem_thaw",
        takes: &["domid"],
        needs: 0,
        make: |_, _| Ok(Work::unsupported(vec![], TMEM)),
    },
    Function {
        name: "xend.node.tmem_flush",
        takes: &["domid", "pages"],
        needs: 0,
        make: |_, _| Ok(Work::unsupported(vec![], TMEM)),
    },
    Function {
        name: "xend.node.tmem_set_weight",
        takes: &["domid", "value"],
        needs: 0,
        make: |_, _| Ok(Work::unsupported(vec![], TMEM)),
    },
    Function {
        name: "xend.node.tmem_set_cap",
        takes: &["domid", "value"],
        needs: 0,
        make: |_, _| Ok(Work::unsupported(vec![], TMEM)),
    },
    Function {
        name: "xend.node.tmem_set_compress",
        takes: &["domid", "value"],
        needs: 0,
        make: |_, _| Ok(Work::unsupported(vec![], TMEM)),
    },
    Function {
        name: "xend.node.tmem_shared_auth",
        takes: &["domid", "uuid", "auth"],
        needs: 0,
        make: |_, _| Ok(Work::unsupported(vec![], TMEM)),
    },
    Function {
        name: "xend.domain.shadow_control",
        takes: &["dom", "op"],
        needs: 1,
        make: |args, _| of_domain(args, SHADOW),
    },
    Function {
        name: "xend.domain.shadow_mem_get",
        takes: &["dom"],
        needs: 1,
        make: |args, _| of_domain(args, SHADOW),
    },
    Function {
        name: "xend.domain.shadow_mem_set",
        takes: &["dom", "memory"],
        needs: 1,
        make: |args, _| of_domain(args, SHADOW),
    },
    Function {
        name: "xend.domain.usb_add",
        takes: &["dom", "dev"],
        needs: 1,
        make: |args, _| of_domain(args, USB),
    },
    Function {
        name: "xend.domain.usb_del",
        takes: &["dom", "dev"],
        needs: 1,
        make: |args, _| of_domain(args, USB),
    },
];

/// None of something that a domain could have, if there is that domain.
fn of_domain(args: &Args<'_>, why: &'static str) -> Result<Work, Refused> {
    Ok(Work::unsupported(vec![Query::Domain(domain(args)?).into()], why))
}
