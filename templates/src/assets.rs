//! The stylesheet, the script and the icon that every page refers to.

use std::sync::LazyLock;

/// A file that pages refer to.
#[derive(Debug)]
pub struct Asset {
    /// The last segment of its path.
    pub name: &'static str,
    /// Its media type.
    pub media: &'static str,
    /// What is in it.
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

/// All of them.
pub const ASSETS: [Asset; 3] = [STYLE, SCRIPT, ICON];

/// Where they are: another path whenever one of them has changed, so that a browser may keep what
/// it has for ever.
pub const ASSETS_PATH: &str = "/xend/assets";

/// The segment of the path that tells one version of them from another: FNV-1a over all of them.
pub static ASSETS_VERSION: LazyLock<String> = LazyLock::new(|| {
    let bytes = ASSETS.iter().flat_map(|asset| asset.text.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
});

/// Where one of them is.
pub(crate) fn path(asset: &str) -> String {
    format!("{ASSETS_PATH}/{}/{asset}", *ASSETS_VERSION)
}
