//! `xm version`

use crate::cli::command::Command;
use crate::cli::words::Words;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{note, print_line};
use xend_sxp::Sxp;

pub(super) static COMMANDS: [Command; 1] = [Command::new(
    "version",
    "",
    "Print the versions of xm, and of xend and Xen if xend runs.",
    (0, 0),
    run,
)];

/// `xm 0.1.0`
pub(crate) fn of_xm() -> String {
    format!("xm {}", env!("CARGO_PKG_VERSION"))
}

fn run(context: &Context, _: &Words) -> Result<(), Failure> {
    print_line(of_xm())?;
    match context.gateway.host_and_server() {
        Ok((node, server)) => {
            print_line(format!("{}\n{}", server.replace('/', " "), of_xen(&node)))
        }
        Err(failure) => {
            note(format!("The versions of xend and Xen are unknown: {failure}"));
            Ok(())
        }
    }
}

/// `Xen 4.17.3`, of a host; a simulated one says so.
fn of_xen(node: &Sxp) -> String {
    let text = |key: &str| node.value(key).and_then(Sxp::as_str).unwrap_or_default();
    let simulated = if text("xend_hypervisor") == "sim" { ", simulated" } else { "" };
    format!("Xen {}.{}{}{simulated}", text("xen_major"), text("xen_minor"), text("xen_extra"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use xend_sxp::{Limits, read_one};

    #[test]
    fn xen_has_a_version() {
        let node = b"(node (xen_major 4) (xen_minor 17) (xen_extra .3) (xend_hypervisor xen))";
        assert_eq!(of_xen(&read_one(node, &Limits::DEFAULT).unwrap()), "Xen 4.17.3");
        let node = b"(node (xen_major 4) (xen_minor 17) (xen_extra .3) (xend_hypervisor sim))";
        assert_eq!(of_xen(&read_one(node, &Limits::DEFAULT).unwrap()), "Xen 4.17.3, simulated");
    }
}
