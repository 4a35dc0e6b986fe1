//! What is touched on a phone is large enough for a thumb.

use crate::browser::Browser;
use anyhow::{Result, ensure};

/// Buttons, fields, and links that are not words in a text, which are lower than 44 px. Of a box in
/// a label the label counts.
const SMALL: &str = "return [...document.querySelectorAll(
      'button, a.button, summary, select, nav a, th a, input:not([type=hidden])')]
    .map((one) => /checkbox|radio/.test(one.type) ? one.closest('label') || one : one)
    .filter((one) => one.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true }))
    .filter((one) => !one.closest('.skip, #terminal, #screen'))
    .map((one) => [one, one.getBoundingClientRect()])
    .filter(([, { height, width }]) => width > 1 && height < 43.5)
    .map(([one, { height }]) => `${one.outerHTML.slice(0, 90)}: ${height}`)";

/// Fails if something on the open page is too small on a phone.
pub async fn check(browser: &Browser, name: &str) -> Result<()> {
    browser.window(390, 844, true).await?;
    let small = browser.run(SMALL).await?;
    browser.usual_window().await?;
    let small = small.as_array().cloned().unwrap_or_default();
    ensure!(small.is_empty(), "{name}: lower than 44 px: {small:#?}");
    Ok(())
}
