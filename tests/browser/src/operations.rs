//! Every operation of a domain, performed with the form on its page.

use crate::browser::Browser;
use crate::configuration;
use crate::daemon::Daemon;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;

/// A password for a guest.
const PASSWORD: &str = "Tr0ub4dor";

/// An operation, its fields, and a part of the expected message.
type Step<'a> = (&'a str, Vec<(&'a str, String)>, &'a str);

/// Performs all operations that pages offer, one after the other.
pub async fn perform_all(browser: &Browser, daemon: &Daemon) -> Result<()> {
    let cdrom = "(device (vbd (uname file:/dev/null) (dev hdc:cdrom) (mode r)))";
    let config = configuration(daemon, "ops", 64, cdrom);
    daemon.done("/xend/domain", &[("op", "new"), ("config", &config)]).await?;
    let text = str::to_owned;
    let second = daemon.file("second.img");
    let saved = daemon.file("saved");
    let core = daemon.file("core");
    let disk = format!("(vbd (uname file:{second}) (dev xvdb) (mode w))");
    let medium = format!("(vbd (uname file:{second}) (dev hdc:cdrom) (mode r))");
    let steps: Vec<Step<'_>> = vec![
        ("start", vec![], "started"),
        ("wait_for_devices", vec![], "connected"),
        ("pause", vec![], "paused"),
        ("unpause", vec![], "running"),
        ("agent_version", vec![], "1.0.0"),
        ("agent_features", vec![], "resetnetwork"),
        (
            "set_password",
            vec![("password", text(PASSWORD)), ("user", text("ann"))],
            "The password has been set",
        ),
        (
            "inject_file",
            vec![("file", text("/etc/motd")), ("contents", text("Welcome"))],
            "The file has been written",
        ),
        (
            "reset_network",
            vec![("address", text("203.0.113.10/24")), ("hostname", text("ops"))],
            "has applied its network settings",
        ),
        ("vcpuinfo", vec![], "CPU affinity"),
        ("set_vcpus", vec![("vcpus", text("1"))], "Done"),
        ("pincpu", vec![("vcpu", text("0")), ("cpumap", text("0-1"))], "Done"),
        ("mem_target_set", vec![("target", text("48"))], "Done"),
        ("maxmem_set", vec![("memory", text("512"))], "Done"),
        ("domain_sched_credit_set", vec![("weight", text("512")), ("cap", text("50"))], "Done"),
        ("domain_sched_credit_get", vec![], "512"),
        ("devices", vec![("type", text("vif"))], "vif"),
        ("device_create", vec![("config", disk)], "attached"),
        ("device_configure", vec![("dev", text("hdc")), ("config", medium)], "Done"),
        ("device_destroy", vec![("type", text("vbd")), ("dev", text("xvdb"))], "Done"),
        ("sysrq", vec![("key", text("115"))], "Done"),
        ("send_trigger", vec![("trigger", text("nmi"))], "Done"),
        ("dump", vec![("file", core), ("live", text("1"))], "dumped"),
        ("rename", vec![("name", text("ops"))], "renamed"),
        ("reset", vec![], "reset"),
        ("suspend", vec![], "suspended"),
        ("resume", vec![], "resumed"),
        ("save", vec![("file", saved)], "saved"),
        ("start", vec![], "started"),
        ("shutdown", vec![("reason", text("poweroff"))], "asked to shut down"),
        ("start", vec![], "started"),
        ("destroy", vec![], "destroyed"),
        ("delete", vec![], "deleted"),
    ];
    // Operations that fail here: nothing listens on this port, the file and the user have no such
    // names.
    let refused: Vec<Step<'_>> = vec![
        ("migrate", vec![("destination", text("127.0.0.1")), ("port", text("1"))], "127.0.0.1:1"),
        ("migrate", vec![("destination", text("nosuch.invalid"))], "nosuch.invalid:8002"),
        (
            "inject_file",
            vec![("file", text("etc/motd")), ("contents", text("Welcome"))],
            "Invalid value for File",
        ),
        ("set_password", vec![("password", text(PASSWORD)), ("user", text("a b"))], "for User"),
    ];
    let mut offered = BTreeSet::new();
    for (op, fields, message) in &steps {
        if *op == "reset" {
            for (op, fields, message) in &refused {
                perform(browser, daemon, op, fields, message, false)
                    .await
                    .with_context(|| (*op).to_owned())?;
            }
        }
        offered.extend(
            perform(browser, daemon, op, fields, message, true)
                .await
                .with_context(|| (*op).to_owned())?,
        );
    }
    let done = steps.iter().chain(&refused).map(|(op, ..)| (*op).to_owned()).collect();
    ensure!(offered == done, "Offered operations were not tried: {offered:?}, {done:?}");
    Ok(())
}

/// Fills in a form and sends it. Returns the operations that the page offers.
async fn perform(
    browser: &Browser,
    daemon: &Daemon,
    op: &str,
    fields: &[(&str, String)],
    message: &str,
    succeeds: bool,
) -> Result<BTreeSet<String>> {
    browser.open(&daemon.url("/xend/domain/ops")).await?;
    let list = "return [...document.querySelectorAll('#operations [name=op]')].map(button => button.value)";
    let offered = browser.run(list).await?;
    let summary = format!("#operations details:has(button[value={op}]) summary");
    browser.click(&summary).await?;
    for (name, value) in fields {
        let field = format!("#operations details[open] [name={name}]");
        // A field is hidden if it can have one value only.
        if browser.has(&format!("{field}[type=hidden][value='{value}']")).await? {
            continue;
        }
        browser.fill(&field, value).await?;
    }
    if op == "dump" {
        browser.shot("form").await?;
    }
    let button = format!("#operations details[open] button[value={op}]");
    // A guest that boots meanwhile can take the form away and bring it back closed.
    if fields.is_empty() && !browser.has(&button).await? {
        browser.click(&summary).await?;
    }
    browser.click(&button).await?;
    let results = ["vcpuinfo", "devices", "agent_version", "agent_features", "save"];
    let has_result = results.contains(&op) || op.ends_with("_get");
    let answer = if succeeds && has_result {
        browser.until("document.querySelector('dialog[open]')").await?;
        let answer = browser.text("dialog").await?;
        if op == "vcpuinfo" {
            browser.shot("answer").await?;
        }
        browser.click("dialog > button").await?;
        answer
    } else {
        let notice = browser.text("#toasts .message").await?;
        ensure!(browser.has("#toasts .error").await? != succeeds, "{notice}");
        notice
    };
    ensure!(answer.contains(message), "'{message}' is not in: {answer}");
    if op == "set_password" {
        ensure!(!browser.text("body").await?.contains(PASSWORD), "the password is shown");
        let typed = "return document.querySelector('#operations [name=password]').value";
        let kept = browser.run(typed).await?;
        ensure!((kept == "") == succeeds, "the password is kept or lost: {kept}");
    }
    browser.no_errors().await?;
    let offered = offered.as_array().into_iter().flatten();
    Ok(offered.filter_map(|op| op.as_str().map(str::to_owned)).collect())
}
