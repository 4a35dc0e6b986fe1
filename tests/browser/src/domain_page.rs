//! A domain's page: its index, its devices, its operations in groups, and the history of use.

use crate::browser::Browser;
use crate::configuration;
use crate::daemon::Daemon;
use crate::pictures::in_all_windows;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::time::Duration;

/// The time that a history takes to begin: a whole minute, and the rest of the one before.
const FIRST_MINUTES: Duration = Duration::from_secs(150);

/// Domains for the page alone.
async fn populate(daemon: &Daemon) -> Result<()> {
    let cdrom = "(device (vbd (uname file:/dev/null) (dev hdc:cdrom) (mode r)))";
    let config = configuration(daemon, "parts", 128, cdrom);
    daemon.done("/xend/domain", &[("op", "new"), ("config", &config)]).await?;
    daemon.done("/xend/domain/parts", &[("op", "start")]).await?;
    let disk = daemon.file("root.img");
    let config = format!(
        "(vm (name win) (memory 256) (vcpus 1) (image (hvm (loader hvmloader) (boot dc) (vnc 1))) \
         (device (vbd (uname file:{disk}) (dev hda) (mode w))))"
    );
    daemon.done("/xend/domain", &[("op", "create"), ("config", &config)]).await?;
    daemon.done("/xend/domain/win", &[("op", "unpause")]).await
}

/// With scripts.
pub async fn use_page(browser: &Browser, daemon: &Daemon) -> Result<()> {
    populate(daemon).await?;
    let page = daemon.url("/xend/domain/parts");
    browser.open(&page).await?;
    let links = "return [...document.querySelectorAll('nav.index a')].map(link => link.innerText)";
    let parts = ["Overview", "Console", "Devices", "Operations", "History", "Configuration"];
    ensure!(browser.run(links).await? == serde_json::json!(parts), "the index has other parts");
    browser.click("nav.index a[href='#operations']").await?;
    browser
        .until("Math.abs(document.querySelector('#operations').getBoundingClientRect().top) < 120")
        .await?;
    let titles =
        "return [...document.querySelectorAll('#operations h3')].map(title => title.textContent)";
    let groups = ["Power", "Save and move", "Resources", "Devices", "Scheduler", "Debug", "Guest"];
    ensure!(browser.run(titles).await? == serde_json::json!(groups), "the groups are other ones");
    for op in ["unpause", "cancel", "start", "domain_sched_credit2_set", "cpu_sedf_set"] {
        ensure!(!browser.has(&format!("#operations button[value={op}]")).await?, "{op} is offered");
    }
    in_all_windows(browser, "domain-parts").await?;

    // Devices: another medium, and a disk that goes.
    let row = |name: &str| {
        format!(
            "[...document.querySelectorAll('.devices tbody tr')].find(row => row.cells[0].innerText.startsWith('{name}'))"
        )
    };
    browser.until(&format!("{}.innerText.includes('connected')", row("CD-ROM hdc"))).await?;
    browser.until(&format!("!{}.innerText.includes('uuid')", row("CD-ROM hdc"))).await?;
    browser.click("summary[aria-label='Change medium: CD-ROM hdc']").await?;
    let drive = ".devices details[open] textarea";
    let text = browser.run(&format!("return document.querySelector('{drive}').value")).await?;
    let text = text.as_str().context("No text")?.to_owned();
    ensure!(text.contains("file:/dev/null"), "the drive is not shown: {text}");
    let medium = daemon.file("second.img");
    browser.fill(drive, &text.replace("/dev/null", &medium)).await?;
    browser.shot("device-change").await?;
    browser.click(".devices details[open] button").await?;
    browser.says("#toasts", "Done").await?;
    browser.until(&format!("{}.innerText.includes('second.img')", row("CD-ROM hdc"))).await?;
    browser.click("summary[aria-label='Unplug: Network interface 0']").await?;
    browser.click(".devices details[open] button[value=device_destroy]").await?;
    browser.until(&format!("!{}", row("Network interface"))).await?;

    // A file is named, and leads back.
    let file = daemon.file("parts.save");
    browser.click("#operations details:has(button[value=save]) summary").await?;
    browser.fill("#operations details[open] [name=file]", &file).await?;
    browser.click("#operations details[open] button[value=save]").await?;
    browser.says("dialog", &file).await?;
    browser.shot("saved").await?;
    browser.click("dialog button[value=restore]").await?;
    browser.says("#toasts", "Created Domain parts").await?;
    browser.until("document.querySelector('#state .badge').textContent === 'running'").await?;

    hvm_and_domain_0(browser, daemon).await?;
    histories(browser, daemon).await
}

async fn hvm_and_domain_0(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/domain/win")).await?;
    for text in ["CD-ROM, hard disk", "hvmloader", "127.0.0.1:59"] {
        browser.says("#facts", text).await?;
    }
    // There is one VCPU: nothing to choose.
    ensure!(!browser.has("#operations button[value=set_vcpus]").await?, "set_vcpus is offered");
    browser.until("document.querySelector('form:has([value=send_trigger]) [name=vcpu]').type === 'hidden'").await?;
    in_all_windows(browser, "domain-hvm").await?;
    browser.open(&daemon.url("/xend/domain/0")).await?;
    browser.until("document.querySelectorAll('#usage .chart').length === 2").await?;
    for part in ["#usage", "#facts"] {
        let shown = browser.text(part).await?;
        ensure!(!shown.contains("16777215"), "Domain-0 has more memory than the host: {shown}");
    }
    in_all_windows(browser, "domain-0").await
}

async fn histories(browser: &Browser, daemon: &Daemon) -> Result<()> {
    let deadline = tokio::time::Instant::now() + FIRST_MINUTES;
    let page = daemon.url("/xend/domain/win/history?span=hour");
    browser.open(&page).await?;
    while !browser.has("svg.chart").await? {
        ensure!(tokio::time::Instant::now() < deadline, "no history begins");
        tokio::time::sleep(Duration::from_secs(5)).await;
        browser.open(&page).await?;
    }
    browser.says("figcaption", "CPU").await?;
    browser.click("#content summary").await?;
    browser.says("table.figures", "MiB").await?;
    in_all_windows(browser, "history").await?;
    browser.click("nav.tabs a[href$='span=month']").await?;
    browser.says("nav.tabs [aria-current]", "Last month").await?;
    browser.says("main", "6 hours").await?;
    browser.open(&daemon.url("/xend/node/history?span=hour")).await?;
    browser.until("document.querySelectorAll('svg.chart').length === 4").await?;
    in_all_windows(browser, "host-history").await
}

/// Without scripts: the same by whole pages.
pub async fn without_scripts(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/domain/parts")).await?;
    browser.click("summary[aria-label='Unplug: CD-ROM hdc']").await?;
    browser.click(".devices details[open] button[value=device_destroy]").await?;
    browser.says(".message", "Done").await?;
    let file = daemon.file("parts-again.save");
    browser.open(&daemon.url("/xend/domain/parts")).await?;
    browser.click("#operations details:has(button[value=save]) summary").await?;
    browser.fill("#operations details[open] [name=file]", &file).await?;
    browser.click("#operations details[open] button[value=save]").await?;
    browser.says(".message", &file).await?;
    browser.shot("noscript-saved").await?;
    browser.click("button[value=restore]").await?;
    browser.says("h1", "Created parts").await?;
    browser.open(&daemon.url("/xend/domain/parts/history")).await?;
    browser.says("nav.tabs [aria-current]", "Last day").await?;
    browser.click("#content summary").await?;
    browser.says("table.figures", "CPU").await
}

/// This part alone, on a daemon of its own.
pub async fn alone(driver: &crate::browser::Driver, xend: &Path, pictures: &Path) -> Result<()> {
    let daemon = Daemon::start(xend, "").await?;
    let browser = driver.browser(pictures, true).await?;
    use_page(&browser, &daemon).await?;
    browser.close().await?;
    let browser = driver.browser(pictures, false).await?;
    without_scripts(&browser, &daemon).await?;
    browser.close().await
}
