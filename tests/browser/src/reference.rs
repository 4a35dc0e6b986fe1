//! The reference: its search, its index, its commands.

use crate::browser::Browser;
use crate::daemon::Daemon;
use anyhow::{Result, ensure};

/// With scripts: each command can be copied.
pub async fn use_reference(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/help")).await?;
    search(browser).await?;
    let line = "#xend-domain--domain--sysrq-line";
    browser
        .until(&format!("document.querySelector('{line}').textContent.includes('op=sysrq')"))
        .await?;
    browser.click(".copyable button").await?;
    // Without the right to write to the clipboard, the command is selected.
    browser.until("/Copied|Selected/.test(document.querySelector('#toasts').innerText)").await?;
    browser.click(".tabs a[href^='?part=xen-api']").await?;
    browser.says("h3", "VM.send_sysrq(session, vm, key)").await?;
    let copies = "document.querySelectorAll('.copyable').length === \
                  document.querySelectorAll('.copyable button').length";
    browser.until(copies).await?;
    browser.no_errors().await
}

/// Without scripts: the search and the index work, and no button does nothing.
pub async fn without_scripts(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/help")).await?;
    search(browser).await?;
    ensure!(!browser.has(".copyable button").await?, "a button copies without a script");
    Ok(())
}

async fn search(browser: &Browser) -> Result<()> {
    browser.click(".op-index a[href='#xend-domain--domain--sysrq']").await?;
    browser.until("location.hash === '#xend-domain--domain--sysrq'").await?;
    browser.fill("input[name=q]", "sysrq").await?;
    browser.click(".filter button").await?;
    browser.until("location.search.includes('q=sysrq')").await?;
    browser.until("document.querySelectorAll('.op-index a').length === 1").await?;
    browser.says(".tabs a[aria-current]", "HTTP 1").await
}
