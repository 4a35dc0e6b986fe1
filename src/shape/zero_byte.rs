//! Zero bytes in what a client sends: the strings of libxl end at the first one.

use super::error::ShapeError;
use crate::sxp::Sxp;

/// Refuses a zero byte in any text of a configuration or a device. What is stored is not asked: it
/// would be lost.
pub(super) fn refuse(sxp: &Sxp) -> Result<(), ShapeError> {
    // A configuration's own keys stand alone.
    let class = sxp.head().filter(|head| !["vm", "domain", "config"].contains(head));
    refuse_below(sxp, class.as_slice())
}

/// Refuses those of a list, which is the value of the keys in `path`. Recursion is bounded by the
/// reader's depth limit.
fn refuse_below(list: &Sxp, path: &[&str]) -> Result<(), ShapeError> {
    for item in list.as_list().unwrap_or_default() {
        if item.as_bytes().is_some_and(|text| text.contains(&0)) {
            let field = if path.is_empty() { "configuration".to_owned() } else { path.join(" ") };
            return Err(ShapeError::new(field, "a zero byte is in it, remove it", item));
        }
        let Some(key) = item.head().filter(|_| item.as_list().is_some()) else { continue };
        match (path, key) {
            // Fields are named as by their readers: (image (linux (kernel /k))) is `image kernel`.
            ([], "image") => item.tail().iter().try_for_each(|it| refuse_below(it, &["image"]))?,
            ([], "device") => refuse_below(item, &[])?,
            _ => refuse_below(item, &[path, &[key]].concat())?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::shape::{read_config, read_device, read_stored};
    use crate::sxp::{Limits, Sxp, read_one};

    fn tree(text: &str) -> Sxp {
        read_one(text.as_bytes(), &Limits::default()).unwrap()
    }

    #[test]
    fn a_zero_byte_is_refused_with_the_name_of_its_field() {
        for (field, text) in [
            ("description", r"(description 'a\x00b')"),
            ("bootloader", r"(bootloader '/b\x00')"),
            ("features", r"(features 'a\x00')"),
            ("image kernel", r"(image (linux (kernel '/k\x00')))"),
            ("vbd uname", r"(device (vbd (uname 'phy:/a\x00') (dev xvda)))"),
            ("other", r"(other (a 1) 'x\x00')"),
        ] {
            let tree = tree(&format!("(vm (name a) (memory 64) {text})"));
            let refused = read_config(&tree).unwrap_err().to_string();
            assert_eq!(refused, format!("{field}: a zero byte is in it, remove it"));
            // What was stored once can always be read.
            read_stored(&tree).unwrap();
        }
        let vif = tree(r"(vif (bridge 'br\x00'))");
        assert_eq!(read_device(&vif).unwrap_err().field(), "vif bridge");
        let latin = tree(r"(vm (name a) (memory 64) (description 'M\xfcller'))");
        read_config(&latin).unwrap();
    }
}
