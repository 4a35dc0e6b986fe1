//! `cpu_sedf_set`, `cpu_sedf_get`

use super::{Operation, Success};
use crate::core::model::SedfParams;
use crate::core::op::{Change, DomainOp, Query};
use crate::wire::http::params::{flag, whole};
use serde::Deserialize;
use std::time::Duration;

pub(super) static SET: Operation = Operation {
    name: "cpu_sedf_set",
    success: Success::Zero,
    op: |domain, params| {
        let request: Set = params.request()?;
        Ok(Change::Domain(domain, DomainOp::SetSedf(request.into())).into())
    },
};

pub(super) static GET: Operation = Operation {
    name: "cpu_sedf_get",
    success: Success::Answer,
    op: |domain, _| Ok(Query::Sedf(domain).into()),
};

/// All of them must be there, as xm sends them; times in nanoseconds.
#[derive(Debug, Deserialize)]
struct Set {
    #[serde(deserialize_with = "whole")]
    period: u64,
    #[serde(deserialize_with = "whole")]
    slice: u64,
    #[serde(deserialize_with = "whole")]
    latency: u64,
    #[serde(deserialize_with = "flag")]
    extratime: bool,
    #[serde(deserialize_with = "whole")]
    weight: u32,
}

impl From<Set> for SedfParams {
    fn from(Set { period, slice, latency, extratime, weight }: Set) -> Self {
        Self {
            period: Duration::from_nanos(period),
            slice: Duration::from_nanos(slice),
            latency: Duration::from_nanos(latency),
            extratime,
            weight,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::DomainRef;
    use crate::wire::http::params::Params;

    #[test]
    fn every_parameter_is_named_when_it_is_wrong() {
        let set = |form: String| (SET.op)(DomainRef::new("a"), &Params::from_form(form.as_bytes()));
        let good = ["period=20000000", "slice=5000000", "latency=0", "extratime=0", "weight=0"];
        assert!(set(good.join("&")).is_ok());
        for (n, field) in good.iter().enumerate() {
            let name = field.split('=').next().unwrap();
            let with = |text: String| {
                let mut fields = good.map(str::to_owned);
                fields[n] = text;
                set(fields.join("&")).unwrap_err().to_string()
            };
            assert_eq!(with(String::new()), format!("Missing parameter: {name}"));
            assert_eq!(with(format!("{field}&{field}")), format!("Too many values for {name}"));
            for bad in ["x", "", "-1", "1.5", "99999999999999999999"] {
                assert!(
                    with(format!("{name}={bad}")).starts_with(&format!("Invalid value for {name}: '{bad}'"))
                );
            }
        }
    }
}
