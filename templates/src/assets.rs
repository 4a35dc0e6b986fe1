//! The files that pages refer to: the stylesheet, the script and the icon of all of them, and what
//! a terminal needs.

use std::sync::LazyLock;

/// A static file that pages refer to.
#[derive(Debug)]
pub struct Asset {
    /// The last segment of the path.
    pub name: &'static str,
    /// The media type.
    pub media: &'static str,
    pub text: &'static str,
}

const STYLE: Asset = Asset {
    name: "style.css",
    media: "text/css; charset=utf-8",
    text: include_str!("../assets/style.css"),
};
const SCRIPT: Asset = Asset {
    name: "xend.js",
    media: "text/javascript; charset=utf-8",
    text: include_str!("../assets/xend.js"),
};
const ICON: Asset =
    Asset { name: "icon.svg", media: "image/svg+xml", text: include_str!("../assets/icon.svg") };

/// The terminal of the console's page.
const CONSOLE: Asset = Asset {
    name: "console.js",
    media: "text/javascript; charset=utf-8",
    text: include_str!("../assets/console.js"),
};
const XTERM: Asset = Asset {
    name: "xterm.mjs",
    media: "text/javascript; charset=utf-8",
    text: include_str!("../assets/vendor/xterm.mjs"),
};
const XTERM_FIT: Asset = Asset {
    name: "addon-fit.mjs",
    media: "text/javascript; charset=utf-8",
    text: include_str!("../assets/vendor/addon-fit.mjs"),
};
const XTERM_STYLE: Asset = Asset {
    name: "xterm.css",
    media: "text/css; charset=utf-8",
    text: include_str!("../assets/vendor/xterm.css"),
};

/// All static files.
pub const ASSETS: [Asset; 7] = [STYLE, SCRIPT, ICON, CONSOLE, XTERM, XTERM_FIT, XTERM_STYLE];

/// The path of the static files, which are below it in a directory named by their version.
pub const ASSETS_PATH: &str = "/xend/assets";

/// The version of the static files: an FNV-1a hash of them all. A new version has a new path, so
/// that browsers can keep the files for ever.
pub static ASSETS_VERSION: LazyLock<String> = LazyLock::new(|| {
    let bytes = ASSETS.iter().flat_map(|asset| asset.text.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
});

/// The path of a static file.
pub(crate) fn path(name: &str) -> String {
    format!("{ASSETS_PATH}/{}/{name}", *ASSETS_VERSION)
}
