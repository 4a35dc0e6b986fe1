//! The stylesheet, the script and the icon that every page refers to.

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

/// All static files.
pub const ASSETS: [Asset; 3] = [STYLE, SCRIPT, ICON];

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
