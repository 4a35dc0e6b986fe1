//! Pictures of pages, none of which may scroll sideways.

use crate::browser::Browser;
use crate::daemon::Daemon;
use crate::thumbs;
use anyhow::{Context, Result};
use std::time::Duration;

/// Width and height of a phone's window, a tablet's and a desk's, and whether it is a phone's.
pub const WINDOWS: [(u32, u32, bool); 3] =
    [(390, 844, true), (768, 1024, false), (1440, 900, false)];

/// The tallest picture.
const MAX_HEIGHT: u64 = 6000;

/// Every kind of page.
pub const PAGES: [(&str, &str); 26] = [
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
    ("reference-search", "/xend/help?q=memory"),
    ("reference-calls", "/xend/help?part=xml-rpc"),
    ("reference-classes", "/xend/help?part=xen-api"),
    ("confirm", "/xend/domain/web1/confirm?op=destroy"),
    ("console", "/xend/domain/web1/console"),
    ("missing", "/xend/domain/nosuch"),
];

/// Takes screenshots of every page in all windows and both themes.
pub async fn of_every_page(browser: &Browser, daemon: &Daemon) -> Result<()> {
    // The charts need some figures.
    tokio::time::sleep(Duration::from_secs(7)).await;
    for (name, path) in PAGES {
        browser.open(&daemon.url(path)).await?;
        in_all_windows(browser, name).await.with_context(|| path.to_owned())?;
        thumbs::check(browser, name).await?;
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

/// Takes pictures of the page that is open in all windows and both themes: what is in sight, and
/// the whole.
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
