//! What the host has: storage, networks, saved domains, tasks, events, the log, and the menu that
//! leads there.

use crate::browser::Browser;
use crate::configuration;
use crate::daemon::Daemon;
use crate::pictures::in_all_windows;
use anyhow::{Context, Result, ensure};

/// The pages, and the names of their pictures.
const PAGES: [(&str, &str); 10] = [
    ("storage", "/xend/node/storage"),
    ("network", "/xend/node/network"),
    ("pools", "/xend/node/pool"),
    ("pci", "/xend/node/pci"),
    ("users", "/xend/node/user"),
    ("log", "/xend/node/log"),
    ("xen-messages", "/xend/node/dmesg"),
    ("saved", "/xend/saved"),
    ("tasks", "/xend/task"),
    ("events", "/xend/journal"),
];

/// A domain of the test's own, which later parts do not see.
const OWN: &str = "host-pages";

/// Rows of the first table on a page.
const ROWS: &str = "document.querySelectorAll('.rows tbody tr').length";

/// Creates, sends, clones and deletes images, with the page's script or without.
async fn manage_images(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/node/storage")).await?;
    browser.click("details:has(button[value=create]) summary").await?;
    browser.fill("form:has(button[value=create]) input[name=name]", "made").await?;
    browser.fill("form:has(button[value=create]) input[name=size]", "8").await?;
    browser.click("button[value=create]").await?;
    browser.says("body", "The image has been created.").await?;
    browser.says("#images", "8 MiB").await?;

    browser.open(&daemon.url("/xend/node/storage")).await?;
    browser.click("details:has(input[type=file]) summary").await?;
    browser.fill("form:has(input[type=file]) input[name=name]", "sent").await?;
    browser.fill("input[type=file]", &daemon.file("root.img")).await?;
    browser.click("form:has(input[type=file]) button").await?;
    browser.says(".message", "The image has been uploaded.").await?;
    browser.says("#images", "sent").await?;

    browser.click("#images a[href^='/xend/node/storage/']").await?;
    browser.says("h1", "made").await?;
    browser.click("details:has(button[value=clone]) summary").await?;
    browser.fill("form:has(button[value=clone]) input[name=name]", "copy").await?;
    browser.click("button[value=clone]").await?;
    browser.says("body", "The image has been cloned.").await?;
    for left in [2, 1, 0] {
        browser.open(&daemon.url("/xend/node/storage")).await?;
        browser.until(&format!("{ROWS} === {}", left + 1)).await?;
        browser.click("#images a.danger").await?;
        browser.says("body", "All data in the image are lost.").await?;
        browser.click("button.danger[value=delete]").await?;
        browser.says("body", "The image has been deleted.").await?;
        browser.open(&daemon.url("/xend/node/storage")).await?;
        browser.until(&format!("{ROWS} === {left}")).await?;
    }
    Ok(())
}

/// Filters events and the log.
async fn filter_lists(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/journal")).await?;
    browser.fill("select[name=kind]", "operations").await?;
    browser.fill("input[name=q]", OWN).await?;
    browser.click(".filter button").await?;
    browser.until("location.search.includes('kind=operations')").await?;
    browser.says("#events", "Pause").await?;
    browser.open(&daemon.url("/xend/node/log")).await?;
    browser.fill("select[name=level]", "error").await?;
    browser.click(".filter button").await?;
    browser.says("main", "No line of the log matches.").await
}

/// The menu on a phone: it folds, and its entries are large enough for a thumb.
async fn use_menu(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/domain")).await?;
    browser
        .until("getComputedStyle(document.querySelector('.menu .host')).display === 'none'")
        .await?;
    browser.window(390, 844, true).await?;
    browser
        .until(
            "!document.querySelector('.menu nav').checkVisibility({contentVisibilityAuto: true})",
        )
        .await?;
    browser.click(".menu > summary").await?;
    let small = "[...document.querySelectorAll('.menu a, .menu > summary')]\
                 .filter((one) => one.getBoundingClientRect().height < 44).length";
    let small = browser.run(&format!("return {small}")).await?;
    ensure!(small == 0, "{small} entries of the menu are lower than 44 px");
    browser.shot("menu-phone").await?;
    browser.click(".menu a[href='/xend/node/storage']").await?;
    browser.says("h1", "Storage").await?;
    browser.usual_window().await?;
    // WebDriver takes what is in a closed `details` for hidden, whatever the stylesheet shows.
    let networks = "document.querySelector(\".menu .host a[href='/xend/node/network']\")";
    browser.until(&format!("{networks}.checkVisibility()")).await?;
    browser.run(&format!("{networks}.click()")).await?;
    browser.says("h1", "Networks").await?;
    browser.says("#bridges", OWN).await
}

/// All of it with scripts: pictures, changes by others, the log that is followed.
pub async fn use_pages(browser: &Browser, daemon: &Daemon) -> Result<()> {
    let config = configuration(daemon, OWN, 64, "");
    let path = format!("/xend/domain/{OWN}");
    daemon.done("/xend/domain", &[("op", "new"), ("config", &config)]).await?;
    daemon.done(&path, &[("op", "start")]).await?;
    daemon.done(&path, &[("op", "pause")]).await?;
    use_menu(browser, daemon).await?;
    manage_images(browser, daemon).await?;
    filter_lists(browser, daemon).await?;

    browser.open(&daemon.url("/xend/journal")).await?;
    browser.until("document.querySelector('.link-state').textContent === 'Live'").await?;
    daemon.done(&path, &[("op", "unpause")]).await?;
    browser.says("#events tbody tr:nth-child(-n+3)", "Unpause").await?;
    browser.open(&daemon.url("/xend/node/log")).await?;
    browser.click("button[aria-pressed]").await?;
    daemon.done(&path, &[("op", "sysrq"), ("key", "115")]).await?;
    browser.says("#log", "op=\"sysrq\"").await?;

    daemon.done(&path, &[("op", "suspend")]).await?;
    browser.open(&daemon.url("/xend/saved")).await?;
    browser.click(&format!("button[formaction='{path}'][value=resume]")).await?;
    browser.until("!document.querySelector('#suspended').innerText.includes('host-pages')").await?;
    for (name, page) in PAGES {
        browser.open(&daemon.url(page)).await?;
        in_all_windows(browser, name).await.with_context(|| page.to_owned())?;
    }
    for op in ["destroy", "delete"] {
        daemon.done(&path, &[("op", op)]).await?;
    }
    browser.open(&daemon.url("/xend/node/dmesg")).await?;
    browser.click("button[value=clear]").await?;
    browser.says("body", "has been cleared").await?;
    browser.until("!document.getElementById('text').innerText.includes('(XEN)')").await?;
    browser.no_errors().await
}

/// The same without scripts.
pub async fn without_scripts(browser: &Browser, daemon: &Daemon) -> Result<()> {
    let config = configuration(daemon, OWN, 64, "");
    let path = format!("/xend/domain/{OWN}");
    daemon.done("/xend/domain", &[("op", "new"), ("config", &config)]).await?;
    daemon.done(&path, &[("op", "start")]).await?;
    daemon.done(&path, &[("op", "pause")]).await?;
    use_menu(browser, daemon).await?;
    manage_images(browser, daemon).await?;
    filter_lists(browser, daemon).await?;
    ensure!(!browser.has("button[aria-pressed]").await?, "a log is followed without a script");
    for op in ["destroy", "delete"] {
        daemon.done(&path, &[("op", op)]).await?;
    }
    Ok(())
}
