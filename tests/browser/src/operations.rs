//! Every operation of a domain, from the form on its page.

use crate::browser::Browser;
use crate::configuration;
use crate::daemon::Daemon;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;

/// An operation, what is filled in, and a word of what is said.
type Step<'a> = (&'a str, Vec<(&'a str, String)>, &'a str);

/// Carries them out one after the other; together they are all that pages offer.
pub async fn each(browser: &Browser, daemon: &Daemon) -> Result<()> {
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
        ("unpause", vec![], "runs"),
        ("vcpuinfo", vec![], "May use CPUs"),
        ("set_vcpus", vec![("vcpus", text("1"))], "Done"),
        ("pincpu", vec![("vcpu", text("0")), ("cpumap", text("0-1"))], "Done"),
        ("mem_target_set", vec![("target", text("48"))], "Done"),
        ("maxmem_set", vec![("memory", text("512"))], "Done"),
        ("domain_sched_credit_set", vec![("weight", text("512")), ("cap", text("50"))], "Done"),
        ("domain_sched_credit_get", vec![], "512"),
        ("cpu_sedf_set", vec![("period", text("20000000")), ("slice", text("5000000"))], "Done"),
        ("cpu_sedf_get", vec![], "5000000"),
        ("devices", vec![("type", text("vif"))], "vif"),
        ("device_create", vec![("config", disk)], "plugged in"),
        ("device_configure", vec![("dev", text("hdc")), ("config", medium)], "Done"),
        ("device_destroy", vec![("type", text("vbd")), ("dev", text("xvdb"))], "Done"),
        ("sysrq", vec![("key", text("115"))], "Done"),
        ("send_trigger", vec![("trigger", text("nmi"))], "Done"),
        ("dump", vec![("file", core), ("live", text("1"))], "written"),
        ("rename", vec![("name", text("ops"))], "another name"),
        ("reset", vec![], "built anew"),
        ("suspend", vec![], "suspended"),
        ("resume", vec![], "goes on"),
        ("save", vec![("file", saved)], "saved"),
        ("start", vec![], "started"),
        ("shutdown", vec![("reason", text("poweroff"))], "asked to stop"),
        ("start", vec![], "started"),
        ("destroy", vec![], "destroyed"),
        ("delete", vec![], "deleted"),
    ];
    // What cannot succeed here: nobody takes domains in at this port, and the scheduler is another
    // one.
    let refused: Vec<Step<'_>> = vec![
        ("migrate", vec![("destination", text("127.0.0.1")), ("port", text("1"))], "127.0.0.1:1"),
        ("migrate", vec![("destination", text("nosuch.invalid"))], "nosuch.invalid:8002"),
        ("cancel", vec![], "Nothing is under way"),
        ("domain_sched_credit2_get", vec![], "scheduler"),
        (
            "domain_sched_credit2_set",
            vec![("weight", text("512")), ("cap", text("0"))],
            "scheduler",
        ),
    ];
    let mut offered = BTreeSet::new();
    for (op, fields, told) in &steps {
        if *op == "reset" {
            for (op, fields, told) in &refused {
                carry_out(browser, daemon, op, fields, told, false)
                    .await
                    .with_context(|| (*op).to_owned())?;
            }
        }
        offered.extend(
            carry_out(browser, daemon, op, fields, told, true)
                .await
                .with_context(|| (*op).to_owned())?,
        );
    }
    let done = steps.iter().chain(&refused).map(|(op, ..)| (*op).to_owned()).collect();
    ensure!(offered == done, "Not all that is offered was tried: {offered:?}, {done:?}");
    Ok(())
}

/// Fills in a form and sends it; gives the operations that the page offers.
async fn carry_out(
    browser: &Browser,
    daemon: &Daemon,
    op: &str,
    fields: &[(&str, String)],
    told: &str,
    succeeds: bool,
) -> Result<BTreeSet<String>> {
    browser.open(&daemon.url("/xend/domain/ops")).await?;
    let list =
        "return [...document.querySelectorAll('#operations [name=op]')].map(one => one.value)";
    let offered = browser.run(list).await?;
    browser.click(&format!("#operations details:has(button[value={op}]) summary")).await?;
    for (name, value) in fields {
        browser.fill(&format!("#operations details[open] [name={name}]"), value).await?;
    }
    if op == "dump" {
        browser.shot("form").await?;
    }
    browser.click(&format!("#operations details[open] button[value={op}]")).await?;
    let tells = ["vcpuinfo", "devices"].contains(&op) || op.ends_with("_get");
    let answer = if succeeds && tells {
        browser.until("document.querySelector('dialog[open]')").await?;
        let answer = browser.text("dialog").await?;
        if op == "vcpuinfo" {
            browser.shot("answer").await?;
        }
        browser.click("dialog > button").await?;
        answer
    } else {
        let failed = browser.text("#toasts .message").await?;
        ensure!(browser.has("#toasts .error").await? != succeeds, "{failed}");
        failed
    };
    ensure!(answer.contains(told), "'{told}' is not in: {answer}");
    browser.no_errors().await?;
    let offered = offered.as_array().into_iter().flatten();
    Ok(offered.filter_map(|one| one.as_str().map(str::to_owned)).collect())
}
