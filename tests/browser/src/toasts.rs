//! Notices.

use crate::browser::Browser;
use crate::daemon::Daemon;
use anyhow::Result;

/// A success goes away by itself, a failure when it is closed, and there are never many.
pub async fn go_away(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/domain?state=all")).await?;
    browser.until("document.querySelector('.link-state').textContent === 'Live'").await?;
    let notices = "document.querySelectorAll('#toasts p').length";
    browser.click("tr[data-name=web1] button[value=pause]").await?;
    browser.says("#toasts", "paused").await?;
    browser.click("tr[data-name=web1] button[value=unpause]").await?;
    browser.until(&format!("{notices} === 0")).await?;
    browser.run("for (let n = 0; n < 9; n += 1) notify(`Failure ${n}`, true)").await?;
    browser.until(&format!("{notices} === 4")).await?;
    browser.says("#toasts", "Failure 8").await?;
    for _ in 0..4 {
        browser.click("#toasts button").await?;
    }
    browser.until(&format!("{notices} === 0")).await
}
