//! Changes that pages show by themselves.

use crate::browser::Browser;
use crate::daemon::Daemon;
use crate::{configuration, row};
use anyhow::{Result, ensure};

/// Another client changes domains while the list is open.
pub async fn by_others(browser: &Browser, daemon: &Daemon) -> Result<()> {
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
    browser.until("document.querySelector('#history').textContent.includes('Unpause')").await?;
    daemon.done("/xend/domain/web2", &[("op", "set_vcpus"), ("vcpus", "1")]).await?;
    browser.until("document.querySelector('#facts').textContent.includes('1 of 2 online')").await?;
    browser.until("document.querySelector('#guest').textContent.includes('Debian')").await?;
    let address = [("op", "reset_network"), ("address", "203.0.113.20/24")];
    daemon.done("/xend/domain/web2", &address).await?;
    browser.until("document.querySelector('#guest').textContent.includes('203.0.113.20')").await?;
    let points = "document.querySelector('#usage polyline').getAttribute('points')";
    let before = browser.run(&format!("return {points}")).await?;
    browser.until(&format!("{points} !== {before}")).await?;
    ensure!(browser.run("return window.same").await? == true, "the page was loaded again");
    browser.no_errors().await
}

/// A save takes its time.
pub async fn that_takes_long(browser: &Browser, daemon: &Daemon) -> Result<()> {
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
