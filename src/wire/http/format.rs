//! The format of an answer: S-expression, HTML or JSON.

use crate::shape::{JsonSink, SxpSink};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, USER_AGENT};

/// The format of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `application/sxp`. Old clients compare the whole header, so it never has a charset.
    Sxp,
    /// A page.
    Html {
        /// Whether Accept names `text/html`, as browsers do; curl's `*/*` does not.
        explicit: bool,
    },
    /// The data of the S-expression as JSON.
    Json,
}

impl Format {
    /// Chooses the format by xend's rule, 3.0.0 to 4.4: an S-expression if User-Agent or Accept is
    /// missing or empty, or if Accept names `application/sxp`; otherwise HTML. Our addition: JSON
    /// if Accept prefers it to S-expressions and names HTML with no higher quality.
    pub(super) fn negotiate(headers: &HeaderMap) -> Self {
        // Of several Accept headers the last one counts, as in xend's header parser.
        let last = |name| {
            headers
                .get_all(name)
                .iter()
                .next_back()
                .and_then(|value| value.to_str().ok())
                .unwrap_or("")
                .trim()
        };
        let agent = last(USER_AGENT);
        let accept = last(ACCEPT);
        let wants = Preferences::parse(accept);
        if wants.json > wants.sxp && wants.json >= wants.html {
            return Self::Json;
        }
        if agent.is_empty() || accept.is_empty() || wants.sxp > 0 {
            return Self::Sxp;
        }
        Self::Html { explicit: wants.html > 0 }
    }

    pub(super) const fn is_html(self) -> bool {
        matches!(self, Self::Html { .. })
    }

    /// Writes data as JSON, or else as an S-expression.
    pub(super) fn serialize(
        self,
        to_sxp: impl FnOnce(&mut SxpSink),
        to_json: impl FnOnce(&mut JsonSink),
    ) -> Vec<u8> {
        if self == Self::Json {
            let mut sink = JsonSink::default();
            to_json(&mut sink);
            return sink.into_bytes();
        }
        let mut sink = SxpSink::default();
        to_sxp(&mut sink);
        sink.into_bytes()
    }
}

/// Quality values in thousandths; 0 for a type that Accept does not name.
#[derive(Default)]
struct Preferences {
    sxp: u16,
    html: u16,
    json: u16,
}

impl Preferences {
    fn parse(accept: &str) -> Self {
        let mut preferences = Self::default();
        for item in accept.split(',') {
            let mut parts = item.split(';').map(str::trim);
            let media = parts.next().unwrap_or("").to_ascii_lowercase();
            let quality = parts
                .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
                .map_or(1000, |q| q.trim().parse::<f32>().map_or(0, thousandths));
            let slot = match media.as_str() {
                "application/sxp" => &mut preferences.sxp,
                "text/html" | "application/xhtml+xml" => &mut preferences.html,
                "application/json" => &mut preferences.json,
                _ => continue,
            };
            *slot = quality.max(*slot);
        }
        preferences
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=1000 before"
)]
fn thousandths(quality: f32) -> u16 {
    (quality.clamp(0.0, 1.0) * 1000.0) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_agent_and_accept_choose_the_format() {
        let html = Format::Html { explicit: true };
        for (agent, accept, format) in [
            (None, None, Format::Sxp),
            (None, Some("*/*"), Format::Sxp),
            (Some(""), Some("text/html"), Format::Sxp),
            (Some("curl/7.0"), None, Format::Sxp),
            (Some("curl/7.0"), Some(""), Format::Sxp),
            (Some("curl/7.0"), Some("*/*"), Format::Html { explicit: false }),
            (Some("curl/7.0"), Some("text/html"), html),
            (Some("curl/7.0"), Some("application/sxp"), Format::Sxp),
            (Some("curl/7.0"), Some("text/html, Application/SXP;q=0.1"), Format::Sxp),
            (Some("curl/7.0"), Some("application/json"), Format::Json),
            (None, Some("application/json"), Format::Json),
            (Some("x"), Some("application/json;q=0.5, text/html"), html),
            (Some("x"), Some("application/json, text/html;q=0.5"), Format::Json),
            (Some("x"), Some("application/sxp, application/json"), Format::Sxp),
            (Some("x"), Some("application/json;q=bad"), Format::Html { explicit: false }),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [(USER_AGENT, agent), (ACCEPT, accept)] {
                if let Some(value) = value {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            assert_eq!(Format::negotiate(&headers), format, "{agent:?} {accept:?}");
        }
    }

    #[test]
    fn the_last_of_two_accept_headers_counts() {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, "x".parse().unwrap());
        headers.append(ACCEPT, "text/html".parse().unwrap());
        headers.append(ACCEPT, "application/sxp".parse().unwrap());
        assert_eq!(Format::negotiate(&headers), Format::Sxp);
    }
}
