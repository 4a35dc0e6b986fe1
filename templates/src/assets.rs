//! The files that pages refer to: the stylesheet, the script and the icon of all of them, and what
//! a terminal and a screen need.

use std::sync::LazyLock;

/// A static file that pages refer to.
#[derive(Debug)]
pub struct Asset {
    /// The path below the version.
    pub name: &'static str,
    pub text: &'static str,
}

impl Asset {
    /// The media type.
    pub fn media(&self) -> &'static str {
        match self.name.rsplit_once('.') {
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            _ => "text/javascript; charset=utf-8",
        }
    }
}

/// The files of folders below `assets/`, by their paths in these.
macro_rules! assets {
    ($($folder:literal: [$($name:literal,)*],)*) => {
        /// All static files.
        pub const ASSETS: &[Asset] = &[$($(Asset {
            name: $name,
            text: include_str!(concat!("../assets/", $folder, $name)),
        },)*)*];
    };
}

assets! {
    "": [
        "style.css",
        "xend.js",
        "icon.svg",
        "reconnect.js",
        "console.js",
        "log.js",
        "screen.js",
        "create.js",
        "list.js",
    ],
    "vendor/": [
        "xterm.mjs",
        "addon-fit.mjs",
        "xterm.css",
        "novnc/core/base64.js",
        "novnc/core/crypto/aes.js",
        "novnc/core/crypto/bigint.js",
        "novnc/core/crypto/crypto.js",
        "novnc/core/crypto/des.js",
        "novnc/core/crypto/dh.js",
        "novnc/core/crypto/md5.js",
        "novnc/core/crypto/rsa.js",
        "novnc/core/decoders/copyrect.js",
        "novnc/core/decoders/h264.js",
        "novnc/core/decoders/hextile.js",
        "novnc/core/decoders/jpeg.js",
        "novnc/core/decoders/raw.js",
        "novnc/core/decoders/rre.js",
        "novnc/core/decoders/tight.js",
        "novnc/core/decoders/tightpng.js",
        "novnc/core/decoders/zlib.js",
        "novnc/core/decoders/zrle.js",
        "novnc/core/deflator.js",
        "novnc/core/display.js",
        "novnc/core/encodings.js",
        "novnc/core/inflator.js",
        "novnc/core/input/domkeytable.js",
        "novnc/core/input/fixedkeys.js",
        "novnc/core/input/gesturehandler.js",
        "novnc/core/input/keyboard.js",
        "novnc/core/input/keysym.js",
        "novnc/core/input/keysymdef.js",
        "novnc/core/input/util.js",
        "novnc/core/input/vkeys.js",
        "novnc/core/input/xtscancodes.js",
        "novnc/core/ra2.js",
        "novnc/core/rfb.js",
        "novnc/core/util/browser.js",
        "novnc/core/util/cursor.js",
        "novnc/core/util/element.js",
        "novnc/core/util/events.js",
        "novnc/core/util/eventtarget.js",
        "novnc/core/util/int.js",
        "novnc/core/util/logging.js",
        "novnc/core/util/strings.js",
        "novnc/core/websock.js",
        "novnc/vendor/pako/lib/utils/common.js",
        "novnc/vendor/pako/lib/zlib/adler32.js",
        "novnc/vendor/pako/lib/zlib/crc32.js",
        "novnc/vendor/pako/lib/zlib/deflate.js",
        "novnc/vendor/pako/lib/zlib/inffast.js",
        "novnc/vendor/pako/lib/zlib/inflate.js",
        "novnc/vendor/pako/lib/zlib/inftrees.js",
        "novnc/vendor/pako/lib/zlib/messages.js",
        "novnc/vendor/pako/lib/zlib/trees.js",
        "novnc/vendor/pako/lib/zlib/zstream.js",
    ],
}

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

#[cfg(test)]
mod style_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// What a script imports, as names of files.
    fn imports(script: &Asset) -> Vec<String> {
        let statements = script
            .text
            .lines()
            .filter(|line| line.starts_with("import ") || line.starts_with("} from "));
        let quoted = statements.filter_map(|line| line.split(['"', '\'']).nth(1));
        let resolve = |import: &str| {
            let mut path: Vec<&str> = script.name.split('/').collect();
            path.pop();
            for part in import.split('/') {
                match part {
                    "." => {}
                    ".." => drop(path.pop()),
                    part => path.push(part),
                }
            }
            path.join("/")
        };
        quoted.map(resolve).collect()
    }

    #[test]
    fn scripts_import_files_that_are_there_and_all_files_are_used() {
        let scripts = ASSETS.iter().filter(|asset| asset.media().starts_with("text/javascript"));
        let imported: BTreeSet<String> = scripts.flat_map(imports).collect();
        for name in &imported {
            assert!(ASSETS.iter().any(|asset| asset.name == name), "{name} is imported");
        }
        let modules = ASSETS.iter().filter(|asset| asset.name.contains("novnc/"));
        for module in modules {
            assert!(imported.contains(module.name), "{} is not used", module.name);
        }
    }
}
