//! The form that creates domains.

use crate::browser::Browser;
use crate::daemon::Daemon;
use crate::pictures::in_all_windows;
use anyhow::{Result, ensure};

const TEXT: &str = "document.querySelector('#new [name=config]').value";

async fn text_has(browser: &Browser, part: &str) -> Result<()> {
    browser.until(&format!("{TEXT}.includes({})", serde_json::json!(part))).await
}

/// With scripts.
pub async fn use_form(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/new")).await?;
    // The text follows the fields.
    browser.fill("#new [name=name]", "formed1").await?;
    text_has(browser, "(name formed1)").await?;
    browser.fill("#new [name=memory]", "96").await?;
    text_has(browser, "(memory 96)").await?;
    browser.fill("#new [name=type]", "hvm").await?;
    text_has(browser, "(boot c)").await?;
    let is_shown =
        |name: &str| format!("document.querySelector('#new [name={name}]').offsetParent");
    browser.until(&format!("{} && !{}", is_shown("iso"), is_shown("kernel"))).await?;
    browser.fill("#new [name=type]", "pvh").await?;
    browser.fill("#new [name=kernel]", "/boot/vmlinuz").await?;
    text_has(browser, "(kernel /boot/vmlinuz)").await?;
    browser.fill("#new [name=size]", "1").await?;
    browser.click("#new [name=disk][value=none]").await?;
    browser.until(&format!("!{TEXT}.includes('vbd')")).await?;
    browser.click("#new [name=disk][value=new]").await?;
    text_has(browser, ".img").await?;
    browser.shot("create-form").await?;
    in_all_windows(browser, "create").await?;
    browser.click("#new button[value=create]").await?;
    browser.until("location.pathname === '/xend/domain/formed1'").await?;
    browser.says("#state .badge", "running").await?;

    progress(browser, daemon).await?;
    edited(browser, daemon).await?;
    faults(browser, daemon).await?;
    browser.no_errors().await
}

/// A domain that takes a while: the page shows what is being done, and ends at the domain.
async fn progress(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/new")).await?;
    browser.fill("#new [name=name]", "formedslow").await?;
    browser.fill("#new [name=kernel]", "/boot/vmlinuz").await?;
    browser.click("#new [name=disk][value=path]").await?;
    browser.fill("#new [name=path]", "/dev/hotplugslow").await?;
    text_has(browser, "(uname phy:/dev/hotplugslow)").await?;
    browser.click("#new button[value=create]").await?;
    browser.says("h1", "Creating formedslow").await?;
    browser.says("#creation", "Store the definition done").await?;
    browser.says("#creation", "Start it under way").await?;
    browser.shot("create-progress").await?;
    browser.until("location.pathname === '/xend/domain/formedslow'").await
}

/// A text that was edited stays, and is what the domain is made of.
async fn edited(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/new")).await?;
    browser.fill("#new [name=name]", "formed2").await?;
    browser.fill("#new [name=kernel]", "/boot/vmlinuz").await?;
    browser.click("#new [name=disk][value=none]").await?;
    browser.until(&format!("{TEXT}.includes('formed2') && !{TEXT}.includes('vbd')")).await?;
    browser
        .fill(
            "#new [name=config]",
            "(vm (name formed3) (memory 72) (image (pvh (kernel /boot/vmlinuz))))",
        )
        .await?;
    browser.says("#edited", "The S-expression was edited").await?;
    browser.fill("#new [name=memory]", "80").await?;
    browser
        .until("document.querySelector('#new [name=made]').value.includes('(memory 80)')")
        .await?;
    text_has(browser, "(memory 72)").await?;
    browser.click("#new button[value=create]").await?;
    browser.until("location.pathname === '/xend/domain/formed3'").await?;
    ensure!(daemon.get("/xend/domain/formed3").await?.contains("(memory 72)"), "the fields won");
    // The fields again.
    browser.open(&daemon.url("/xend/new")).await?;
    browser.fill("#new [name=config]", "(vm)").await?;
    browser.click("#new button[value=preview]").await?;
    text_has(browser, "(on_poweroff destroy)").await?;
    browser.until("document.getElementById('edited').hidden").await
}

async fn faults(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/new")).await?;
    browser.fill("#new [name=name]", "formed4").await?;
    // What the fields make has arrived: it would come between what is typed.
    text_has(browser, "(name formed4)").await?;
    let wrong = "(vm\n  (name formed4)\n  (memory lots))";
    browser.fill("#new [name=config]", wrong).await?;
    browser.click("#new button[value=create]").await?;
    browser.says("[role=alert]", "Line 3, column 11: memory").await?;
    browser.until("document.activeElement.name === 'config'").await?;
    let config = "document.querySelector('#new [name=config]')";
    let selected = format!("{config}.value.slice({config}.selectionStart, {config}.selectionEnd)");
    browser.until(&format!("{selected} === 'lots'")).await?;
    browser.until(&format!("document.getElementById({config}.getAttribute('aria-describedby')).innerText.includes('Line 3')")).await?;
    // The line under the fault is where the fault is.
    let mark = "document.querySelector('.marks mark').getBoundingClientRect()";
    browser
        .until(&format!("{mark}.width > 10 && {mark}.top > {config}.getBoundingClientRect().top"))
        .await?;
    in_all_windows(browser, "create-fault").await?;
    browser.fill("#new [name=config]", "(vm)").await?;
    browser.until("!document.querySelector('.marks')").await?;
    // A field.
    browser.open(&daemon.url("/xend/new")).await?;
    browser.fill("#new [name=name]", "a/b").await?;
    browser.click("#new button[value=create]").await?;
    browser.says("[role=alert]", "Invalid value for name").await?;
    browser.until("document.activeElement.name === 'name'").await
}

/// Without scripts: the text is made when the form is sent.
pub async fn without_scripts(browser: &Browser, daemon: &Daemon) -> Result<()> {
    browser.open(&daemon.url("/xend/new")).await?;
    browser.fill("#new [name=name]", "formed5").await?;
    browser.fill("#new [name=kernel]", "/boot/vmlinuz").await?;
    browser.click("#new [name=disk][value=none]").await?;
    browser.click("#new button[value=preview]").await?;
    text_has(browser, "(name formed5)").await?;
    browser.fill("#new [name=memory]", "88").await?;
    browser.shot("noscript-create").await?;
    browser.click("#new button[value=create]").await?;
    browser.until("location.pathname === '/xend/domain/formed5'").await?;
    ensure!(daemon.get("/xend/domain/formed5").await?.contains("(memory 88)"), "the text won");
    browser.open(&daemon.url("/xend/new")).await?;
    browser.fill("#new [name=config]", "(vm (name x)").await?;
    // The browser itself asks for a name.
    browser.fill("#new [name=name]", "x").await?;
    browser.click("#new button[value=create]").await?;
    browser.find("[role=alert]").await?;
    ensure!(browser.has("mark").await?, "the error is not marked");
    Ok(())
}
