//! `xm scsi-attach`, `scsi-detach`, `scsi-list`.

use crate::cli::command::Command;
use crate::cli::option::{JSON, LONG};
use crate::cli::words::Words;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{print, print_json, print_pretty};
use crate::wire::xmlrpc::Value;
use std::fmt::Write as _;
use std::fs;
use xend_sxp::Sxp;

pub(super) static COMMANDS: [Command; 3] = [
    Command::new(
        "scsi-attach",
        "<Domain> <PhysDevice> <VirtDevice> [BackDomain]",
        "Pass a SCSI device through to a domain.",
        (3, 4),
        attach,
    ),
    Command::new(
        "scsi-detach",
        "<Domain> <VirtDevice>",
        "Take a SCSI device from a domain.",
        (2, 2),
        |context, words| {
            let address = checked(words.argument(1))?;
            let device = [("state", CLOSING), ("devid", host_of(address)), ("v-dev", address)];
            configure(context, words.argument(0), &device, None).map(drop)
        },
    ),
    Command::new(
        "scsi-list",
        "<Domain> [--long]",
        "List the SCSI devices of a domain.",
        (1, 1),
        list,
    )
    .with(&[LONG, JSON]),
];

/// States of a device.
const INITIALISING: &str = "1";
const CLOSING: &str = "5";

/// A SCSI address `HOST:CHANNEL:TARGET:LUN`.
fn checked(address: &str) -> Result<&str, Failure> {
    let parts: Vec<&str> = address.split(':').collect();
    if parts.len() == 4 && parts.iter().all(|part| part.parse::<u32>().is_ok()) {
        return Ok(address);
    }
    Err(Failure::new(format!("Invalid argument: {address} (HOST:CHANNEL:TARGET:LUN is expected)")))
}

fn host_of(address: &str) -> &str {
    address.split(':').next().unwrap_or_default()
}

fn attach(context: &Context, words: &Words) -> Result<(), Failure> {
    let (physical, name) = physical(context, words.argument(1))?;
    let address = checked(words.argument(2))?;
    let device = [
        ("state", INITIALISING),
        ("devid", host_of(address)),
        ("p-dev", &physical),
        ("p-devname", &name),
        ("v-dev", address),
    ];
    let backend = words.arguments().get(3).map(String::as_str);
    configure(context, words.argument(0), &device, backend)
}

fn configure(
    context: &Context,
    domain: &str,
    device: &[(&str, &str)],
    backend: Option<&str>,
) -> Result<(), Failure> {
    let field = |key: &str, value: &str| Value::Array(vec![Value::text(key), Value::text(value)]);
    let fields = device.iter().map(|(key, value)| field(key, value));
    let device = std::iter::once(Value::text("dev")).chain(fields).collect();
    let mut config = vec![Value::text("vscsi"), field("feature-host", "0"), Value::Array(device)];
    config.extend(backend.map(|backend| field("backend", backend)));
    let arguments = [Value::text(domain), Value::Array(config)];
    context.gateway.call("xend.domain.device_configure", &arguments).map(drop)
}

/// The address and the name of a device of this machine, given by either or by its path.
fn physical(context: &Context, text: &str) -> Result<(String, String), Failure> {
    let missing = || Failure::new(format!("Cannot find device '{text}'"));
    let is_address = checked(text).is_ok();
    if !context.gateway.is_local() {
        // The other host knows the name.
        return if is_address { Ok((text.to_owned(), String::new())) } else { Err(missing()) };
    }
    let name = text.strip_prefix("/dev/").unwrap_or(text);
    if is_address {
        let folder = format!("/sys/bus/scsi/devices/{text}/block");
        let mut names = fs::read_dir(folder).map_err(|_| missing())?;
        let name = names.next().and_then(Result::ok).ok_or_else(missing)?.file_name();
        return Ok((text.to_owned(), name.to_string_lossy().into_owned()));
    }
    let link = fs::read_link(format!("/sys/class/block/{name}/device")).map_err(|_| missing())?;
    let address = link.file_name().map(|name| name.to_string_lossy().into_owned());
    let address = address.filter(|address| checked(address).is_ok()).ok_or_else(missing)?;
    Ok((address, name.to_owned()))
}

/// `xend.domain.getDeviceSxprs` of a class, as S-expressions.
pub(super) fn listed(context: &Context, domain: &str, class: &str) -> Result<Vec<Sxp>, Failure> {
    let arguments = [Value::text(domain), Value::text(class)];
    let answer = context.gateway.call("xend.domain.getDeviceSxprs", &arguments)?;
    Ok(answer.items().iter().map(Sxp::from).collect())
}

/// A property of `((devs (...)) (backend-id 0) ...)`.
pub(super) fn property<'a>(properties: &'a Sxp, key: &str) -> Option<&'a Sxp> {
    let all = properties.as_list()?;
    all.iter().find(|property| property.head() == Some(key))?.tail().first()
}

fn list(context: &Context, words: &Words) -> Result<(), Failure> {
    let hosts = listed(context, words.argument(0), "vscsi")?;
    if words.has("long") {
        return hosts.iter().try_for_each(print_pretty);
    }
    let rows: Vec<[String; 8]> = hosts.iter().flat_map(rows).collect();
    if words.has("json") {
        let named = rows.iter().map(|row| {
            let pairs =
                KEYS.iter().zip(row).map(|(key, text)| ((*key).to_owned(), text.as_str().into()));
            serde_json::Value::Object(pairs.collect())
        });
        return print_json(&named.collect::<Vec<_>>());
    }
    print(table(&rows))
}

const KEYS: [&str; 8] =
    ["id", "backend-id", "state", "feature-host", "p-dev", "p-devname", "v-dev", "frontstate"];

/// A row a device, sorted by its address in the guest.
fn rows(host: &Sxp) -> Vec<[String; 8]> {
    let Some(properties) = host.tail().first() else { return Vec::new() };
    let text = |key: &str, missing: &str| {
        let found = property(properties, key).and_then(Sxp::as_str);
        found.filter(|text| !text.is_empty()).unwrap_or(missing).to_owned()
    };
    let devices = property(properties, "devs").and_then(Sxp::as_list).unwrap_or_default();
    let mut rows: Vec<[String; 8]> = devices
        .iter()
        .map(|device| {
            let of =
                |key: &str| device.value(key).and_then(Sxp::as_str).unwrap_or_default().to_owned();
            [
                host.head().unwrap_or_default().to_owned(),
                text("backend-id", "-1"),
                text("state", "-1"),
                text("feature-host", "-1"),
                of("p-dev"),
                of("p-devname"),
                of("v-dev"),
                of("frontstate"),
            ]
        })
        .collect();
    rows.sort_by_key(|row| {
        row[6].split(':').map(|part| part.parse::<u32>().unwrap_or_default()).collect::<Vec<_>>()
    });
    rows
}

fn table(rows: &[[String; 8]]) -> String {
    let mut out = String::new();
    if !rows.is_empty() {
        let _ = writeln!(
            out,
            "{:<3} {:<3} {:<5} {:<4}  {:<10} {:<5} {:<10} {:<4}",
            "Idx", "BE", "state", "host", "phy-hctl", "phy", "vir-hctl", "devstate"
        );
    }
    for [id, backend, state, host, physical, name, address, front] in rows {
        let _ = writeln!(
            out,
            "{id:<3} {backend:<3} {state:<5} {host:<4}  {physical:<10} {name:<5} {address:<10} \
             {front:<4}"
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use xend_sxp::{Limits, read_one};

    #[test]
    fn rows_are_those_of_xm() {
        let text = b"(0 ((devs ((dev (state 1) (p-dev 1:0:0:1) (p-devname sdc) (v-dev 0:0:0:1) \
            (frontstate 4)) (dev (p-dev 1:0:0:0) (p-devname sdb) (v-dev 0:0:0:0) (frontstate 4)))) \
            (backend-id 0) (state 4) (feature-host 0)))";
        let rows = rows(&read_one(text, &Limits::DEFAULT).unwrap());
        let xm = "Idx BE  state host  phy-hctl   phy   vir-hctl   devstate\n\
            0   0   4     0     1:0:0:0    sdb   0:0:0:0    4   \n\
            0   0   4     0     1:0:0:1    sdc   0:0:0:1    4   \n";
        assert_eq!(table(&rows), xm);
        assert_eq!(table(&[]), "");
    }

    #[test]
    fn addresses_have_four_numbers() {
        assert!(checked("0:0:1:2").is_ok());
        for wrong in ["", "0:0:1", "0:0:1:x", "sda", "host"] {
            assert!(checked(wrong).is_err(), "{wrong}");
        }
    }
}
