//! Advice for people who send a configuration with the wrong option of curl.
//!
//! `curl -d config=@FILE` sends the name of the file instead of its text, `-d config@FILE` sends a
//! parameter of that name, and `-d config=TEXT` sends the text without URL-encoding: `+` arrives as
//! a blank, and `&` ends it.

use super::params::Params;
use crate::core::model::Invalid;

/// The most characters of a file's name in a message.
const MAX_SHOWN: usize = 100;

/// The error about the configuration in the parameter `name`, with the advice if there is one.
/// `is_known` tells the names of the operation's parameters.
pub(super) fn advised(
    error: Invalid,
    name: &str,
    params: &Params,
    is_known: impl Fn(&str) -> bool,
) -> Invalid {
    let Ok(value) = params.single(name) else {
        return match file_of_pair(name, params) {
            Some(file) => Invalid::new(format!("{error}; {}", with_curl(name, &file))),
            None => error,
        };
    };
    if let Some(file) = value.trim_ascii_start().strip_prefix(b"@") {
        let file = shown(&String::from_utf8_lossy(file));
        let how = with_curl(name, &file);
        return Invalid::new(format!(
            "Invalid value for {name}: it is '@{file}' and not the text of that file; {how}"
        ));
    }
    let has_unknown = || params.names().iter().any(|name| name != "op" && !is_known(name));
    let is_damaged = params.encoded(name).is_some_and(|text| {
        // Clients that encode a blank as a plus encode parentheses, too.
        text.contains(&b'(') && (text.contains(&b'+') || has_unknown())
    });
    if !is_damaged {
        return error;
    }
    Invalid::new(format!(
        "{error}. It came without URL-encoding, where + is a blank and & ends it; {}",
        with_curl(name, "FILE")
    ))
}

/// The file that a client meant to send by `-d NAME@FILE`, or `FILE` if it sent the text without a
/// name.
fn file_of_pair(name: &str, params: &Params) -> Option<String> {
    let names = params.names();
    let file = names.iter().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('@'));
    let is_text = |pair: &String| pair.trim_start().starts_with('(');
    file.map(shown).or_else(|| names.iter().any(is_text).then(|| "FILE".to_owned()))
}

fn with_curl(name: &str, file: &str) -> String {
    format!("send the file with curl --data-urlencode {name}@{file}")
}

/// The first line of a file's name, as far as it is shown.
fn shown(file: &str) -> String {
    file.chars().take_while(|c| !c.is_control()).take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advised_on(form: &str) -> String {
        let params = Params::from_form(form.as_bytes());
        let is_known = |name: &str| name == "config";
        let error = params.single("config").err().unwrap_or_else(|| Invalid::new("Wrong"));
        advised(error, "config", &params, is_known).to_string()
    }

    #[test]
    fn a_file_that_curl_did_not_send_is_named() {
        let how = "send the file with curl --data-urlencode config@web1.sxp";
        assert_eq!(
            advised_on("op=create&config=@web1.sxp"),
            format!(
                "Invalid value for config: it is '@web1.sxp' and not the text of that file; {how}"
            )
        );
        let missing = "Missing parameter: config";
        assert_eq!(advised_on("op=create&config@web1.sxp"), format!("{missing}; {how}"));
        let text = format!("{missing}; {}", how.replace("web1.sxp", "FILE"));
        assert_eq!(advised_on("op=create&(vm (name web1))"), text);
        assert_eq!(advised_on("op=create"), missing);
        assert!(
            !advised_on(&format!("config=@{}", "x".repeat(1 << 20))).contains(&"x".repeat(101))
        );
    }

    #[test]
    fn a_text_that_lost_its_plus_or_its_end_is_recognised() {
        let advice = "Wrong. It came without URL-encoding, where + is a blank and & ends it; send \
                      the file with curl --data-urlencode config@FILE";
        assert_eq!(advised_on("op=create&config=(vm (name a+b))"), advice);
        assert_eq!(advised_on("op=create&config=(vm (extra 'a&b'))"), advice);
        for form in ["config=%28vm+%28name", "config=(vm%20(name%20a%2Bb", "config=(vm", "config="]
        {
            assert_eq!(advised_on(form), "Wrong", "{form}");
        }
        let fields = [("config", "(vm (name a+b"), ("stray", "")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        let fields = Params::from_fields(fields.into_iter());
        let error = advised(Invalid::new("Wrong"), "config", &fields, |_| false);
        assert_eq!(error.to_string(), "Wrong");
    }
}
