//! Tests xend's pages in Chromium: with and without scripts, by mouse and by keyboard, on a large
//! screen and on a phone.

mod accessibility;
mod accounts;
mod browser;
mod changes;
mod console;
mod create_form;
mod daemon;
mod docs;
mod domain_list;
mod domain_page;
mod fleet;
mod host_pages;
mod operations;
mod pictures;
#[path = "../../support/ports.rs"]
mod ports;
mod reference;
mod screen;
mod thumbs;
mod toasts;

use anyhow::{Context, Result, bail, ensure};
use browser::{Browser, Driver, OVER};
use daemon::Daemon;
use fantoccini::key::Key;
use std::path::{Path, PathBuf};

/// The number of domains on the large host.
const MANY: usize = 1000;
/// The most bytes of its list, compressed and with all files that it refers to.
const MAX_PAGE_BYTES: usize = 60_000;

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let xend = args.next().context("Which xend?")?;
    let shots = args.next().context("Where to?")?;
    let axe = accessibility::Axe::read(Path::new(&args.next().context("Where is axe-core?")?))?;
    let (options, parts): (Vec<String>, Vec<String>) = args.partition(|arg| arg.starts_with("--"));
    let is_for_docs = options.iter().any(|arg| arg == "--docs");
    let xend = PathBuf::from(xend);
    let shots = PathBuf::from(shots);
    std::fs::create_dir_all(&shots)?;
    let driver = Driver::start().await?;
    if is_for_docs {
        let daemon = Daemon::start(&xend, "").await?;
        let browser = driver.browser(&shots, true).await?;
        docs::take(&browser, &daemon, Path::new("docs")).await?;
        return browser.close().await;
    }
    for part in &parts {
        match part.as_str() {
            "fleet" => fleet::test(&driver, &axe, &xend, &shots).await?,
            part => run_part(part, &driver, &xend, &shots).await?,
        }
    }
    if !parts.is_empty() {
        return Ok(());
    }
    let daemon = Daemon::start(&xend, "").await?;
    populate(&daemon).await?;
    let browser = driver.browser(&shots, true).await?;
    println!("Screenshots of every page");
    pictures::of_every_page(&browser, &daemon).await?;
    println!("Accessibility of every page");
    let urls: Vec<_> = pictures::PAGES.iter().map(|(_, path)| daemon.url(path)).collect();
    axe.check(&browser, &urls).await?;
    println!("Creating domains from files");
    create(&browser, &daemon).await?;
    for part in ["create_form", "domain_list"] {
        run_part(part, &driver, &xend, &shots).await?;
    }
    println!("Changes by another client");
    changes::by_others(&browser, &daemon).await?;
    println!("Progress of a long operation");
    changes::that_takes_long(&browser, &daemon).await?;
    println!("The console");
    console::use_terminal(&browser, &daemon).await?;
    println!("The screen");
    screen::use_screen(&browser, &daemon).await?;
    println!("Every operation");
    operations::perform_all(&browser, &daemon).await?;
    println!("What the host has");
    host_pages::use_pages(&browser, &daemon).await?;
    println!("A domain's page, and histories");
    domain_page::use_page(&browser, &daemon).await?;
    println!("The reference");
    reference::use_reference(&browser, &daemon).await?;
    println!("Notices");
    toasts::go_away(&browser, &daemon).await?;
    println!("Keyboard only");
    keyboard(&browser, &daemon).await?;
    println!("Phone");
    phone(&browser, &daemon).await?;
    browser.no_errors().await?;
    browser.close().await?;
    println!("Without scripts");
    let browser = driver.browser(&shots, false).await?;
    without_scripts(&browser, &daemon).await?;
    host_pages::without_scripts(&browser, &daemon).await?;
    reference::without_scripts(&browser, &daemon).await?;
    domain_page::without_scripts(&browser, &daemon).await?;
    browser.close().await?;
    println!("A user of an account");
    let with_accounts = Daemon::start_with_accounts(&xend, accounts::PASSWORD).await?;
    accounts::populate(&with_accounts).await?;
    let browser = driver.browser(&shots, true).await?;
    accounts::use_account(&browser, &with_accounts).await?;
    browser.close().await?;
    println!("A user of an account, without scripts");
    let browser = driver.browser(&shots, false).await?;
    accounts::without_scripts(&browser, &with_accounts).await?;
    browser.close().await?;
    println!("{MANY} domains");
    let large = Daemon::start(&xend, "(sim-memory 1048576)").await?;
    let browser = driver.browser(&shots, true).await?;
    many(&browser, &large).await?;
    browser.no_errors().await?;
    browser.close().await?;
    fleet::test(&driver, &axe, &xend, &shots).await?;
    println!("All tests passed");
    Ok(())
}

/// Tests a part of the pages by itself, with and without scripts.
async fn run_part(part: &str, driver: &Driver, xend: &Path, shots: &Path) -> Result<()> {
    println!("{part}");
    if part == "domain_page" {
        return domain_page::alone(driver, xend, shots).await;
    }
    let daemon = Daemon::start(xend, "(sim-memory 1048576)").await?;
    if part == "domain_list" {
        domain_list::populate(&daemon).await?;
    }
    for scripts in [true, false] {
        let browser = driver.browser(shots, scripts).await?;
        match (part, scripts) {
            ("create_form", true) => create_form::use_form(&browser, &daemon).await?,
            ("create_form", false) => create_form::without_scripts(&browser, &daemon).await?,
            ("domain_list", true) => domain_list::use_list(&browser, &daemon).await?,
            ("domain_list", false) => domain_list::without_scripts(&browser, &daemon).await?,
            _ => bail!("There is no part {part}"),
        }
        browser.close().await?;
    }
    Ok(())
}

fn configuration(daemon: &Daemon, name: &str, memory: u32, more: &str) -> String {
    let disk = daemon.file("root.img");
    format!(
        "(vm (name {name}) (memory {memory}) (maxmem 1024) (vcpus 2) \
         (image (linux (kernel /boot/vmlinuz-6.1-xen) (args 'root=/dev/xvda1 ro console=hvc0'))) \
         (device (vbd (uname file:{disk}) (dev xvda) (mode w))) (device (vif (bridge xenbr0))){more})"
    )
}

/// Domains in every state.
async fn populate(daemon: &Daemon) -> Result<()> {
    let list = "/xend/domain";
    for (name, memory) in [
        ("web1", 512),
        ("web2", 256),
        ("db", 768),
        ("mail", 384),
        ("build", 640),
        ("spare", 128),
        ("broken", 96),
        ("busy", 896),
    ] {
        let more = if name == "broken" { "(on_crash preserve)" } else { "" };
        let config = configuration(daemon, name, memory, more);
        daemon.done(list, &[("op", "new"), ("config", &config)]).await?;
        if name != "spare" {
            daemon.done(&format!("{list}/{name}"), &[("op", "start")]).await?;
        }
    }
    daemon.done("/xend/domain/mail", &[("op", "pause")]).await?;
    daemon.done("/xend/domain/build", &[("op", "suspend")]).await?;
    daemon.done("/xend/domain/broken", &[("op", "shutdown"), ("reason", "crash")]).await?;
    Ok(())
}

async fn create(browser: &Browser, daemon: &Daemon) -> Result<()> {
    daemon
        .done(
            "/xend/domain",
            &[("op", "create"), ("config", &configuration(daemon, "made", 64, ""))],
        )
        .await?;
    daemon.done("/xend/domain/made", &[("op", "unpause")]).await?;
    // From a file.
    let file = daemon.file("upload.sxp");
    std::fs::write(&file, configuration(daemon, "uploaded", 64, ""))?;
    browser.open(&daemon.url("/xend/new")).await?;
    browser.fill("input[type=file]", &file).await?;
    browser.click("form:has(input[type=file]) button[value=new]").await?;
    browser.says(".message", "defined").await?;
    ensure!(
        daemon.get("/xend/domain?state=halted").await?.contains("uploaded"),
        "the domain is not defined"
    );
    Ok(())
}

/// The row of a domain in the list.
fn row(name: &str) -> String {
    format!("document.querySelector('tr[data-name={name}]')")
}

async fn keyboard(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/domain?state=all")).await?;
    browser.press(Key::Tab).await?;
    ensure!(
        browser.run("return document.activeElement.className").await? == "skip",
        "the first link does not skip to the content"
    );
    browser.tab_to("tr[data-name=web1] button[value=pause]").await?;
    browser.press(Key::Enter).await?;
    browser
        .until(&format!("{}.querySelector('.badge').textContent === 'paused'", row("web1")))
        .await?;
    browser
        .until("document.activeElement.matches('tr[data-name=web1] button[value=unpause]')")
        .await?;
    browser.press(Key::Enter).await?;
    browser
        .until(&format!("{}.querySelector('.badge').textContent === 'running'", row("web1")))
        .await?;
    browser.tab_to("tr[data-name=web1] a[href$='op=shutdown']").await?;
    browser.press(Key::Enter).await?;
    browser
        .until(
            "document.querySelector('dialog').open \
             && document.querySelector('dialog').contains(document.activeElement)",
        )
        .await?;
    browser.until("document.activeElement.textContent === 'Cancel'").await?;
    browser.press(Key::Escape).await?;
    browser.until("!document.querySelector('dialog').open").await?;
    browser.open(&daemon.url("/xend/domain/web1")).await?;
    browser.tab_to("#operations details:has(button[value=rename]) summary").await?;
    browser.press(Key::Enter).await?;
    browser.tab_to("#operations details[open] input[name=name]").await?;
    browser.run("document.activeElement.select()").await?;
    for key in "web9".chars() {
        browser.run("0").await?;
        browser
            .find("#operations details[open] input[name=name]")
            .await?
            .send_keys(&key.to_string())
            .await?;
    }
    browser.press(Key::Enter).await?;
    browser.until("location.pathname === '/xend/domain'").await?;
    ensure!(daemon.get("/xend/domain").await?.contains("web9"), "the domain is not renamed");
    daemon.done("/xend/domain/web9", &[("op", "rename"), ("name", "web1")]).await
}

async fn phone(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.window(390, 844, true).await?;
    browser.open(&daemon.url("/xend/domain?state=all")).await?;
    browser.click("thead a[href*='sort=memory']").await?;
    browser.find("th[aria-sort=descending]").await?;
    browser.click("tr[data-name=web1] button[value=pause]").await?;
    browser
        .until(&format!("{}.querySelector('.badge').textContent === 'paused'", row("web1")))
        .await?;
    browser.click("tr[data-name=web1] a[href$='op=destroy']").await?;
    browser.until("document.querySelector('dialog').open").await?;
    browser.shot("dialog-phone").await?;
    browser.click("dialog > button").await?;
    browser.click("tr[data-name=web1] th a").await?;
    browser.says("h1", "Domain web1").await?;
    browser.click("#actions button[value=unpause]").await?;
    browser.until("document.querySelector('#state .badge').textContent === 'running'").await?;
    browser.click("#operations details:has(button[value=dump]) summary").await?;
    browser.until(&format!("{OVER} === 0")).await?;
    browser.shot("form-phone").await?;
    browser.usual_window().await
}

async fn without_scripts(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/domain?state=all")).await?;
    browser.click("tr[data-name=web1] button[value=pause]").await?;
    browser.says(".message", "web1 is paused").await?;
    browser.shot("noscript-done").await?;
    browser.open(&daemon.url("/xend/domain/web1")).await?;
    browser.says("#state .badge", "paused").await?;
    browser.click("#actions button[value=unpause]").await?;
    browser.says(".message", "web1 is running").await?;
    browser.open(&daemon.url("/xend/domain")).await?;
    browser.fill("input[name=q]", "web").await?;
    browser.click("#filter button").await?;
    browser.until("location.search.includes('q=web')").await?;
    ensure!(!browser.has("tr[data-name=db]").await?, "the server does not filter");
    browser.click("thead a[href*='sort=memory']").await?;
    browser.find("th[aria-sort=descending]").await?;
    browser.open(&daemon.url("/xend/domain/db/confirm?op=destroy")).await?;
    browser.shot("noscript-confirm").await?;
    browser.click("button[value=destroy]").await?;
    browser.says(".message", "destroyed").await?;
    ensure!(
        daemon.get("/xend/domain?state=halted").await?.contains("db"),
        "the domain is not defined any more"
    );
    browser.open(&daemon.url("/xend/domain/web1")).await?;
    browser.click("#operations details:has(button[value=mem_target_set]) summary").await?;
    browser.fill("#operations details[open] input[name=target]", "500").await?;
    browser.click("#operations details[open] button").await?;
    browser.says(".message", "Done").await?;
    ensure!(
        daemon.get("/xend/domain/web1").await?.contains("(memory 500)"),
        "the memory is not changed"
    );
    Ok(())
}

/// Each page is small, with all that it refers to.
async fn weigh_all(daemon: &Daemon) -> Result<()> {
    let without_terminal = |path: &&str| !path.ends_with("/console");
    for path in pictures::PAGES.iter().map(|(_, path)| *path).filter(without_terminal) {
        // The large host has other domains.
        let path = ["web1", "busy", "build"]
            .iter()
            .fold(path.to_owned(), |path, name| path.replace(name, "guest0001"));
        let (mut bytes, page) = daemon.page(&path).await?;
        let referred = page.split(['"']).filter(|part| part.starts_with("/xend/assets/"));
        for asset in referred.collect::<std::collections::BTreeSet<_>>() {
            bytes += daemon.page(asset).await?.0;
        }
        let html = page.len() / 1000;
        println!("{path}: {} kB compressed with all it refers to, {html} kB of HTML", bytes / 1000);
        ensure!(bytes < MAX_PAGE_BYTES, "{path} is larger than {} kB", MAX_PAGE_BYTES / 1000);
    }
    Ok(())
}

/// The bars of a host with many domains: what they show is there to be seen.
async fn bars(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/node")).await?;
    let parts = "[...document.querySelectorAll('.big.bar')[0].querySelectorAll('rect')]";
    let stroke = format!("{parts}.filter((one) => getComputedStyle(one).stroke !== 'none').length");
    ensure!(browser.run(&format!("return {stroke}")).await? == 0, "a part of a bar has a stroke");
    let colours = format!("new Set({parts}.map((one) => getComputedStyle(one).fill)).size");
    browser.until(&format!("{parts}.length < 12 && {colours} === {parts}.length")).await?;
    let used = format!(
        "{parts}.reduce((sum, one) => sum + one.getBoundingClientRect().width, 0) / \
         document.querySelector('.big.bar').getBoundingClientRect().width"
    );
    let used = browser.run(&format!("return {used}")).await?.as_f64().context("No width")?;
    ensure!(used > 0.02, "only {used} of the bar is filled");
    pictures::in_all_windows(browser, "many-host").await
}

async fn many(browser: &Browser, daemon: &Daemon) -> Result<()> {
    for n in 0..MANY {
        let config = format!(
            "(vm (name guest{n:04}) (memory 64) (vcpus 1) (image (linux (kernel /boot/vmlinuz))))"
        );
        daemon.done("/xend/domain", &[("op", "create"), ("config", &config)]).await?;
        if n % 3 != 0 {
            daemon.done(&format!("/xend/domain/guest{n:04}"), &[("op", "unpause")]).await?;
        }
    }
    let (_, page) = daemon.page("/xend/domain").await?;
    ensure!(page.matches("<tr data-name").count() == 100, "a page has 100 domains");
    ensure!(page.contains(&format!("1–100 of {}", MANY + 1)), "domains are missing");
    weigh_all(daemon).await?;
    bars(browser, daemon).await?;
    let mut times = Vec::new();
    for _ in 0..5 {
        browser.open(&daemon.url("/xend/domain")).await?;
        browser.until("performance.getEntriesByName('first-contentful-paint').length").await?;
        let first = "return performance.getEntriesByName('first-contentful-paint')[0].startTime";
        times.push(browser.run(first).await?.as_f64().context("No time")?);
    }
    times.sort_by(f64::total_cmp);
    println!("first paint: {:.0} ms, in five runs {:.0} to {:.0}", times[2], times[0], times[4]);
    browser.until("document.querySelector('.link-state').textContent === 'Live'").await?;
    daemon.done("/xend/domain/guest0001", &[("op", "pause")]).await?;
    browser
        .until(&format!("{}.querySelector('.badge').textContent === 'paused'", row("guest0001")))
        .await?;
    browser.shot("many").await?;
    Ok(())
}
