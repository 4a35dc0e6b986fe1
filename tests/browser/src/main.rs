//! Tests xend's pages in Chromium: with and without scripts, by mouse and by keyboard, on a large
//! screen and on a phone.

mod accessibility;
mod accounts;
mod browser;
mod console;
mod create_form;
mod daemon;
mod domain_list;
mod domain_page;
mod host_pages;
mod operations;
mod screen;

use anyhow::{Context, Result, bail, ensure};
use browser::{Browser, Driver};
use daemon::Daemon;
use fantoccini::key::Key;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The number of domains on the large host.
const MANY: usize = 1000;
/// The most bytes of its list, compressed and with all files that it refers to.
const MAX_PAGE_BYTES: usize = 60_000;

/// Every kind of page.
const PAGES: [(&str, &str); 23] = [
    ("list", "/xend/domain?state=all"),
    ("domain", "/xend/domain/busy"),
    ("suspended", "/xend/domain/build"),
    ("new", "/xend/new?template=pvh"),
    ("selection", "/xend/selection?op=pause&domain=web1&domain=web2"),
    ("history", "/xend/domain/busy/history"),
    ("host", "/xend/node"),
    ("host-history", "/xend/node/history"),
    ("storage", "/xend/node/storage"),
    ("bridges", "/xend/node/network"),
    ("networks", "/xend/vnet"),
    ("pools", "/xend/node/pool"),
    ("pci", "/xend/node/pci"),
    ("saved", "/xend/saved"),
    ("tasks", "/xend/task"),
    ("events", "/xend/journal"),
    ("accounts", "/xend/node/user"),
    ("log", "/xend/node/log"),
    ("dmesg", "/xend/node/dmesg"),
    ("reference", "/xend/help"),
    ("confirm", "/xend/domain/web1/confirm?op=destroy"),
    ("console", "/xend/domain/web1/console"),
    ("missing", "/xend/domain/nosuch"),
];

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let xend = args.next().context("Which xend?")?;
    let shots = args.next().context("Where to?")?;
    let axe = accessibility::Axe::read(Path::new(&args.next().context("Where is axe-core?")?))?;
    let (options, parts): (Vec<String>, Vec<String>) = args.partition(|arg| arg.starts_with("--"));
    let docs = options.iter().any(|arg| arg == "--docs");
    let xend = PathBuf::from(xend);
    let shots = PathBuf::from(shots);
    std::fs::create_dir_all(&shots)?;
    let driver = Driver::start().await?;
    for part in &parts {
        run_part(part, &driver, &xend, &shots).await?;
    }
    if !parts.is_empty() {
        return Ok(());
    }
    let daemon = Daemon::start(&xend, "").await?;
    populate(&daemon).await?;
    let browser = driver.browser(&shots, true).await?;
    println!("Screenshots of every page");
    screenshots(&browser, &daemon, docs.then_some(Path::new("docs"))).await?;
    println!("Accessibility of every page");
    let urls: Vec<_> = PAGES.iter().map(|(_, path)| daemon.url(path)).collect();
    axe.check(&browser, &urls).await?;
    println!("Creating domains from files");
    create(&browser, &daemon).await?;
    for part in ["create_form", "domain_list"] {
        run_part(part, &driver, &xend, &shots).await?;
    }
    println!("Changes by another client");
    live(&browser, &daemon).await?;
    println!("Progress of a long operation");
    slow(&browser, &daemon).await?;
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

/// Takes screenshots of every page in both themes, and on a phone.
async fn screenshots(browser: &Browser, daemon: &Daemon, docs: Option<&Path>) -> Result<()> {
    // The charts need some variation: a busy guest is paused now and then.
    for turn in 0..if docs.is_some() { 24 } else { 2 } {
        daemon.done("/xend/domain/busy", &[("op", ["unpause", "pause"][turn % 2])]).await?;
        tokio::time::sleep(Duration::from_secs(turn as u64 * 7 % 17 + 4)).await;
    }
    daemon.done("/xend/domain/busy", &[("op", "unpause")]).await?;
    tokio::time::sleep(Duration::from_secs(7)).await;
    for (name, path) in PAGES {
        browser.open(&daemon.url(path)).await?;
        shots_of_page(browser, name).await.with_context(|| path.to_owned())?;
    }
    if let Some(docs) = docs {
        std::fs::create_dir_all(docs)?;
        let here = Path::new("target/browser");
        for (from, to) in [("list-light", "list"), ("domain-light", "domain")] {
            std::fs::copy(here.join(format!("{from}.png")), docs.join(format!("{to}.png")))?;
        }
    }
    Ok(())
}

/// Takes screenshots of the page that is open.
async fn shots_of_page(browser: &Browser, name: &str) -> Result<()> {
    for theme in ["light", "dark"] {
        browser.theme(theme).await?;
        browser.window(1360, 940, false).await?;
        browser.shot(&format!("{name}-{theme}")).await?;
        browser.window(1360, 2400, false).await?;
        browser.shot(&format!("{name}-{theme}-whole")).await?;
    }
    browser.theme("light").await?;
    browser.window(390, 844, true).await?;
    let wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    ensure!(browser.run(wide).await?.as_f64() == Some(0.0), "{name} is too wide for a phone");
    browser.shot(&format!("{name}-phone")).await?;
    browser.window(1360, 940, false).await?;
    browser.no_errors().await
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

async fn live(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/domain?state=all")).await?;
    browser.until("document.querySelector('.link-state').textContent === 'Live'").await?;
    browser.run("window.same = true").await?;
    daemon.done("/xend/domain/web1", &[("op", "pause")]).await?;
    browser
        .until(&format!("{}.querySelector('.badge').textContent === 'paused'", row("web1")))
        .await?;
    ensure!(
        browser.has("tr[data-name=web1] button[value=unpause]").await?,
        "the row does not have the buttons of a paused domain"
    );
    daemon.done("/xend/domain/web1", &[("op", "unpause")]).await?;
    browser
        .until(&format!("{}.querySelector('.badge').textContent === 'running'", row("web1")))
        .await?;
    daemon
        .done("/xend/domain", &[("op", "new"), ("config", &configuration(daemon, "late", 64, ""))])
        .await?;
    browser.until(&row("late")).await?;
    daemon.done("/xend/domain/late", &[("op", "rename"), ("name", "later")]).await?;
    browser.until(&format!("!{} && {}", row("late"), row("later"))).await?;
    daemon.done("/xend/domain/later", &[("op", "delete")]).await?;
    browser.until(&format!("!{}", row("later"))).await?;
    // The guest's address, as soon as the guest reports it.
    browser
        .until(&format!("{}.querySelector('.address').textContent.startsWith('10.')", row("web1")))
        .await?;
    let address = [("op", "reset_network"), ("address", "203.0.113.21/24")];
    daemon.done("/xend/domain/web1", &address).await?;
    browser
        .until(&format!("{}.querySelector('.address').textContent === '203.0.113.21'", row("web1")))
        .await?;
    // Buttons of a row, without and with a confirmation.
    browser.click("tr[data-name=web2] button[value=pause]").await?;
    browser
        .until(&format!("{}.querySelector('.badge').textContent === 'paused'", row("web2")))
        .await?;
    browser.click("tr[data-name=made] a[href$='op=destroy']").await?;
    browser.until("document.querySelector('dialog').open").await?;
    browser.shot("dialog").await?;
    browser.click("dialog button[value=destroy]").await?;
    browser.until(&format!("!{}", row("made"))).await?;
    ensure!(browser.run("return window.same").await? == true, "the page was loaded again");
    // The filter, and a domain's page.
    browser.fill("input[name=q]", "web").await?;
    browser.until("document.querySelectorAll('tr[data-name]').length === 2").await?;
    browser.open(&daemon.url("/xend/domain/web2")).await?;
    browser.until("document.querySelector('.link-state').textContent === 'Live'").await?;
    browser.run("window.same = true").await?;
    daemon.done("/xend/domain/web2", &[("op", "unpause")]).await?;
    browser.until("document.querySelector('#state .badge').textContent === 'running'").await?;
    browser.until("document.querySelector('#history').textContent.includes('unpause')").await?;
    daemon.done("/xend/domain/web2", &[("op", "set_vcpus"), ("vcpus", "1")]).await?;
    browser.until("document.querySelector('#facts').textContent.includes('1 of 2 online')").await?;
    browser.until("document.querySelector('#guest').textContent.includes('Debian')").await?;
    let address = [("op", "reset_network"), ("address", "203.0.113.20/24")];
    daemon.done("/xend/domain/web2", &address).await?;
    browser.until("document.querySelector('#guest').textContent.includes('203.0.113.20')").await?;
    let points =
        "document.querySelector('#usage polyline').getAttribute('points').split(' ').length";
    let before = browser.run(&format!("return {points}")).await?;
    browser.until(&format!("{points} > {before}")).await?;
    ensure!(browser.run("return window.same").await? == true, "the page was loaded again");
    browser.no_errors().await
}

/// A guest that is slow to save: the page shows the progress, and can cancel the save.
async fn slow(browser: &Browser, daemon: &Daemon) -> Result<()> {
    let config = configuration(daemon, "saveslow", 800, "");
    daemon.done("/xend/domain", &[("op", "create"), ("config", &config)]).await?;
    daemon.done("/xend/domain/saveslow", &[("op", "unpause")]).await?;
    browser.open(&daemon.url("/xend/domain/saveslow")).await?;
    let saved = daemon.file("slow");
    for is_cancelled in [true, false] {
        browser.click("#operations details:has(button[value=save]) summary").await?;
        browser.fill("#operations details[open] [name=file]", &saved).await?;
        browser.click("#operations details[open] button[value=save]").await?;
        let percent = "document.querySelector('#progress progress')?.value";
        browser.until(&format!("{percent} >= 10")).await?;
        let before = browser.run(&format!("return {percent}")).await?;
        browser.until(&format!("{percent} > {before}")).await?;
        if is_cancelled {
            browser.run("scrollTo(0, 0)").await?;
            browser.shot("progress").await?;
            browser.click("#progress button[value=cancel]").await?;
            browser.until("!document.querySelector('#progress progress')").await?;
            browser.says("#toasts .error", "cancelled").await?;
            browser.open(&daemon.url("/xend/domain/saveslow")).await?;
        }
    }
    // A saved domain is not on the host any more, and its page opens the list when the answer has
    // been read.
    browser.says("dialog", &saved).await?;
    browser.click("dialog > button").await?;
    browser.until("location.pathname === '/xend/domain'").await?;
    let restored = [("op", "restore"), ("file", saved.as_str())];
    daemon.done("/xend/domain", &restored).await?;
    browser.until(&row("saveslow")).await?;
    daemon.done("/xend/domain/saveslow", &[("op", "destroy")]).await
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
    let wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
    browser.until(&format!("{wide} === 0")).await?;
    browser.shot("form-phone").await?;
    browser.window(1360, 940, false).await
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
    let (mut bytes, page) = daemon.page("/xend/domain").await?;
    ensure!(page.matches("<tr data-name").count() == 100, "a page has 100 domains");
    ensure!(page.contains(&format!("1–100 of {}", MANY + 1)), "domains are missing");
    let referred = page.split(['"']).filter(|part| part.starts_with("/xend/assets/"));
    for path in referred.collect::<std::collections::BTreeSet<_>>() {
        bytes += daemon.page(path).await?.0;
    }
    println!(
        "page of {MANY} domains: {} kB compressed with all it refers to, {} kB of HTML",
        bytes / 1000,
        page.len() / 1000
    );
    ensure!(bytes < MAX_PAGE_BYTES, "It is larger than {} kB", MAX_PAGE_BYTES / 1000);
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
