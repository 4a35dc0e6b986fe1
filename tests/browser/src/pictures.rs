//! Pictures of pages, none of which may scroll sideways.

use crate::browser::Browser;
use crate::daemon::Daemon;
use anyhow::{Context, Result};
use std::path::Path;
use std::time::Duration;

/// Width and height of a phone's window, a tablet's and a desk's, and whether it is a phone's.
pub const WINDOWS: [(u32, u32, bool); 3] =
    [(390, 844, true), (768, 1024, false), (1440, 900, false)];

/// The tallest picture.
const MAX_HEIGHT: u64 = 6000;

/// Every kind of page.
pub const PAGES: [(&str, &str); 23] = [
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

/// Takes screenshots of every page in both themes, and on a phone.
pub async fn of_every_page(browser: &Browser, daemon: &Daemon, docs: Option<&Path>) -> Result<()> {
    // The charts need some variation: a busy guest is paused now and then.
    for turn in 0..if docs.is_some() { 24 } else { 2 } {
        daemon.done("/xend/domain/busy", &[("op", ["unpause", "pause"][turn % 2])]).await?;
        tokio::time::sleep(Duration::from_secs(turn as u64 * 7 % 17 + 4)).await;
    }
    daemon.done("/xend/domain/busy", &[("op", "unpause")]).await?;
    tokio::time::sleep(Duration::from_secs(7)).await;
    for (name, path) in PAGES {
        browser.open(&daemon.url(path)).await?;
        of_page(browser, name).await.with_context(|| path.to_owned())?;
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
pub async fn of_page(browser: &Browser, name: &str) -> Result<()> {
    for theme in ["light", "dark"] {
        browser.theme(theme).await?;
        browser.window(1360, 940, false).await?;
        browser.shot(&format!("{name}-{theme}")).await?;
        browser.window(1360, 2400, false).await?;
        browser.shot(&format!("{name}-{theme}-whole")).await?;
    }
    browser.theme("light").await?;
    browser.window(390, 844, true).await?;
    browser.fits(name).await?;
    browser.shot(&format!("{name}-phone")).await?;
    browser.usual_window().await?;
    browser.no_errors().await
}

/// Takes pictures of the page that is open in all windows and both themes: what is in sight, and the
/// whole.
pub async fn in_all_windows(browser: &Browser, name: &str) -> Result<()> {
    for theme in ["light", "dark"] {
        browser.theme(theme).await?;
        for (width, height, is_phone) in WINDOWS {
            browser.window(width, height, is_phone).await?;
            browser.fits(name).await?;
            browser.shot(&format!("{name}-{width}-{theme}")).await?;
            let whole = browser.run("return document.documentElement.scrollHeight").await?;
            let whole = whole.as_u64().context("No height")?.min(MAX_HEIGHT);
            browser.window(width, u32::try_from(whole)?, is_phone).await?;
            browser.shot(&format!("{name}-{width}-{theme}-whole")).await?;
        }
    }
    browser.theme("light").await?;
    browser.usual_window().await?;
    browser.no_errors().await
}
