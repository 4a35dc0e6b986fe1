//! The list of domains: pages of it, filters, selected rows, columns, keys, screens of all sizes.

use crate::browser::Browser;
use crate::daemon::Daemon;
use crate::row;
use anyhow::{Result, ensure};
use fantoccini::key::Key;

/// The number of domains that are defined.
const DEFINED: usize = 130;

/// The names of the rows.
const NAMES: &str = "[...document.querySelectorAll('tr[data-name]')].map(row => row.dataset.name)";

/// Domains in several states, one of which has a long name.
pub async fn populate(daemon: &Daemon) -> Result<()> {
    for n in 1..=DEFINED {
        let memory = if n % 10 == 0 { 2048 } else { 64 };
        let config =
            format!("(vm (name build{n}) (memory {memory}) (image (pvh (kernel /boot/vmlinuz))))");
        daemon.done("/xend/domain", &[("op", "new"), ("config", &config)]).await?;
    }
    let long = "a-name-that-is-far-too-long-for-any-column-of-a-table-and-has-no-blank.example.org";
    for name in ["build1", "build2", "build3", long] {
        if name == long {
            let config = format!("(vm (name {name}) (memory 64) (image (hvm (boot c))))");
            daemon.done("/xend/domain", &[("op", "new"), ("config", &config)]).await?;
        }
        daemon.done(&format!("/xend/domain/{name}"), &[("op", "start")]).await?;
    }
    Ok(())
}

async fn shows(browser: &Browser, names: &[&str]) -> Result<()> {
    let names = serde_json::to_string(names)?;
    browser.until(&format!("JSON.stringify({NAMES}) === JSON.stringify({names})")).await
}

/// With scripts.
pub async fn use_list(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/domain?state=halted")).await?;
    browser.says(".pager", "1–100 of 127").await?;
    browser.until(&format!("{NAMES}[0] === 'build4' && {NAMES}[6] === 'build10'")).await?;
    browser.click(".pager a[rel=next]").await?;
    browser.says(".pager", "101–127 of 127").await?;

    filters(browser, daemon).await?;
    keys(browser, daemon).await?;
    selection(browser, daemon).await?;
    columns(browser, daemon).await?;
    saving(browser, daemon).await?;
    sizes(browser, daemon).await?;
    browser.no_errors().await
}

async fn filters(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/domain?state=halted&page=2")).await?;
    browser.run("window.same = true").await?;
    browser.fill("input[name=q]", "mem>1G name~build1").await?;
    shows(browser, &["build10", "build100", "build110", "build120", "build130"]).await?;
    browser.until("new URL(location).searchParams.get('q') === 'mem>1G name~build1'").await?;
    browser.until("document.querySelector('#states a').search.includes('q=mem')").await?;
    browser.fill("input[name=q]", "mem>lots").await?;
    browser.says("#filter-error", "write 512M or 2G").await?;
    browser.until("document.querySelector('input[name=q]').ariaInvalid === 'true'").await?;
    shows(browser, &[]).await?;
    browser.fill("input[name=q]", "build13").await?;
    shows(browser, &["build13", "build130"]).await?;
    browser.until("!document.querySelector('input[name=q]').ariaInvalid").await?;
    ensure!(browser.run("return window.same").await? == true, "the page was loaded again");
    Ok(())
}

async fn keys(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/domain?state=halted")).await?;
    browser.says(".pager", "1–100 of 127").await?;
    let focused = |name: &str| {
        format!("document.activeElement.closest('tr[data-name]')?.dataset.name === '{name}'")
    };
    browser.keys("body", "/").await?;
    browser.until("document.activeElement.name === 'q'").await?;
    browser.press(Key::Escape).await?;
    browser.until("document.activeElement === document.body").await?;
    browser.keys("body", "j").await?;
    browser.until(&focused("build4")).await?;
    browser.keys("tr[data-name=build4] th a", "j").await?;
    browser.until(&focused("build5")).await?;
    browser.keys("tr[data-name=build5] th a", "x").await?;
    browser.says("#selected", "1 domain selected").await?;
    browser.keys("tr[data-name=build5] th a", "k").await?;
    browser.until(&focused("build4")).await?;
    browser.press(Key::Enter).await?;
    browser.until("location.pathname === '/xend/domain/build4'").await
}

async fn selection(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/domain?state=all&q=name~build1")).await?;
    browser.until("document.querySelector('#bulk button').disabled").await?;
    for name in ["build1", "build10", "build11"] {
        browser.click(&format!("tr[data-name={name}] .pick input")).await?;
    }
    browser.says("#selected", "3 domains selected").await?;
    // A row that changes meanwhile stays selected.
    daemon.done("/xend/domain/build1", &[("op", "pause")]).await?;
    browser
        .until(&format!("{}.querySelector('.badge').textContent === 'paused'", row("build1")))
        .await?;
    browser.says("#selected", "3 domains selected").await?;
    browser.fill("#bulk select", "start").await?;
    browser.click("#bulk button").await?;
    browser.says("dialog h1", "Start 2 domains?").await?;
    browser.says("dialog", "build10").await?;
    browser.says("dialog", "build1: it is paused").await?;
    browser.shot("selection").await?;
    browser.click("dialog button[value=start]").await?;
    browser.says("#toasts", "done for 2 domains").await?;
    for name in ["build10", "build11"] {
        let is_running = format!("{}.querySelector('.badge').textContent === 'running'", row(name));
        browser.until(&is_running).await?;
    }
    browser.click("#all").await?;
    browser.says("#selected", "42 domains selected").await?;
    browser.click("#all").await?;
    browser.says("#selected", "No domains selected").await
}

async fn columns(browser: &Browser, daemon: &Daemon) -> Result<()> {
    let list = daemon.url("/xend/domain");
    browser.open(&list).await?;
    let is_shown = |column: &str| {
        format!("getComputedStyle(document.querySelector('td.c-{column}')).display !== 'none'")
    };
    browser.until(&format!("{} && !{}", is_shown("type"), is_shown("devices"))).await?;
    browser.click("#columns summary").await?;
    browser.click("#columns input[value=type]").await?;
    browser.click("#columns input[value=devices]").await?;
    browser.shot("columns").await?;
    browser.until(&format!("!({}) && {}", is_shown("type"), is_shown("devices"))).await?;
    browser.open(&list).await?;
    browser.until(&format!("!({}) && {}", is_shown("type"), is_shown("devices"))).await?;
    browser.run("localStorage.clear()").await?;
    Ok(())
}

/// A guest that is saved has suspended itself, and is saving.
async fn saving(browser: &Browser, daemon: &Daemon) -> Result<()> {
    let config = "(vm (name saveslow) (memory 800) (image (linux (kernel /boot/vmlinuz))))";
    daemon.done("/xend/domain", &[("op", "new"), ("config", config)]).await?;
    daemon.done("/xend/domain/saveslow", &[("op", "start")]).await?;
    browser.open(&daemon.url("/xend/domain")).await?;
    let saved = daemon.file("list-saved");
    let save = [("op", "save"), ("file", saved.as_str())];
    let saving = daemon.done("/xend/domain/saveslow", &save);
    let shown = async {
        browser
            .until(&format!(
                "{}?.querySelector('.badge').textContent === 'saving'",
                row("saveslow")
            ))
            .await?;
        browser
            .until(&format!(
                "/[0-9] %/.test({}.querySelector('.state').textContent)",
                row("saveslow")
            ))
            .await
    };
    let (saving, shown) = tokio::join!(saving, shown);
    saving.and(shown)
}

/// Nothing is out of sight, and no state breaks over two lines.
async fn sizes(browser: &Browser, daemon: &Daemon) -> Result<()> {
    for theme in ["light", "dark"] {
        browser.theme(theme).await?;
        for width in [390, 736, 768, 900, 1024, 1050, 1280, 1440] {
            browser.window(width, 900, width < 600).await?;
            browser.open(&daemon.url("/xend/domain?state=all")).await?;
            browser.until("document.querySelector('.link-state').textContent === 'Live'").await?;
            let hidden = browser
                .run(
                    "return [...document.querySelectorAll('.list .actions > *')].filter(one => {
                       const { left, right } = one.getBoundingClientRect();
                       return left < 0 || right > innerWidth;
                     }).length",
                )
                .await?;
            ensure!(hidden == 0, "{hidden} actions are out of sight at {width} px");
            let broken = browser
                .run(
                    "return [...document.querySelectorAll('.list td.state')].filter(cell =>
                       cell.offsetParent && [...cell.children].some(one => one.offsetHeight > 34
                         || one.offsetTop - cell.children[0].offsetTop > 12)).length",
                )
                .await?;
            ensure!(broken == 0, "{broken} states are broken at {width} px");
            browser.fits("the list").await?;
            if [390, 768, 1440].contains(&width) {
                browser.shot(&format!("domains-{width}-{theme}")).await?;
            }
        }
    }
    browser.theme("light").await?;
    browser.window(1360, 600, false).await?;
    browser.run("scrollTo(0, 2000)").await?;
    let top = "document.querySelector('.list thead th').getBoundingClientRect().top";
    browser.until(&format!("scrollY > 1000 && Math.abs({top}) < 2")).await?;
    browser.usual_window().await
}

/// Without scripts.
pub async fn without_scripts(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/domain?state=halted")).await?;
    browser.fill("input[name=q]", "mem>1G name~build12").await?;
    browser.click("#filter button").await?;
    shows(browser, &["build120"]).await?;
    browser.click("tr[data-name=build120] .pick input").await?;
    browser.fill("#bulk select", "delete").await?;
    browser.click("#bulk button").await?;
    browser.says("h1", "Delete 1 domain?").await?;
    browser.shot("noscript-selection").await?;
    browser.click("button[value=delete]").await?;
    browser.says(".message", "done for 1 domain (build120)").await
}
