//! The pages of a user: login, domains, operations, logout.

use crate::browser::Browser;
use crate::daemon::Daemon;
use crate::{configuration, pictures, row};
use anyhow::{Result, ensure};

/// The password of `steve`.
pub const PASSWORD: &str = "correct horse battery";
/// The password that he gets in the end.
const OTHER_PASSWORD: &str = "staple";

/// Two domains of the user `steve`, and one of somebody else.
pub async fn populate(daemon: &Daemon) -> Result<()> {
    for (name, memory) in [("steve-web", 256), ("steve-db", 384), ("ann-shop", 512)] {
        let config = configuration(daemon, name, memory, "");
        daemon.done("/xend/domain", &[("op", "new"), ("config", &config)]).await?;
    }
    for name in ["steve-web", "ann-shop"] {
        daemon.done(&format!("/xend/domain/{name}"), &[("op", "start")]).await?;
    }
    Ok(())
}

async fn log_in(browser: &Browser, password: &str) -> Result<()> {
    browser.says("h1", "Log in").await?;
    browser.fill("input[name=user]", "steve").await?;
    browser.fill("input[name=password]", password).await?;
    browser.click("main button").await
}

/// Only the user's domains are listed.
async fn sees_own_domains(browser: &Browser) -> Result<()> {
    browser.until(&row("steve-web")).await?;
    browser.until(&row("steve-db")).await?;
    let shown = browser.text("body").await?;
    ensure!(!shown.contains("ann-shop") && !shown.contains("Domain-0"), "shown: {shown}");
    Ok(())
}

/// The pages with scripts.
pub async fn use_account(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/domain?state=all")).await?;
    browser.until("location.pathname === '/xend/login'").await?;
    browser.until("document.activeElement.name === 'user'").await?;
    pictures::of_page(browser, "login").await?;
    log_in(browser, "wrong").await?;
    browser.says("[role=alert]", "The name or the password is wrong.").await?;
    browser.until("document.querySelector('input[name=user]').value === 'steve'").await?;
    browser.until("document.activeElement.name === 'password'").await?;
    browser.shot("login-failed").await?;
    browser.fill("input[name=password]", PASSWORD).await?;
    browser.click("main button").await?;
    browser.until("location.pathname + location.search === '/xend/domain?state=all'").await?;
    sees_own_domains(browser).await?;
    browser.says("header .user", "steve").await?;
    let menu = browser.text("nav[aria-label=Main]").await?;
    let entries = ["Domains", "Tasks", "Events", "Reference"];
    ensure!(menu.split_whitespace().eq(entries), "menu: {menu}");
    let cookies = browser.run("return document.cookie").await?;
    ensure!(cookies == "", "a script sees the cookie: {cookies}");
    pictures::of_page(browser, "user-list").await?;

    // Changes by others arrive, and only those of the user's domains.
    browser.until("document.querySelector('.link-state').textContent === 'Live'").await?;
    browser.run("window.same = true").await?;
    daemon.done("/xend/domain/ann-shop", &[("op", "pause")]).await?;
    daemon.done("/xend/domain/steve-web", &[("op", "pause")]).await?;
    let badge = |name: &str, word: &str| {
        format!("{}.querySelector('.badge').textContent === '{word}'", row(name))
    };
    browser.until(&badge("steve-web", "paused")).await?;
    browser.click("tr[data-name=steve-web] button[value=unpause]").await?;
    browser.until(&badge("steve-web", "running")).await?;
    browser.click("tr[data-name=steve-db] button[value=start]").await?;
    browser.until(&badge("steve-db", "running")).await?;
    sees_own_domains(browser).await?;
    ensure!(browser.run("return window.same").await? == true, "the page was loaded again");

    browser.click("tr[data-name=steve-db] th a").await?;
    browser.says("h1", "Domain steve-db").await?;
    browser.says("#history", "steve at 127.0.0.1").await?;
    for op in ["rename", "save", "mem_target_set", "device_create", "pincpu"] {
        ensure!(!browser.has(&format!("button[value={op}]")).await?, "{op} is offered");
    }
    pictures::of_page(browser, "user-domain").await?;
    browser.click("#operations details:has(button[value=sysrq]) summary").await?;
    browser.fill("#operations details[open] [name=key]", "115").await?;
    browser.click("#operations details[open] button[value=sysrq]").await?;
    browser.says("#toasts", "Done").await?;
    for (path, heading) in [("/xend/domain/ann-shop", "Not found"), ("/xend/node", "Not allowed")] {
        browser.open(&daemon.url(path)).await?;
        browser.says("h1", heading).await?;
    }
    pictures::of_page(browser, "user-refused").await?;

    // An open page leads to the login by itself when the session ends, and the login back to it.
    browser.open(&daemon.url("/xend/domain/steve-web")).await?;
    browser.until("document.querySelector('.link-state').textContent === 'Live'").await?;
    daemon.set_password("steve", OTHER_PASSWORD).await?;
    browser.until("location.pathname === '/xend/login'").await?;
    browser.says("[role=status]", "Your session has ended.").await?;
    browser.shot("login-again").await?;
    log_in(browser, OTHER_PASSWORD).await?;
    browser.says("h1", "Domain steve-web").await?;

    browser.click("header .user button").await?;
    browser.says("h1", "Log in").await?;
    browser.back().await?;
    browser.says("h1", "Log in").await?;
    browser.no_errors().await
}

/// The pages without scripts.
pub async fn without_scripts(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/domain/steve-web")).await?;
    log_in(browser, OTHER_PASSWORD).await?;
    browser.says("h1", "Domain steve-web").await?;
    browser.click("#actions button[value=pause]").await?;
    browser.says(".message", "steve-web is paused").await?;
    ensure!(
        daemon.get("/xend/domain/steve-web").await?.contains("(state --p---)"),
        "the domain is not paused"
    );
    browser.open(&daemon.url("/xend/domain?state=all")).await?;
    sees_own_domains(browser).await?;
    browser.click("header .user button").await?;
    browser.says("h1", "Log in").await
}
