//! The terminal on the page of a guest's console.

use crate::browser::Browser;
use crate::daemon::Daemon;
use anyhow::{Result, ensure};
use fantoccini::key::Key;
use serde_json::json;

/// Where the terminal takes keys.
const KEYS: &str = "#terminal textarea";

async fn shows(browser: &Browser, text: &str) -> Result<()> {
    let text = json!(text);
    // The terminal keeps blanks as no-break spaces.
    let rows = "document.querySelector('.xterm-rows').innerText.replaceAll('\\u00a0', ' ')";
    browser.until(&format!("{rows}.includes({text})")).await
}

async fn type_line(browser: &Browser, line: &str) -> Result<()> {
    browser.keys(KEYS, &format!("{line}{}", Key::Enter)).await
}

/// A person logs in, works, and switches the guest off and on.
pub async fn use_terminal(browser: &Browser, daemon: &Daemon) -> Result<()> {
    let config = "(vm (name term) (memory 64) (image (linux (kernel /boot/vmlinuz))))";
    daemon.done("/xend/domain", &[("op", "new"), ("config", config)]).await?;
    daemon.done("/xend/domain/term", &[("op", "start")]).await?;
    browser.open(&daemon.url("/xend/domain/term/console")).await?;
    browser.says("#terminal-state", "Connected").await?;
    shows(browser, "term login: ").await?;
    let viewport = "const style = getComputedStyle(document.querySelector('.xterm-viewport')); \
                    return [style.backgroundColor, style.overflowY]";
    let frame = browser.run(viewport).await?;
    ensure!(frame == json!(["rgba(0, 0, 0, 0)", "hidden"]), "the terminal has a frame: {frame}");
    type_line(browser, "root").await?;
    shows(browser, "root@term:~#").await?;
    type_line(browser, "help").await?;
    shows(browser, "print how long the guest has run").await?;
    browser.shot("console-terminal").await?;

    browser.fill("#sysrq-key", "115").await?;
    browser.click(".terminal-bar form button").await?;
    browser.says("#toasts", "Send Magic SysRq").await?;
    browser.click("#terminal-break").await?;
    type_line(browser, "echo typed after the break").await?;
    shows(browser, "typed after the break").await?;
    browser.keys(KEYS, &format!("{}{}", Key::Shift, Key::Escape)).await?;
    let left = browser.run("return document.activeElement.id").await?;
    ensure!(left == json!("terminal-leave"), "the focus is on {left}");

    type_line(browser, "poweroff").await?;
    shows(browser, "reboot: System poweroff").await?;
    browser.says("#terminal-state", "The domain is off").await?;
    daemon.done("/xend/domain/term", &[("op", "start")]).await?;
    browser.says("#terminal-state", "Connected").await?;
    shows(browser, "term login: ").await?;
    daemon.done("/xend/domain/term", &[("op", "rename"), ("name", "line")]).await?;
    browser.until("location.pathname === '/xend/domain/line/console'").await?;
    browser.says("#terminal-state", "Connected").await?;
    daemon.done("/xend/domain/line", &[("op", "destroy")]).await?;
    daemon.done("/xend/domain/line", &[("op", "delete")]).await?;
    browser.says("#terminal-state", "The domain has been removed").await?;
    browser.says("#terminal-leave", "All domains").await?;
    browser.no_errors().await
}
