//! `xm scsi-attach`, `scsi-detach`, `scsi-list`.

use super::device_list::column;
use crate::cli::command::Command;
use crate::cli::option::{JSON, LONG};
use crate::cli::words::Words;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{print, print_json, print_pretty};
use crate::wire::xmlrpc::Value;
use serde::Serialize;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use xend_sxp::Sxp;

pub(super) static COMMANDS: [Command; 3] = [
    Command::new(
        "scsi-attach",
        "<Domain> <PhysDevice> <VirtDevice|host> [BackDomain]",
        "Pass a SCSI device through to a domain, or its whole adapter.",
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
            let unit = unit(CLOSING, address, None);
            configure(context, words.argument(0), "0", vec![unit], None)
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

/// A device of the machine.
#[derive(Debug, PartialEq, Eq)]
struct Physical {
    address: String,
    /// The name of its file in `/dev`; empty if it has none, or if it is on another host.
    name: String,
}

/// Where Linux lists what the machine has.
const SYS: &str = "/sys";

fn attach(context: &Context, words: &Words) -> Result<(), Failure> {
    let backend = words.arguments().get(3).map(String::as_str);
    if words.argument(2) == "host" {
        return attach_adapter(context, words, backend);
    }
    let physical = physical(context, words.argument(1))?;
    let address = checked(words.argument(2))?;
    let unit = unit(INITIALISING, address, Some(&physical));
    configure(context, words.argument(0), "0", vec![unit], backend)
}

/// Passes through all units of an adapter, each with its own address.
fn attach_adapter(context: &Context, words: &Words, backend: Option<&str>) -> Result<(), Failure> {
    if !context.gateway.is_local() {
        let advice = "attach its units one by one, or use xm there";
        return Err(Failure::not_offered(format!(
            "The adapter of another host is not known here: {advice}"
        )));
    }
    let adapter = physical(context, words.argument(1))?;
    let units = adapter_units(host_of(&adapter.address), Path::new(SYS))?;
    let units = units.iter().map(|one| unit(INITIALISING, &one.address, Some(one)));
    configure(context, words.argument(0), "1", units.collect(), backend)
}

/// `(dev (state 1) (devid 0) (p-dev 1:0:0:0) (p-devname sdb) (v-dev 0:0:0:0))`
fn unit(state: &str, address: &str, physical: Option<&Physical>) -> Value {
    let mut unit =
        vec![Value::text("dev"), field("state", state), field("devid", host_of(address))];
    if let Some(Physical { address, name }) = physical {
        unit.extend([field("p-dev", address), field("p-devname", name)]);
    }
    unit.push(field("v-dev", address));
    Value::Array(unit)
}

fn field(key: &str, value: &str) -> Value {
    Value::Array(vec![Value::text(key), Value::text(value)])
}

fn configure(
    context: &Context,
    domain: &str,
    whole_adapter: &str,
    units: Vec<Value>,
    backend: Option<&str>,
) -> Result<(), Failure> {
    let mut config = vec![Value::text("vscsi"), field("feature-host", whole_adapter)];
    config.extend(units);
    config.extend(backend.map(|backend| field("backend", backend)));
    let arguments = [Value::text(domain), Value::Array(config)];
    context.gateway.call("xend.domain.device_configure", &arguments).map(drop)
}

/// A device of this machine, given by its address, its name or its path.
fn physical(context: &Context, text: &str) -> Result<Physical, Failure> {
    if context.gateway.is_local() {
        return find(text, Path::new(SYS));
    }
    // The other host knows the name.
    match checked(text) {
        Ok(address) => Ok(Physical { address: address.to_owned(), name: String::new() }),
        Err(_) => Err(missing(text)),
    }
}

fn missing(text: &str) -> Failure {
    Failure::new(format!("Cannot find device '{text}'"))
}

/// Finds a device of the machine whose `/sys` is `sys`.
fn find(text: &str, sys: &Path) -> Result<Physical, Failure> {
    if checked(text).is_ok() {
        let device = sys.join("bus/scsi/devices").join(text);
        if !device.exists() {
            return Err(missing(text));
        }
        return Ok(Physical { address: text.to_owned(), name: name_of(&device) });
    }
    let name = text.strip_prefix("/dev/").unwrap_or(text);
    let link = |class: &str| fs::read_link(sys.join("class").join(class).join(name).join("device"));
    let device = link("block").or_else(|_| link("scsi_generic")).map_err(|_| missing(text))?;
    let address = device.file_name().map(|name| name.to_string_lossy().into_owned());
    let address = address.filter(|address| checked(address).is_ok());
    Ok(Physical { address: address.ok_or_else(|| missing(text))?, name: name.to_owned() })
}

/// The name of a device's file: that of its disk, else that of its generic device.
fn name_of(device: &Path) -> String {
    let first = |folder: &str| fs::read_dir(device.join(folder)).ok()?.next()?.ok();
    let entry = first("block").or_else(|| first("scsi_generic"));
    entry.map(|entry| entry.file_name().to_string_lossy().into_owned()).unwrap_or_default()
}

/// The units of an adapter, in the order of their addresses.
fn adapter_units(adapter: &str, sys: &Path) -> Result<Vec<Physical>, Failure> {
    let folder = sys.join("bus/scsi/devices");
    let entries = fs::read_dir(&folder).map_err(|e| Failure::of_file("read", &folder, &e))?;
    let names = entries.filter_map(Result::ok).map(|entry| entry.file_name());
    let mut addresses: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|address| checked(address).is_ok() && host_of(address) == adapter)
        .collect();
    addresses.sort_by_key(|address| numbers(address));
    let unit = |address: String| Physical { name: name_of(&folder.join(&address)), address };
    Ok(addresses.into_iter().map(unit).collect())
}

fn numbers(address: &str) -> Vec<u32> {
    address.split(':').map(|part| part.parse().unwrap_or_default()).collect()
}

/// `xend.domain.getDeviceSxprs` of a class, as S-expressions.
pub(super) fn listed(context: &Context, domain: &str, class: &str) -> Result<Vec<Sxp>, Failure> {
    let arguments = [Value::text(domain), Value::text(class)];
    let answer = context.gateway.query("xend.domain.getDeviceSxprs", &arguments)?;
    Ok(answer.items().iter().map(Sxp::from).collect())
}

/// A property of `((devs (...)) (backend-id 0) ...)`.
pub(super) fn property<'a>(properties: &'a Sxp, key: &str) -> Option<&'a Sxp> {
    let all = properties.as_list()?;
    all.iter().find(|property| property.head() == Some(key))?.tail().first()
}

fn list(context: &Context, words: &Words) -> Result<(), Failure> {
    let hosts = listed(context, words.argument(0), "vscsi")?;
    let units: Vec<Unit> = hosts.iter().flat_map(units).collect();
    if words.has("json") {
        return print_json(&units);
    }
    if words.has("long") {
        return hosts.iter().try_for_each(print_pretty);
    }
    print(table(&units))
}

/// A SCSI device of a domain.
#[derive(Debug, Serialize)]
struct Unit {
    id: Option<i64>,
    backend_id: Option<i64>,
    state: Option<i64>,
    /// 1 if the whole adapter is passed through.
    feature_host: Option<i64>,
    /// Its address on the host.
    p_dev: String,
    /// The name of its file there; may be empty.
    p_devname: String,
    /// Its address in the guest.
    v_dev: String,
    /// The state of the guest's side.
    frontstate: Option<i64>,
}

/// The devices of an adapter, sorted by their addresses in the guest.
fn units(host: &Sxp) -> Vec<Unit> {
    let Some(properties) = host.tail().first() else { return Vec::new() };
    let number = |key: &str| property(properties, key)?.as_str()?.parse().ok();
    let devices = property(properties, "devs").and_then(Sxp::as_list).unwrap_or_default();
    let mut units: Vec<Unit> = devices
        .iter()
        .map(|device| {
            let of =
                |key: &str| device.value(key).and_then(Sxp::as_str).unwrap_or_default().to_owned();
            Unit {
                id: host.head().and_then(|id| id.parse().ok()),
                backend_id: number("backend-id"),
                state: number("state"),
                feature_host: number("feature-host"),
                p_dev: of("p-dev"),
                p_devname: of("p-devname"),
                v_dev: of("v-dev"),
                frontstate: of("frontstate").parse().ok(),
            }
        })
        .collect();
    units.sort_by_key(|unit| numbers(&unit.v_dev));
    units
}

fn table(units: &[Unit]) -> String {
    let mut out = String::new();
    if !units.is_empty() {
        let _ = writeln!(
            out,
            "{:<3} {:<3} {:<5} {:<4}  {:<10} {:<5} {:<10} {:<4}",
            "Idx", "BE", "state", "host", "phy-hctl", "phy", "vir-hctl", "devstate"
        );
    }
    for unit in units {
        let _ = writeln!(
            out,
            "{:<3} {:<3} {:<5} {:<4}  {:<10} {:<5} {:<10} {:<4}",
            column(unit.id),
            column(unit.backend_id),
            column(unit.state),
            column(unit.feature_host),
            unit.p_dev,
            unit.p_devname,
            unit.v_dev,
            unit.frontstate.map(|state| state.to_string()).unwrap_or_default()
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
        let units = units(&read_one(text, &Limits::DEFAULT).unwrap());
        let xm = "Idx BE  state host  phy-hctl   phy   vir-hctl   devstate\n\
            0   0   4     0     1:0:0:0    sdb   0:0:0:0    4   \n\
            0   0   4     0     1:0:0:1    sdc   0:0:0:1    4   \n";
        assert_eq!(table(&units), xm);
        assert_eq!(table(&[]), "");
    }

    #[test]
    fn devices_are_those_of_the_machine() {
        let dir = tempfile::tempdir().unwrap();
        let sys = dir.path();
        let folder = |path: String| fs::create_dir_all(sys.join(path)).unwrap();
        for (address, kind, name) in [
            ("1:0:10:0", "block", "sdc"),
            ("1:0:2:0", "block", "sdb"),
            ("1:0:3:0", "scsi_generic", "sg3"),
            ("2:0:0:0", "block", "sda"),
        ] {
            folder(format!("bus/scsi/devices/{address}/{kind}/{name}"));
            folder(format!("class/{kind}/{name}"));
            let link = sys.join(format!("class/{kind}/{name}/device"));
            std::os::unix::fs::symlink(format!("../../../{address}"), link).unwrap();
        }
        folder("bus/scsi/devices/host1".to_owned());
        let found = |text: &str| find(text, sys).map(|found| (found.address, found.name));
        for text in ["1:0:2:0", "sdb", "/dev/sdb"] {
            assert_eq!(found(text), Ok(("1:0:2:0".to_owned(), "sdb".to_owned())), "{text}");
        }
        assert_eq!(found("/dev/sg3").unwrap().0, "1:0:3:0");
        for missing in ["3:0:0:0", "sdz", "host1", "../host1"] {
            let failure = found(missing).unwrap_err().to_string();
            assert_eq!(failure, format!("Cannot find device '{missing}'"));
        }
        let units = adapter_units("1", sys).unwrap();
        let names: Vec<&str> = units.iter().map(|unit| unit.name.as_str()).collect();
        assert_eq!(names, ["sdb", "sg3", "sdc"]);
    }

    #[test]
    fn addresses_have_four_numbers() {
        assert!(checked("0:0:1:2").is_ok());
        for wrong in ["", "0:0:1", "0:0:1:x", "sda", "host"] {
            assert!(checked(wrong).is_err(), "{wrong}");
        }
    }
}
