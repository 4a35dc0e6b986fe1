//! `xm block-attach`, `block-detach`, `block-list`, `block-configure`, and `vtpm-list`, whose
//! columns are nearly the same.

use super::device_list::{Device, column, show, text_column};
use crate::cli::command::Command;
use crate::cli::option::{JSON, LONG, flag};
use crate::cli::words::Words;
use crate::context::Context;
use crate::failure::Failure;
use crate::wire::xmlrpc::Value;
use xend_sxp::Sxp;

pub(super) static COMMANDS: [Command; 5] = [
    Command::new(
        "block-attach",
        "<Domain> <BackDev> <FrontDev> <Mode> [BackDomain]",
        "Give a domain a disk.",
        (4, 5),
        |context, words| {
            let gateway = &context.gateway;
            gateway.configure(Some(words.argument(0)), "device_create", &disk(words), &[])?;
            Ok(())
        },
    )
    .also(&["vbd-create"]),
    Command::new(
        "block-detach",
        "<Domain> <DevId> [-f|--force]",
        "Take a disk from a domain.",
        (2, 2),
        detach,
    )
    .with(&[flag('f', "force", "Detach it even if the guest does not release it")])
    .also(&["vbd-destroy"]),
    Command::new(
        "block-list",
        "<Domain> [--long]",
        "List the disks of a domain.",
        (1, 1),
        |context, words| {
            let header = "Vdev  BE handle state evt-ch ring-ref BE-path";
            show(context, words, "vbd", header, disk_row)
        },
    )
    .with(&[LONG, JSON])
    .also(&["vbd-list"]),
    Command::new(
        "block-configure",
        "<Domain> <BackDev> <FrontDev> <Mode> [BackDomain]",
        "Change the medium of a drive.",
        (4, 5),
        |context, words| {
            let device = [("dev", words.argument(2))];
            let domain = Some(words.argument(0));
            context.gateway.configure(domain, "device_configure", &disk(words), &device).map(drop)
        },
    ),
    Command::new(
        "vtpm-list",
        "<Domain> [--long]",
        "List the TPMs of a domain.",
        (1, 1),
        |context, words| {
            let header = "Idx  BE handle state evt-ch ring-ref BE-path";
            show(context, words, "vtpm", header, tpm_row)
        },
    )
    .with(&[LONG, JSON]),
];

fn disk_row(device: &Device) -> String {
    format!(
        "{:<5}  {:<3}  {:<3}   {:<3}    {:<3}    {:<5} {:<30}  ",
        column(device.id),
        column(device.backend_id),
        device.handle,
        column(device.state),
        column(device.event_channel),
        column(device.ring_ref),
        text_column(device.backend.as_ref())
    )
}

fn tpm_row(device: &Device) -> String {
    format!(
        "{:<3}   {:<3}  {:<3}   {:<3}    {:<3}    {:<5} {:<30}  ",
        column(device.id),
        column(device.backend_id),
        device.handle,
        column(device.state),
        column(device.event_channel),
        column(device.ring_ref),
        text_column(device.backend.as_ref())
    )
}

/// `(vbd (uname phy:/dev/x) (dev xvda) (mode w))`
fn disk(words: &Words) -> Sxp {
    let uname = words.argument(1);
    let class = match uname.split_once(':') {
        Some(("tap2", _)) => "tap2",
        Some(("tap", _)) => "tap",
        _ => "vbd",
    };
    let field = |key: &str, at: usize| {
        let value = words.arguments().get(at)?;
        Some(Sxp::list([Sxp::atom(key), Sxp::atom(value)]))
    };
    let fields = [("uname", 1), ("dev", 2), ("mode", 3), ("backend", 4)];
    let fields = fields.into_iter().filter_map(|(key, at)| field(key, at));
    Sxp::list(std::iter::once(Sxp::atom(class)).chain(fields))
}

fn detach(context: &Context, words: &Words) -> Result<(), Failure> {
    let domain = words.argument(0);
    let device = words.argument(1);
    let arguments = [Value::text(domain), Value::text(device)];
    let class = context.gateway.query("xend.domain.getBlockDeviceClass", &arguments)?.to_text();
    let class = if class.is_empty() { "vbd" } else { class.as_str() };
    detach_device(context, domain, class, device, words.has("force"))
}

/// Detaches a device of any class.
pub(super) fn detach_device(
    context: &Context,
    domain: &str,
    class: &str,
    device: &str,
    force: bool,
) -> Result<(), Failure> {
    let mut parameters = vec![("type", class), ("dev", device)];
    if force {
        parameters.push(("force", "1"));
    }
    context.gateway.operate_on(domain, "device_destroy", &parameters).map(drop)
}

#[cfg(test)]
mod tests {
    use super::super::device_list::tests::device;
    use super::*;

    #[test]
    fn rows_are_those_of_xm() {
        let device = device(
            "(2049 ((virtual-device 2049) (backend-id 0) (state 4) \
             (backend /local/domain/0/backend/vbd/1/2049) (event-channel 13) (ring-ref 8)))",
        );
        assert_eq!(
            disk_row(&device),
            "2049   0    0     4      13     8     /local/domain/0/backend/vbd/1/2049  "
        );
        assert_eq!(
            tpm_row(&device),
            "2049   0    0     4      13     8     /local/domain/0/backend/vbd/1/2049  "
        );
    }

    #[test]
    fn a_disk_has_the_class_of_its_driver() {
        let disk = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            disk(&COMMANDS[0].read(&words).unwrap()).to_string()
        };
        assert_eq!(disk("a phy:/dev/x sdc1 w"), "(vbd (uname phy:/dev/x) (dev sdc1) (mode w))");
        assert_eq!(
            disk("a tap:aio:/srv/x.img xvda r storage"),
            "(tap (uname tap:aio:/srv/x.img) (dev xvda) (mode r) (backend storage))"
        );
    }
}
