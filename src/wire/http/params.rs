//! The parameters of a request, from its query and its form, and how operations read them.

use super::encoded_pairs::{EncodedPair, decoded, encoded_pairs, joined};
use super::struct_fields::struct_fields;
use crate::core::model::{DomainConfig, Invalid, SedfParams, Unit, WholeNumber, is_whole_number};
use bstr::ByteSlice as _;
use form_urlencoded::byte_serialize;
use serde::Deserialize;
use serde::de::value::Error as ValueError;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use std::borrow::Cow;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The most parameters of one request.
const MAX_PARAMS: usize = 1000;

/// Why bytes are no text.
const NOT_UTF8: &str = "it is not UTF-8, encode it so";

/// The parameters of a request, kept as they came. Values are bytes: an S-expression of 2006 need
/// not be UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Params {
    /// `name=value&...`, of a query, an urlencoded form or both.
    Encoded(Vec<u8>),
    /// The fields of a multipart form.
    Fields(Vec<(String, Vec<u8>)>),
}

impl Params {
    /// The parameters of a query. Those without a value are dropped, as by Python's `cgi`.
    pub(super) fn from_query(query: &str) -> Self {
        let pairs = encoded_pairs(query.as_bytes()).take(MAX_PARAMS);
        Self::Encoded(joined(pairs.filter(|pair| !pair.value.is_empty())))
    }

    /// The parameters of an urlencoded form. Those without a value are kept.
    pub(super) fn from_form(form: &[u8]) -> Self {
        Self::Encoded(joined(encoded_pairs(form).take(MAX_PARAMS)))
    }

    /// The fields of a multipart form.
    pub(super) fn from_fields(fields: impl Iterator<Item = (String, Vec<u8>)>) -> Self {
        Self::Fields(fields.take(MAX_PARAMS).collect())
    }

    /// The parameters of a query together with those of a form, which replace all of the same name.
    pub(super) fn overridden_by(&self, form: Self) -> Self {
        let replaced: HashSet<String> = form.names().into_iter().collect();
        let query = self.filtered(|name, _| !replaced.contains(name));
        match (query, form) {
            (Self::Encoded(query), Self::Encoded(form)) => Self::Encoded([query, form].join(&b'&')),
            (query, form) => {
                let mut fields = query.into_fields();
                fields.extend(form.into_fields());
                Self::Fields(fields)
            }
        }
    }

    /// The parameters without those that are blank and `is_optional`.
    pub(super) fn without_blank(&self, is_optional: impl Fn(&str) -> bool) -> Self {
        self.filtered(|name, is_blank| !is_blank || !is_optional(name))
    }

    /// The parameters as a script would send them: browsers end the lines of a text area in CR LF.
    /// A multipart form can have a file, which is kept as it is.
    pub(super) fn with_line_feeds(&self, is_text_area: impl Fn(&str) -> bool) -> Self {
        let Self::Encoded(text) = self else { return self.clone() };
        let with_line_feeds = |pair: EncodedPair<'_>| {
            if is_text_area(&pair.decoded_name()) {
                pair.text.replace("%0D%0A", "%0A")
            } else {
                pair.text.to_vec()
            }
        };
        let pairs: Vec<_> = encoded_pairs(text).map(with_line_feeds).collect();
        Self::Encoded(pairs.join(&b'&'))
    }

    /// The parameters for which `keep` holds; it gets the name, and whether the value is empty.
    fn filtered(&self, keep: impl Fn(&str, bool) -> bool) -> Self {
        match self {
            Self::Encoded(text) => {
                let kept = encoded_pairs(text)
                    .filter(|pair| keep(&pair.decoded_name(), pair.value.is_empty()));
                Self::Encoded(joined(kept))
            }
            Self::Fields(fields) => {
                let kept = fields.iter().filter(|(name, value)| keep(name, value.is_empty()));
                Self::Fields(kept.cloned().collect())
            }
        }
    }

    fn into_fields(self) -> Vec<(String, Vec<u8>)> {
        match self {
            Self::Encoded(text) => {
                let pairs = encoded_pairs(&text);
                pairs.map(|pair| (pair.decoded_name(), decoded(pair.value))).collect()
            }
            Self::Fields(fields) => fields,
        }
    }

    /// An urlencoded form of all parameters but this one.
    pub(super) fn form_without(&self, name: &str) -> Vec<u8> {
        match self.filtered(|known, _| known != name) {
            Self::Encoded(text) => text,
            Self::Fields(fields) => {
                let encoded = |(name, value): &(String, Vec<u8>)| {
                    let [name, value] = [name.as_bytes(), value].map(byte_serialize);
                    name.chain(["="]).chain(value).collect::<String>()
                };
                fields.iter().map(encoded).collect::<Vec<_>>().join("&").into_bytes()
            }
        }
    }

    /// The length of all parameters as they came, in bytes.
    pub(super) fn encoded_len(&self) -> usize {
        match self {
            Self::Encoded(text) => text.len(),
            Self::Fields(fields) => {
                fields.iter().map(|(name, value)| name.len() + value.len()).sum()
            }
        }
    }

    /// The names of all parameters, as often as they came.
    pub(super) fn names(&self) -> Vec<String> {
        match self {
            Self::Encoded(text) => encoded_pairs(text).map(|pair| pair.decoded_name()).collect(),
            Self::Fields(fields) => fields.iter().map(|(name, _)| name.clone()).collect(),
        }
    }

    /// All values of a parameter.
    pub(super) fn values(&self, name: &str) -> Vec<Cow<'_, [u8]>> {
        match self {
            Self::Encoded(text) => encoded_pairs(text)
                .filter(|pair| pair.decoded_name() == name)
                .map(|pair| decoded(pair.value).into())
                .collect(),
            Self::Fields(fields) => fields
                .iter()
                .filter(|(key, _)| key == name)
                .map(|(_, value)| value.as_slice().into())
                .collect(),
        }
    }

    /// The value of a parameter as it came, still encoded; `None` in a multipart form.
    pub(super) fn encoded(&self, name: &str) -> Option<&[u8]> {
        let Self::Encoded(text) = self else { return None };
        encoded_pairs(text).find(|pair| pair.decoded_name() == name).map(|pair| pair.value)
    }

    /// The value of a required parameter.
    pub(super) fn single(&self, name: &str) -> Result<Cow<'_, [u8]>, Invalid> {
        let mut values = self.values(name);
        match values.len() {
            0 | 1 => values.pop().ok_or_else(|| Invalid::missing(name)),
            _ => Err(duplicate(name)),
        }
    }

    /// The value of an optional parameter.
    pub(super) fn optional_bytes(&self, name: &str) -> Result<Option<Cow<'_, [u8]>>, Invalid> {
        let mut values = self.values(name);
        match values.len() {
            0 | 1 => Ok(values.pop()),
            _ => Err(duplicate(name)),
        }
    }

    /// The value of an optional parameter, as text.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Invalid> {
        let value = self.optional_bytes(name)?;
        value.map(|value| utf8(name, value.into_owned())).transpose()
    }

    /// The value of an optional parameter that is one of `words`, in any case.
    pub(super) fn choice<'a>(
        &self,
        name: &str,
        words: &[&'a str],
    ) -> Result<Option<&'a str>, Invalid> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let word = words.iter().find(|word| word.eq_ignore_ascii_case(&text));
        word.map(|word| Some(*word))
            .ok_or_else(|| bad_value(name, format!("'{text}' is not one of {}", words.join(", "))))
    }

    /// The value of an optional flag, which is off by default.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Invalid> {
        let Some(text) = self.text(name)? else { return Ok(false) };
        parse_flag(&text).map_err(|reason| bad_value(name, reason))
    }

    /// The path of a file on the host, required.
    pub(super) fn path(&self, name: &str) -> Result<PathBuf, Invalid> {
        let text = self.single(name)?;
        if text.contains(&0) {
            return Err(bad_value(name, "a zero byte is in it, remove it"));
        }
        let path = PathBuf::from(OsStr::from_bytes(&text));
        if path.is_absolute() {
            return Ok(path);
        }
        Err(bad_value(name, format!("'{}' is not an absolute path", path.display())))
    }

    /// The name of the operation. An error unless there is exactly one.
    pub(super) fn operation(&self) -> Result<String, Invalid> {
        self.single("op").map(|name| String::from_utf8_lossy(&name).into_owned())
    }

    /// Reads a typed request. Unknown parameters are ignored.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, Invalid> {
        for name in struct_fields::<T>() {
            for value in self.values(name) {
                utf8(name, value.into_owned())?;
            }
        }
        self.parse_text()
    }

    /// Bytes of parameters that the request does not read may be no text.
    fn parse_text<T: DeserializeOwned>(&self) -> Result<T, Invalid> {
        match self {
            Self::Encoded(text) => {
                parse_pairs(serde_urlencoded::Deserializer::new(form_urlencoded::parse(text)))
            }
            // Encoded, so that both are read alike: an optional field, too.
            Self::Fields(fields) => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                for (name, value) in fields {
                    form.append_pair(name, &String::from_utf8_lossy(value));
                }
                Self::Encoded(form.finish().into_bytes()).parse_text()
            }
        }
    }
}

impl Default for Params {
    fn default() -> Self {
        Self::Encoded(Vec::new())
    }
}

fn parse_pairs<'de, T, D>(pairs: D) -> Result<T, Invalid>
where
    T: Deserialize<'de>,
    D: Deserializer<'de, Error = ValueError>,
{
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let name = error.path().to_string();
        let reason = error.into_inner().to_string();
        // Only serde's wording tells these two from a bad value.
        let quoted = |prefix: &str| {
            reason.strip_prefix(prefix).map(|rest| rest.trim_matches('`').to_owned())
        };
        if let Some(name) = quoted("missing field ") {
            Invalid::missing(&name)
        } else if let Some(name) = quoted("duplicate field ") {
            duplicate(&name)
        } else {
            bad_value(&name, reason)
        }
    })
}

/// The value of a parameter as text.
pub(super) fn utf8(name: &str, value: Vec<u8>) -> Result<String, Invalid> {
    String::from_utf8(value).map_err(|_| bad_value(name, NOT_UTF8))
}

/// The refusal of a parameter's value.
pub(super) fn bad_value(name: &str, reason: impl fmt::Display) -> Invalid {
    Invalid::new(format!("Invalid value for {name}: {reason}")).about(name)
}

fn duplicate(name: &str) -> Invalid {
    Invalid::new(format!("Too many values for {name}")).about(name)
}

/// Deserializes a whole number. Surrounding blanks are accepted, as by Python's `int`.
pub(super) fn integer<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: WholeNumber,
{
    let number = of_any_size(deserializer, Unit::Plain)?;
    let (least, most) = T::RANGE;
    number.to_string().parse().map_err(|_| D::Error::custom(out_of_range(number, least, most)))
}

/// Deserializes a whole number of this range.
pub(super) fn integer_in<'de, D, const LEAST: u32, const MOST: u32>(
    deserializer: D,
) -> Result<u32, D::Error>
where
    D: Deserializer<'de>,
{
    let number = of_any_size(deserializer, Unit::Plain)?;
    let fitting = u32::try_from(number).ok().filter(|number| (LEAST..=MOST).contains(number));
    fitting.ok_or_else(|| D::Error::custom(out_of_range(number, LEAST, MOST)))
}

/// Deserializes an optional whole number whose range depends on the domain.
pub(super) fn some_number_of_any_size<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<i128>, D::Error> {
    of_any_size(deserializer, Unit::Plain).map(Some)
}

/// Deserializes a whole number of MiB whose range depends on the domain.
pub(super) fn mebibytes_of_any_size<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<i128, D::Error> {
    of_any_size(deserializer, Unit::Mebibytes)
}

/// Deserializes a whole number of MiB that a domain can have.
pub(super) fn mebibytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    number_up_to(deserializer, Unit::Mebibytes, 1, DomainConfig::MAX_MEMORY)
}

/// Deserializes a whole number of nanoseconds, a day at most.
pub(super) fn nanoseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let most = u64::try_from(SedfParams::MAX_TIME.as_nanos()).unwrap_or(u64::MAX);
    number_up_to(deserializer, Unit::Nanoseconds, 0, most)
}

/// A 0 below the range is left to the engine.
fn number_up_to<'de, D: Deserializer<'de>>(
    deserializer: D,
    unit: Unit,
    least: u64,
    most: u64,
) -> Result<u64, D::Error> {
    let number = of_any_size(deserializer, unit)?;
    let fitting = u64::try_from(number).ok().filter(|number| *number <= most);
    fitting.ok_or_else(|| D::Error::custom(out_of_range(number, least, most)))
}

/// The reason why a number is refused.
pub(super) fn out_of_range(
    number: i128,
    least: impl fmt::Display,
    most: impl fmt::Display,
) -> String {
    format!("'{number}' is out of range, {least} to {most}")
}

/// Deserializes a whole number, as far as the type reaches.
fn of_any_size<'de, D: Deserializer<'de>>(deserializer: D, unit: Unit) -> Result<i128, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    if !is_whole_number(&text) {
        return Err(D::Error::custom(format!("'{text}' {}", unit.refusal(&text))));
    }
    let text = text.trim();
    let farthest = if text.starts_with('-') { i128::MIN } else { i128::MAX };
    Ok(text.parse().unwrap_or(farthest))
}

/// Deserializes a flag: `0` or `1`, as xm sends it, or a word.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    parse_flag(&text).map_err(D::Error::custom)
}

/// Deserializes a flag whose default depends on something else.
pub(super) fn some_flag<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<bool>, D::Error> {
    flag(deserializer).map(Some)
}

fn parse_flag(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "0" | "no" | "false" | "off" => Ok(false),
        "1" | "yes" | "true" | "on" => Ok(true),
        _ => Err(format!("'{text}' is neither 0 nor 1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Request {
        #[serde(deserialize_with = "nanoseconds")]
        period: u64,
        #[serde(default, deserialize_with = "flag")]
        extratime: bool,
        #[serde(default, deserialize_with = "mebibytes")]
        target: u64,
        #[serde(default, deserialize_with = "integer")]
        port: u16,
        comment: Option<String>,
    }

    /// The request of an urlencoded form, which must be that of a multipart form, too.
    fn parse(form: &str) -> Result<Request, String> {
        let form = Params::from_form(form.as_bytes());
        let fields = Params::from_fields(form.clone().into_fields().into_iter());
        let request = form.parse::<Request>().map_err(|error| error.to_string());
        assert_eq!(fields.parse::<Request>().map_err(|error| error.to_string()), request);
        request
    }

    #[test]
    fn requests_are_typed() {
        assert_eq!(
            parse("period=+20+&extratime=1&other=%ff&comment=a%26b"),
            Ok(Request {
                period: 20,
                extratime: true,
                target: 0,
                port: 0,
                comment: Some("a&b".to_owned())
            })
        );
        for (form, message) in [
            ("extratime=1", "Missing parameter: period"),
            ("period=1&period=2", "Too many values for period"),
            ("period=x", "Invalid value for period: 'x' is not a whole number of ns"),
            ("period=", "Invalid value for period: '' is not a whole number of ns"),
            (
                "period=20ms",
                "Invalid value for period: '20ms' is not a whole number of ns, write 20000000",
            ),
            ("period=-1", "Invalid value for period: '-1' is out of range, 0 to 86400000000000"),
            (
                "period=1&target=2G",
                "Invalid value for target: '2G' is not a whole number of MiB, write 2048",
            ),
            ("period=1&port=70000", "Invalid value for port: '70000' is out of range, 0 to 65535"),
            ("period=1&port=x", "Invalid value for port: 'x' is not a whole number"),
            ("period=1&extratime=2", "Invalid value for extratime: '2' is neither 0 nor 1"),
            ("period=1&comment=%fc", "Invalid value for comment: it is not UTF-8, encode it so"),
        ] {
            assert_eq!(parse(form), Err(message.to_owned()), "{form}");
        }
    }

    #[test]
    fn a_form_is_sent_on_without_a_parameter() {
        let encoded = Params::from_form(b"op=new&h%6fst=auto&config=%ff+a&host=b");
        assert_eq!(encoded.form_without("host"), b"op=new&config=%ff+a");
        let fields = [("op", &b"new"[..]), ("host", b"auto"), ("a b", b"\xff&=+")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_vec()));
        let fields = Params::from_fields(fields.into_iter());
        let form = fields.form_without("host");
        assert_eq!(form, b"op=new&a+b=%FF%26%3D%2B");
        assert_eq!(Params::from_form(&form).single("a b").unwrap(), &b"\xff&=+"[..]);
    }

    #[test]
    fn names_are_decoded() {
        // libvirt escapes everything, in lower case.
        let params = Params::from_form(b"op=mem%5ftarget%5fset&tar%67et=200");
        assert_eq!(params.operation().unwrap(), "mem_target_set");
        assert_eq!(params.encoded_len(), 34);
        assert_eq!(Params::Fields(params.clone().into_fields()).encoded_len(), 2 + 14 + 6 + 3);
        assert_eq!(params.single("target").unwrap(), &b"200"[..]);
    }

    #[test]
    fn blank_parameters_are_dropped_from_queries_only() {
        assert!(Params::from_query("op=&x=1").operation().unwrap_err().is_missing());
        assert_eq!(Params::from_form(b"op=&x=1").operation().unwrap(), "");
    }

    #[test]
    fn blank_optional_parameters_can_be_dropped() {
        let form = Params::from_form(b"op=&weight=&cap=1");
        for params in [form.clone(), Params::Fields(form.into_fields())] {
            let params = params.without_blank(|name| name == "weight");
            assert_eq!(params.text("weight").unwrap(), None);
            assert_eq!(params.operation().unwrap(), "");
        }
    }

    #[test]
    fn lines_of_a_text_area_end_in_a_line_feed() {
        let form = Params::from_form(b"file=a%0D%0Ab&contents=a%0D%0Ab%0D%0A");
        let params = form.with_line_feeds(|name| name == "contents");
        assert_eq!(params.single("file").unwrap(), &b"a\r\nb"[..]);
        assert_eq!(params.single("contents").unwrap(), &b"a\nb\n"[..]);
        let file = Params::Fields(form.into_fields());
        assert_eq!(file.with_line_feeds(|_| true), file);
    }

    #[test]
    fn a_form_replaces_the_query() {
        let query = Params::from_query("op=pause&a=1");
        let form = Params::from_form(b"op=destroy&b=%fc");
        for form in [form.clone(), Params::Fields(form.into_fields())] {
            let params = query.overridden_by(form);
            assert_eq!(params.operation().unwrap(), "destroy");
            assert_eq!(params.single("a").unwrap(), &b"1"[..]);
            assert_eq!(params.single("b").unwrap(), &b"\xfc"[..]);
        }
        assert!(Params::from_form(b"op=a&op=b").operation().is_err());
    }

    #[test]
    fn values_are_bytes() {
        let params = Params::from_form(b"q=%fc&path=/%fc");
        let refused = params.text("q").unwrap_err();
        assert_eq!(refused.to_string(), "Invalid value for q: it is not UTF-8, encode it so");
        assert_eq!(refused.parameter(), Some("q"));
        assert_eq!(params.path("path").unwrap().as_os_str().as_bytes(), b"/\xfc");
        assert_eq!(Params::from_form(b"config=%fc%00").single("config").unwrap(), &b"\xfc\0"[..]);
    }
}
