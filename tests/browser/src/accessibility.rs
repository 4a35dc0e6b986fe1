//! axe-core on every page: at the widths of a phone, a tablet and a desk, in both themes.

use crate::browser::Browser;
use crate::pictures::WINDOWS;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::Path;

/// The rules of WCAG 2.2, levels A and AA, and axe-core's best practices.
const RUN: &str = "
    const tell = arguments[arguments.length - 1];
    axe.run(document, {resultTypes: ['violations']}).then(
        ({violations}) => tell(violations.flatMap(({id, nodes}) =>
            nodes.map(node => `${id}: ${node.target.join(' ')}: ${node.failureSummary}`))),
        error => tell([String(error)]));";

/// axe-core, from its package.
pub struct Axe(String);

impl Axe {
    /// Reads its script.
    pub fn read(script: &Path) -> Result<Self> {
        let script = std::fs::read_to_string(script);
        Ok(Self(script.context("axe-core is missing")?))
    }

    /// Checks pages in every window and theme.
    pub async fn check(&self, browser: &Browser, urls: &[String]) -> Result<()> {
        let mut faults = Vec::new();
        for url in urls {
            browser.open(url).await?;
            browser.run(&self.0).await?;
            for theme in ["light", "dark"] {
                browser.theme(theme).await?;
                for (width, height, mobile) in WINDOWS {
                    browser.window(width, height, mobile).await?;
                    let violations = browser.run_and_wait(RUN).await?;
                    let violations = violations.as_array().context("No result")?;
                    let violations = violations.iter().filter_map(Value::as_str);
                    let place = format!("{url}, {width} pixels, {theme}");
                    faults.extend(violations.map(|fault| format!("{place}: {fault}")));
                }
            }
        }
        browser.theme("light").await?;
        browser.usual_window().await?;
        ensure!(faults.is_empty(), "Faults:\n{}", faults.join("\n"));
        Ok(())
    }
}
