//! Security labels and policies, on a host whose Xen has no security module with labels.

use super::config_file::find;
use crate::cli::command::Command;
use crate::cli::option::{ANY, JSON, long_flag};
use crate::cli::words::Words;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{print, print_json, print_line};
use crate::wire::xmlrpc::Value;
use std::fmt::Write as _;
use xend_sxp::Sxp;
use xend_xmconfig::Overrides;

/// What has a label.
const NOTHING: [&str; 0] = [];

const NO_MODULE: &str = "No security module with labels is loaded";

pub(super) static COMMANDS: [Command; 15] = [
    refused("setpolicy", "<policytype> <policyfile> [options]", "Load a policy of labels."),
    Command::new(
        "labels",
        "[policy] [type=dom|res|any]",
        "List the labels of the policy.",
        (0, 2),
        |_, words| if words.has("json") { print_json(&NOTHING) } else { Ok(()) },
    )
    .with(&[JSON]),
    refused(
        "addlabel",
        "<label> {dom <ConfigFile>|res <resource>|mgt <managed domain>} [<policy>]",
        "Label a domain or what it uses.",
    ),
    refused(
        "rmlabel",
        "{dom <ConfigFile>|res <Resource>|mgt <managed domain>}",
        "Take a label away.",
    ),
    Command::new(
        "getlabel",
        "{dom <ConfigFile>|res <Resource>|mgt <managed domain>}",
        "Show a label.",
        (2, 2),
        label,
    )
    .of_files(),
    Command::new(
        "dry-run",
        "<ConfigFile>",
        "Check whether a domain may use what it names.",
        (1, 1),
        dry_run,
    )
    .of_files(),
    Command::new("resources", "", "List what has a label.", (0, 0), |_, words| {
        if words.has("json") { print_json(&NOTHING) } else { Ok(()) }
    })
    .with(&[JSON]),
    refused("dumppolicy", "", "Print the policy that Xen has."),
    refused("resetpolicy", "", "Go back to the policy of the beginning."),
    Command::new("getpolicy", "[options]", "Show the policy.", (0, 0), |_, _| {
        print("Supported security subsystems   : None \n\nNo policy is installed.\n")
    })
    .with(&[long_flag("dumpxml", "Show its XML, too")]),
    refused("getenforce", "", "Show whether XSM's Flask enforces its policy."),
    refused(
        "setenforce",
        "[ (Enforcing|1) | (Permissive|0) ]",
        "Let XSM's Flask enforce its policy or not.",
    ),
    refused("cfgbootpolicy", "<policy> [boot-title]", "Load a policy with Xen.").unlisted(),
    refused("loadpolicy", "<policy.bin>", "Load a compiled policy into Xen.").unlisted(),
    refused("makepolicy", "<policy>", "Compile a policy.").unlisted(),
];

const fn refused(name: &'static str, arguments: &'static str, about: &'static str) -> Command {
    Command::new(name, arguments, about, (0, ANY), |_, _| Err(Failure::not_offered(NO_MODULE)))
}

fn label(context: &Context, words: &Words) -> Result<(), Failure> {
    let what = words.argument(1);
    match words.argument(0).to_ascii_lowercase().as_str() {
        "dom" => {
            let text = find(words.file(1), None)?.text;
            let text = String::from_utf8_lossy(&text);
            let line = text.lines().find_map(|line| {
                let (key, value) = line.split_once('=')?;
                let is_label = key.trim().eq_ignore_ascii_case("access_control");
                is_label.then(|| value.trim().trim_matches(['[', ']', '\'']).to_owned())
            });
            let line = line.ok_or_else(|| Failure::new("Domain not labeled"))?;
            print_line(format!("policytype=ACM,{line}"))
        }
        "mgt" => {
            let arguments = [Value::text(what)];
            let label = context.gateway.query("xend.security.get_domain_label", &arguments)?;
            print_line(label.to_text())
        }
        "res" => Err(Failure::new("Resource not labeled")),
        _ => Err(Failure::new("dom, mgt or res is expected first")),
    }
}

/// Without a security module, a domain without a label may use all that it names.
fn dry_run(_: &Context, words: &Words) -> Result<(), Failure> {
    let source = find(words.file(0), None)?;
    let config = source.convert(&Overrides::default())?.config;
    print_line(source.using())?;
    let name = config.value("name").and_then(Sxp::as_str).unwrap_or_default();
    let mut out = format!("Checking domain:\n   {name}: PERMITTED\nChecking resources:\n");
    let devices = config.tail().iter().filter(|item| item.head() == Some("device"));
    let disks = devices.filter_map(|device| device.tail().first());
    for disk in disks.filter(|device| device.head() == Some("vbd")) {
        let uname = disk.value("uname").and_then(Sxp::as_str).unwrap_or_default();
        let _ = writeln!(out, "   {uname}: PERMITTED");
    }
    print(out + "Dry Run: PASSED\n")
}
