//! The screen on its page.

use crate::browser::Browser;
use crate::daemon::Daemon;
use anyhow::{Result, ensure};
use fantoccini::key::Key;
use serde_json::json;

/// Waits until a pixel of the guest's screen has a colour.
async fn shows(browser: &Browser, x: u32, y: u32, colour: [u8; 3]) -> Result<()> {
    let canvas = "document.querySelector('#screen canvas')";
    let pixel = format!("{canvas}?.getContext('2d').getImageData({x}, {y}, 1, 1).data.slice(0, 3)");
    browser
        .until(&format!(
            "String({pixel}) === {}",
            json!(colour.map(|part| part.to_string()).join(","))
        ))
        .await
}

const YELLOW: [u8; 3] = [255, 255, 0];
const KEYS: [u8; 3] = [255, 128, 0];
const NO_KEYS: [u8; 3] = [64, 64, 64];

/// A person looks at a guest, presses keys, and switches the guest off and on.
pub async fn use_screen(browser: &Browser, daemon: &Daemon) -> Result<()> {
    let config = "(vm (name desk) (memory 64) (image (linux (kernel /boot/vmlinuz))) \
                  (device (vfb (vnc 1) (vncpasswd secret))))";
    daemon.done("/xend/domain", &[("op", "new"), ("config", config)]).await?;
    daemon.done("/xend/domain/desk", &[("op", "start")]).await?;
    browser.open(&daemon.url("/xend/domain/desk")).await?;
    browser.click("a[href='/xend/domain/desk/screen']").await?;
    browser.says("#screen-state", "Connected").await?;
    shows(browser, 60, 50, YELLOW).await?;
    shows(browser, 4, 190, NO_KEYS).await?;
    browser.keys("#screen canvas", "a").await?;
    shows(browser, 4, 190, KEYS).await?;
    shows(browser, 12, 190, NO_KEYS).await?;
    // Three keys: the bar is four keys long.
    browser.click("#screen-keys").await?;
    shows(browser, 28, 190, KEYS).await?;
    shows(browser, 36, 190, NO_KEYS).await?;
    browser.shot("screen").await?;
    let scaled = "return document.querySelector('#screen canvas').clientWidth";
    ensure!(browser.run(scaled).await?.as_f64() > Some(320.0), "the picture is not enlarged");
    browser.click("#screen-fit").await?;
    ensure!(browser.run(scaled).await? == json!(320), "the picture is enlarged");
    browser.keys("#screen canvas", &format!("{}{}", Key::Shift, Key::Escape)).await?;
    let left = browser.run("return document.activeElement.id").await?;
    ensure!(left == json!("screen-leave"), "the focus is on {left}");

    daemon.done("/xend/domain/desk", &[("op", "destroy")]).await?;
    browser.says("#screen-state", "The domain is off").await?;
    daemon.done("/xend/domain/desk", &[("op", "start")]).await?;
    browser.says("#screen-state", "Connected").await?;
    shows(browser, 4, 190, NO_KEYS).await?;
    daemon.done("/xend/domain/desk", &[("op", "destroy")]).await?;
    daemon.done("/xend/domain/desk", &[("op", "delete")]).await?;
    browser.no_errors().await
}
