//! A file that the host puts into the guest: the values of `injectfile` and `file_inject`.

use crate::base64;
use crate::limits::MAX_PAYLOAD;
use crate::path::{BadPath, GuestPath};
use serde_json::{Value, json};
use std::fmt::{self, Debug, Formatter};
use thiserror::Error;

/// A file for the guest.
#[derive(Clone, PartialEq, Eq)]
pub struct GuestFile {
    pub path: GuestPath,
    pub contents: Vec<u8>,
}

impl GuestFile {
    /// Reads the value of `injectfile`: base64 of `path,contents`. The first comma ends the path.
    pub fn from_injectfile(value: &Value) -> Result<Self, BadFile> {
        let bytes = decode(value.as_str().ok_or(BadFile::NotText)?)?;
        let comma = bytes.iter().position(|byte| *byte == b',').ok_or(BadFile::NoComma)?;
        let (path, rest) = bytes.split_at(comma);
        Self::new(path, rest.get(1..).unwrap_or_default().to_vec())
    }

    /// Reads the value of `file_inject`: `{"b64_path":"...","b64_file":"..."}`.
    pub fn from_file_inject(value: &Value) -> Result<Self, BadFile> {
        let field =
            |name| decode(value.get(name).and_then(Value::as_str).ok_or(BadFile::NoField(name))?);
        Self::new(&field("b64_path")?, field("b64_file")?)
    }

    /// The value of `injectfile`. A path with a comma cannot be told by it.
    pub fn to_injectfile(&self) -> Result<Value, BadFile> {
        if self.path.as_str().contains(',') {
            return Err(BadFile::CommaInPath);
        }
        let bytes = [self.path.as_str().as_bytes(), b",", &self.contents].concat();
        Ok(Value::String(base64::encode(&bytes)))
    }

    /// The value of `file_inject`.
    pub fn to_file_inject(&self) -> Value {
        json!({
            "b64_path": base64::encode(self.path.as_str().as_bytes()),
            "b64_file": base64::encode(&self.contents),
        })
    }

    fn new(path: &[u8], contents: Vec<u8>) -> Result<Self, BadFile> {
        let path = std::str::from_utf8(path).map_err(|_| BadPath::NotUtf8)?;
        Ok(Self { path: GuestPath::new(path)?, contents })
    }
}

/// The contents may be secret, so only their length is shown.
impl Debug for GuestFile {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuestFile")
            .field("path", &self.path.as_str())
            .field("bytes", &self.contents.len())
            .finish()
    }
}

/// Why a file is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadFile {
    #[error("Error doing base64 decoding of data")]
    NotBase64,
    #[error("The value is not text")]
    NotText,
    #[error("The value has no field {0}")]
    NoField(&'static str),
    #[error("The value has no comma between path and contents")]
    NoComma,
    #[error("injectfile cannot name a path with a comma")]
    CommaInPath,
    #[error("The value is longer than {MAX_PAYLOAD} bytes")]
    TooLong,
    #[error(transparent)]
    Path(#[from] BadPath),
}

fn decode(text: &str) -> Result<Vec<u8>, BadFile> {
    if text.len() > MAX_PAYLOAD {
        return Err(BadFile::TooLong);
    }
    base64::decode(text).ok_or(BadFile::NotBase64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{MAX_FILE_INJECT, MAX_INJECTFILE, max_host_value};
    use crate::request::Request;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn file(path: &str, contents: &[u8]) -> GuestFile {
        GuestFile { path: GuestPath::new(path).unwrap(), contents: contents.to_vec() }
    }

    fn injectfile(bytes: &[u8]) -> Result<GuestFile, BadFile> {
        GuestFile::from_injectfile(&Value::String(base64::encode(bytes)))
    }

    #[test]
    fn the_first_comma_ends_the_path() {
        assert_eq!(injectfile(b"/etc/motd,a,b\n\0\xff"), Ok(file("/etc/motd", b"a,b\n\0\xff")));
        assert_eq!(injectfile(b"/etc/motd,"), Ok(file("/etc/motd", b"")));
        assert_eq!(injectfile(b"/etc/motd"), Err(BadFile::NoComma));
        assert_eq!(injectfile(b""), Err(BadFile::NoComma));
        assert_eq!(injectfile(b",a"), Err(BadFile::Path(BadPath::Relative)));
        assert_eq!(injectfile(b"/etc/../a,b"), Err(BadFile::Path(BadPath::Parent)));
        assert_eq!(injectfile(b"/\xff,b"), Err(BadFile::Path(BadPath::NotUtf8)));
    }

    #[test]
    fn base64_may_come_in_lines() {
        let value = Value::from("L2V0Yy9t\nb3RkLGhl\nbGxv\n");
        assert_eq!(GuestFile::from_injectfile(&value), Ok(file("/etc/motd", b"hello")));
        let value = json!({ "b64_path": "L2V0Yy9tb3Rk\n", "b64_file": "aGVs\nbG8=\n" });
        assert_eq!(GuestFile::from_file_inject(&value), Ok(file("/etc/motd", b"hello")));
    }

    #[test]
    fn other_values_are_refused() {
        for value in [Value::Null, json!(1), json!(["a"]), json!({})] {
            assert_eq!(GuestFile::from_injectfile(&value), Err(BadFile::NotText), "{value}");
        }
        assert_eq!(GuestFile::from_injectfile(&json!("%")), Err(BadFile::NotBase64));
        assert_eq!(BadFile::NotBase64.to_string(), "Error doing base64 decoding of data");
        let long = Value::String("a".repeat(MAX_PAYLOAD + 1));
        assert_eq!(GuestFile::from_injectfile(&long), Err(BadFile::TooLong));

        for value in [Value::Null, json!("a"), json!({}), json!({ "b64_path": 1 })] {
            let read = GuestFile::from_file_inject(&value);
            assert_eq!(read, Err(BadFile::NoField("b64_path")), "{value}");
        }
        let value = json!({ "b64_path": "L2E=" });
        assert_eq!(GuestFile::from_file_inject(&value), Err(BadFile::NoField("b64_file")));
        let value = json!({ "b64_path": "L2E=", "b64_file": "a" });
        assert_eq!(GuestFile::from_file_inject(&value), Err(BadFile::NotBase64));
    }

    #[test]
    fn a_path_with_a_comma_needs_file_inject() {
        let file = file("/a,b", b"c");
        assert_eq!(file.to_injectfile(), Err(BadFile::CommaInPath));
        assert_eq!(GuestFile::from_file_inject(&file.to_file_inject()), Ok(file));
    }

    #[test]
    fn the_largest_files_of_the_plug_in_fit() {
        let path = "/local/domain/7/data/host/01234567-89ab-cdef-0123-456789abcdef";
        let contents = vec![0; MAX_INJECTFILE - "/a,".len()];
        let value = file("/a", &contents).to_injectfile().unwrap();
        let request = Request::new("injectfile", value).to_json();
        // The plug-in writes a blank after each of two colons and a comma.
        assert!(request.len() + 3 <= max_host_value(path));

        let path_base64 = base64::encode(b"/a").len();
        let contents = vec![0; (MAX_FILE_INJECT - path_base64) / 4 * 3];
        let request = Request::new("file_inject", file("/a", &contents).to_file_inject()).to_json();
        assert!(request.len() + 5 <= max_host_value(path));
    }

    #[test]
    fn contents_are_not_shown() {
        let shown = format!("{:?}", file("/a", b"secret"));
        assert_eq!(shown, "GuestFile { path: \"/a\", bytes: 6 }");
    }

    proptest! {
        #[test]
        fn files_come_back(name in "[^/\\pC]{1,60}", contents in vec(any::<u8>(), 0..1000)) {
            prop_assume!(name != "." && name != "..");
            let file = file(&format!("/etc/{name}"), &contents);
            let inject = GuestFile::from_file_inject(&file.to_file_inject());
            prop_assert_eq!(inject.as_ref(), Ok(&file));
            match file.to_injectfile() {
                Ok(value) => prop_assert_eq!(GuestFile::from_injectfile(&value), Ok(file)),
                Err(bad) => prop_assert!(name.contains(',') && bad == BadFile::CommaInPath),
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, text: String) {
            let _ = injectfile(&bytes);
            let _ = GuestFile::from_injectfile(&Value::String(text));
        }
    }
}
