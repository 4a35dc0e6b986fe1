//! Values of the Xen-API: it sends numbers, references and most other things as text.

use crate::core::model::{ClientValue, Property, Uuid};
use crate::wire::xmlrpc::value::Value;
use jiff::Timestamp;
use std::time::SystemTime;

/// A text, or a number as text.
pub(crate) fn text(value: &(impl ToString + ?Sized)) -> Value {
    Value::Text(value.to_string())
}

/// A number in hexadecimal: `0x8086`.
pub(crate) fn hex(number: u32) -> Value {
    Value::Text(format!("{number:#06x}"))
}

/// A size in MiB, as bytes.
pub(crate) fn bytes_of_mib(mib: u64) -> Value {
    text(&(u128::from(mib) << 20))
}

pub(crate) fn texts(texts: impl IntoIterator<Item = String>) -> Value {
    Value::Array(texts.into_iter().map(Value::Text).collect())
}

/// A list without elements.
pub(crate) const fn no_texts() -> Value {
    Value::Array(Vec::new())
}

/// References, which are UUIDs.
pub(crate) fn refs(uuids: impl IntoIterator<Item = Uuid>) -> Value {
    texts(uuids.into_iter().map(|uuid| uuid.to_string()))
}

/// A reference, or the empty string, which stands for none.
pub(crate) fn optional_ref(uuid: Option<Uuid>) -> Value {
    Value::Text(uuid.map(|uuid| uuid.to_string()).unwrap_or_default())
}

/// A map from texts to texts.
pub(crate) fn map<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> Value {
    let member = |(key, value): (&str, String)| (key.to_owned(), Value::Text(value));
    Value::Struct(pairs.into_iter().map(member).collect())
}

/// The names whose flag is set.
pub(crate) fn set_flags<const N: usize>(flags: [(&str, bool); N]) -> Value {
    texts(flags.into_iter().filter(|(_, on)| *on).map(|(name, _)| name.to_owned()))
}

/// Device settings as a map, without passwords and without those that are no text.
pub(crate) fn shown_properties<'a>(properties: impl IntoIterator<Item = &'a Property>) -> Value {
    let shown = properties.into_iter().filter(|property| !property.is_secret());
    let member = |property: &Property| {
        Some((property.key.to_string(), Value::Text(property.text()?.to_string())))
    };
    Value::Struct(shown.filter_map(member).collect())
}

/// Client data, without passwords.
pub(crate) fn shown_client_value(note: &ClientValue) -> Value {
    match note {
        ClientValue::Text(text) => Value::text(text),
        ClientValue::Map(texts) => {
            let shown = texts.iter().filter(|(key, _)| !Property::is_secret_key(key));
            map(shown.map(|(key, value)| (key.as_str(), value.clone())))
        }
    }
}

/// A time in UTC: `20090710T09:01:27`.
pub(crate) fn time(time: SystemTime) -> Value {
    let time = Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH);
    Value::Time(time.strftime("%Y%m%dT%H:%M:%S").to_string())
}
