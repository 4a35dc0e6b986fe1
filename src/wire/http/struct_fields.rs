//! The names of the parameters that a typed request reads.

use serde::de::value::Error;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;

/// The fields of a struct, as serde reads them; empty for another type.
pub(super) fn struct_fields<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // It reads nothing, and so it fails.
    let _ = T::deserialize(Asked(&mut fields));
    fields
}

/// A deserializer that is asked for a struct, and has none.
struct Asked<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("there is no data"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(Error::custom("there is no data"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[test]
    fn the_fields_of_a_request_are_known() {
        #[derive(Deserialize)]
        struct Request {
            #[serde(rename = "period")]
            _period: u64,
            #[serde(default, rename = "cap")]
            _cap: Option<u32>,
        }
        assert_eq!(struct_fields::<Request>(), ["period", "cap"]);
        assert!(struct_fields::<u32>().is_empty());
    }
}
