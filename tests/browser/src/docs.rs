//! The pictures in README.md and docs/.

use crate::browser::Browser;
use crate::daemon::Daemon;
use crate::{configuration, populate};
use anyhow::{Context, Result};
use fantoccini::key::Key;
use std::path::Path;
use std::time::Duration;

/// The window of a picture: its text is to be read in a column of a page.
const WINDOW: (u32, u32) = (1200, 760);

/// The pictures of pages that need no preparation, each with an expression that is true when the
/// page is ready.
const PAGES: [(&str, &str, &str); 7] = [
    ("list", "/xend/domain?state=all", LIVE),
    ("domain", "/xend/domain/busy", LIVE),
    ("new", "/xend/new?template=pvh", "document.querySelector('textarea').value"),
    ("storage", "/xend/node/storage", "document.querySelector('#images tbody tr')"),
    ("host", "/xend/node", LIVE),
    ("history", "/xend/domain/busy/history?span=hour", "document.querySelector('.chart')"),
    ("reference", "/xend/help?q=memory", "document.querySelector('.copyable button')"),
];

const LIVE: &str = "document.querySelector('.link-state').textContent === 'Live'";

/// A history has a line when some minutes are over.
const MINUTES: u64 = 4;

/// Takes all pictures.
pub async fn take(browser: &Browser, daemon: &Daemon, docs: &Path) -> Result<()> {
    std::fs::create_dir_all(docs)?;
    populate(daemon).await?;
    for (name, size) in [("debian-12", "20480"), ("data", "102400"), ("swap", "2048")] {
        let image = [("op", "create"), ("name", name), ("size", size)];
        daemon.done("/xend/node/storage", &image).await?;
    }
    // The charts need some variation: a busy guest is paused now and then.
    for turn in 0..MINUTES * 6 {
        let op = ["unpause", "pause"][usize::from(turn % 4 == 3)];
        daemon.done("/xend/domain/busy", &[("op", op)]).await?;
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    daemon.done("/xend/domain/busy", &[("op", "unpause")]).await?;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let (width, height) = WINDOW;
    browser.window(width, height, false).await?;
    for (name, path, ready) in PAGES {
        browser.open(&daemon.url(path)).await?;
        browser.until(ready).await.with_context(|| name.to_owned())?;
        browser.small_picture(&docs.join(format!("{name}.webp"))).await?;
    }
    console(browser, daemon, docs).await?;
    screen(browser, daemon, docs).await?;
    browser.no_errors().await
}

async fn console(browser: &Browser, daemon: &Daemon, docs: &Path) -> Result<()> {
    let keys = "#terminal textarea";
    let shows = |text: &str| {
        format!(
            "document.querySelector('.xterm-rows').innerText.replaceAll('\\u00a0', ' ')\
             .includes('{text}')"
        )
    };
    browser.open(&daemon.url("/xend/domain/web1/console")).await?;
    browser.says("#terminal-state", "Connected").await?;
    browser.until(&shows("login: ")).await?;
    for (line, answer) in [("root", "root@web1:~#"), ("help", "print how long the guest has run")] {
        browser.keys(keys, &format!("{line}{}", Key::Enter)).await?;
        browser.until(&shows(answer)).await?;
    }
    browser.small_picture(&docs.join("console.webp")).await
}

async fn screen(browser: &Browser, daemon: &Daemon, docs: &Path) -> Result<()> {
    let config = configuration(daemon, "desk", 256, "(device (vfb (vnc 1)))");
    daemon.done("/xend/domain", &[("op", "new"), ("config", &config)]).await?;
    daemon.done("/xend/domain/desk", &[("op", "start")]).await?;
    browser.open(&daemon.url("/xend/domain/desk/screen")).await?;
    browser.says("#screen-state", "Connected").await?;
    let pixel = "document.querySelector('#screen canvas')?.getContext('2d')\
                 .getImageData(60, 50, 1, 1).data[0]";
    browser.until(&format!("{pixel} === 255")).await?;
    browser.small_picture(&docs.join("screen.webp")).await
}
