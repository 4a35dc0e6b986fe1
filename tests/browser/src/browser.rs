//! Chromium, through WebDriver.

use crate::ports::free_port;
use anyhow::{Context, Result, bail, ensure};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use fantoccini::elements::Element;
use fantoccini::key::Key;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::{Child, Command};

/// How many pixels the page is wider than its window.
pub const OVER: &str =
    "(document.documentElement.scrollWidth - document.documentElement.clientWidth)";

/// The time limit of all waits.
const TIMEOUT: Duration = Duration::from_secs(20);

/// chromedriver, shared by all browsers.
pub struct Driver {
    _child: Child,
    url: String,
}

impl Driver {
    /// Starts chromedriver.
    pub async fn start() -> Result<Self> {
        let port = free_port();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).kill_on_drop(true);
        let child = command.stdout(std::process::Stdio::null()).spawn().context("chromedriver")?;
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Ok(Self { _child: child, url: format!("http://127.0.0.1:{port}") });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("chromedriver did not start")
    }

    /// Starts a browser.
    pub async fn browser(&self, shots: &Path, scripts: bool) -> Result<Browser> {
        let javascript = if scripts { 1 } else { 2 };
        let options = json!({
            "args": [
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
            ],
            "prefs": {"profile.managed_default_content_settings.javascript": javascript},
        });
        let wanted =
            json!({"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}});
        let Value::Object(capabilities) = wanted else { bail!("capabilities") };
        let connector = hyper_util::client::legacy::connect::HttpConnector::new();
        let client =
            ClientBuilder::new(connector).capabilities(capabilities).connect(&self.url).await?;
        let browser = Browser { client, shots: shots.to_owned() };
        browser.usual_window().await?;
        Ok(browser)
    }
}

/// A browser with one window.
pub struct Browser {
    client: Client,
    shots: PathBuf,
}

/// A command outside of the WebDriver standard: `POST /session/ID/PATH`.
#[derive(Debug)]
struct VendorCommand(&'static str, Value);

impl WebDriverCompatibleCommand for VendorCommand {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.0))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.1.to_string()))
    }
}

impl Browser {
    /// Calls a command of Chromium's DevTools protocol.
    async fn devtools(&self, command: &str, params: Value) -> Result<Value> {
        Ok(self
            .client
            .issue_cmd(VendorCommand("goog/cdp/execute", json!({"cmd": command, "params": params})))
            .await?)
    }

    /// Sets the size of the window, which is a phone's if it is `mobile`.
    pub async fn window(&self, width: u32, height: u32, mobile: bool) -> Result<()> {
        let params =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile});
        self.devtools("Emulation.setDeviceMetricsOverride", params).await?;
        Ok(())
    }

    /// Sets the size of a window that is not about sizes.
    pub async fn usual_window(&self) -> Result<()> {
        self.window(1360, 940, false).await
    }

    /// Fails if the page scrolls sideways.
    pub async fn fits(&self, name: &str) -> Result<()> {
        let over = self.run(&format!("return {OVER}")).await?;
        let width = self.run("return document.documentElement.clientWidth").await?;
        ensure!(over == 0, "{name} is {over} px wider than {width} px");
        Ok(())
    }

    /// Sets the preferred theme, `dark` or `light`.
    pub async fn theme(&self, name: &str) -> Result<()> {
        let features = json!([
            {"name": "prefers-color-scheme", "value": name},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.devtools("Emulation.setEmulatedMedia", json!({"features": features})).await?;
        Ok(())
    }

    /// Opens a page.
    pub async fn open(&self, url: &str) -> Result<()> {
        Ok(self.client.goto(url).await?)
    }

    /// Goes back to the page before.
    pub async fn back(&self) -> Result<()> {
        Ok(self.client.back().await?)
    }

    /// The URL of the current page.
    pub async fn url(&self) -> Result<String> {
        Ok(self.client.current_url().await?.to_string())
    }

    /// Takes a screenshot, `NAME.png`.
    pub async fn shot(&self, name: &str) -> Result<()> {
        let params = json!({"format": "png", "captureBeyondViewport": false});
        let answer = self.devtools("Page.captureScreenshot", params).await?;
        let data = answer["data"].as_str().context("No picture")?;
        std::fs::write(self.shots.join(format!("{name}.png")), BASE64_STANDARD.decode(data)?)?;
        Ok(())
    }

    /// Takes a picture of the window in a small file (WebP).
    pub async fn small_picture(&self, path: &Path) -> Result<()> {
        let params = json!({"format": "webp", "quality": 82, "captureBeyondViewport": false});
        let answer = self.devtools("Page.captureScreenshot", params).await?;
        let data = answer["data"].as_str().context("No picture")?;
        std::fs::write(path, BASE64_STANDARD.decode(data)?)?;
        Ok(())
    }

    /// Waits for the first element that a selector matches.
    pub async fn find(&self, selector: &str) -> Result<Element> {
        let found = self.client.wait().at_most(TIMEOUT).for_element(Locator::Css(selector)).await;
        match found {
            Ok(found) => Ok(found),
            Err(_) => {
                self.shot("failure").await?;
                let shown = self.run("return document.body.innerText").await?;
                bail!("No {selector} at {}: {shown}", self.url().await?)
            }
        }
    }

    /// Whether a selector matches an element now.
    pub async fn has(&self, selector: &str) -> Result<bool> {
        Ok(!self.client.find_all(Locator::Css(selector)).await?.is_empty())
    }

    /// The text of an element.
    pub async fn text(&self, selector: &str) -> Result<String> {
        self.find(selector).await?;
        // A script reads it: the page's own script can replace an element at any moment.
        let text = self
            .run(&format!("return document.querySelector({}).innerText", json!(selector)))
            .await?;
        Ok(text.as_str().context("No text")?.trim().to_owned())
    }

    /// Waits until an element contains a text.
    pub async fn says(&self, selector: &str, text: &str) -> Result<()> {
        let selector = json!(selector);
        let text = json!(text);
        self.until(&format!("document.querySelector({selector})?.innerText.includes({text})")).await
    }

    /// Waits until a JavaScript expression is true.
    pub async fn until(&self, condition: &str) -> Result<()> {
        let deadline = tokio::time::Instant::now() + TIMEOUT;
        loop {
            if self
                .run(&format!("return Boolean({condition})"))
                .await
                .is_ok_and(|is| is == json!(true))
            {
                return Ok(());
            }
            if tokio::time::Instant::now() > deadline {
                bail!(
                    "Timed out waiting for {condition}; the page shows: {}",
                    self.text("body").await.unwrap_or_default()
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Runs JavaScript and returns its value.
    pub async fn run(&self, script: &str) -> Result<Value> {
        Ok(self.client.execute(script, vec![]).await?)
    }

    /// Runs JavaScript that calls its last argument with its value.
    pub async fn run_and_wait(&self, script: &str) -> Result<Value> {
        Ok(self.client.execute_async(script, vec![]).await?)
    }

    /// Clicks on an element.
    pub async fn click(&self, selector: &str) -> Result<()> {
        for _ in 0..5 {
            // The page's script can replace the element in between. A person would click again,
            // too.
            match self.find(selector).await?.click().await {
                Err(error) if error.is_stale_element_reference() => {}
                result => return result.with_context(|| format!("Cannot click on {selector}")),
            }
        }
        bail!("Cannot click on {selector}: it is replaced repeatedly")
    }

    /// Replaces the text of a field.
    pub async fn fill(&self, selector: &str, text: &str) -> Result<()> {
        let element = self.find(selector).await?;
        if element.tag_name().await? == "select" {
            return Ok(element.select_by_value(text).await?);
        }
        if element.attr("type").await?.as_deref() != Some("file") {
            element.clear().await?;
        }
        element.send_keys(text).await.with_context(|| format!("Cannot type into {selector}"))
    }

    /// Presses a key.
    pub async fn press(&self, key: Key) -> Result<()> {
        Ok(self.client.active_element().await?.send_keys(&char::from(key).to_string()).await?)
    }

    /// Sends keys to an element, which keeps what it has.
    pub async fn keys(&self, selector: &str, keys: &str) -> Result<()> {
        let element = self.find(selector).await?;
        element.send_keys(keys).await.with_context(|| format!("Cannot type into {selector}"))
    }

    /// Presses Tab until an element has the focus.
    pub async fn tab_to(&self, selector: &str) -> Result<()> {
        for _ in 0..200 {
            let is_focused =
                format!("return Boolean(document.activeElement?.matches({}))", json!(selector));
            if self.run(&is_focused).await? == json!(true) {
                return Ok(());
            }
            self.press(Key::Tab).await?;
        }
        bail!("Tab does not lead to {selector}")
    }

    /// Fails if there are errors on the console, such as those of the Content-Security-Policy.
    pub async fn no_errors(&self) -> Result<()> {
        let log =
            self.client.issue_cmd(VendorCommand("se/log", json!({"type": "browser"}))).await?;
        let entries = log.as_array().context("No log")?;
        // An error status is an answer, which the page shows.
        let is_answer = |text: &str| text.contains("the server responded with a status of");
        let is_error = |entry: &&Value| {
            entry["level"] == "SEVERE" && !is_answer(entry["message"].as_str().unwrap_or_default())
        };
        match entries.iter().find(is_error) {
            None => Ok(()),
            Some(entry) => bail!("On the console: {entry}"),
        }
    }

    /// Closes the browser.
    pub async fn close(self) -> Result<()> {
        Ok(self.client.close().await?)
    }
}
