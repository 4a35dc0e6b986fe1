//! Domains as S-expressions that are printed once. Figures, which change all the time, are put in
//! whenever the domain is listed.

use super::sxp_sink::SxpSink;
use super::write::{after_state, before_state, before_use, domain, state, use_figures};
use crate::core::snapshot::{DomainView, GappedText, TextForm};

/// Writes a domain as [`domain`] does, and keeps all but its figures with the view.
pub fn kept_domain(sink: &mut SxpSink, view: &DomainView) {
    let text = view.text(TextForm::Sxp, || print(view));
    sink.append(|out| {
        text.write(out, |out, gap| {
            let Some(facts) = &view.facts else { return };
            // A field is before it, as in the text.
            let mut fields = SxpSink::new(std::mem::take(out));
            if gap == 0 {
                use_figures(&mut fields, facts);
            } else {
                state(&mut fields, facts);
            }
            *out = fields.into_bytes();
        });
    });
}

fn print(view: &DomainView) -> GappedText {
    let mut sink = SxpSink::default();
    let mut gaps = Vec::new();
    match &view.facts {
        Some(facts) => {
            before_use(&mut sink, &view.config, facts);
            gaps.push(sink.len());
            before_state(&mut sink, &view.config, facts);
            gaps.push(sink.len());
            after_state(&mut sink, &view.config, facts);
        }
        None => domain(&mut sink, view),
    }
    GappedText::new(sink.into_bytes(), gaps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{DomName, DomainConfig, DomainFacts, RunFlags, Uuid};
    use crate::core::snapshot::fixtures::{facts, running, with_figures};
    use crate::shape::read_config;
    use crate::sxp::{Limits, read_one};
    use std::time::Duration;

    fn texts(view: &DomainView) -> [String; 2] {
        let both: [fn(&mut SxpSink, &DomainView); 2] = [domain, kept_domain];
        both.map(|write| {
            let mut sink = SxpSink::new(b"(before".to_vec());
            write(&mut sink, view);
            String::from_utf8(sink.into_bytes()).unwrap()
        })
    }

    #[test]
    fn a_kept_text_is_the_one_that_is_printed_anew() {
        let text = "(vm (name a) (memory 64) (image (linux (kernel /k))) (device (vif)) (other 1))";
        let config = read_config(&read_one(text.as_bytes(), &Limits::default()).unwrap()).unwrap();
        let plain = DomainConfig::new(DomName::adopted("b"), 64);
        let halted = DomainView::defined(Uuid::from_u128(1), config.clone());
        for view in [&*running(7, config), &*running(0, plain.clone()), &halted] {
            let [anew, kept] = texts(view);
            assert_eq!(kept, anew);
            assert_eq!(texts(view), [anew.clone(), anew]);
        }
        let first = running(7, plain);
        let [before, _] = texts(&first);
        let flags = RunFlags { running: true, ..RunFlags::default() };
        let busy = DomainFacts { flags, ..facts(7, Duration::from_millis(123_456)) };
        let later = with_figures(&first, busy);
        let [anew, kept] = texts(&later);
        assert_eq!(kept, anew);
        assert!(kept != before && kept.contains("(cpu_time 123.456)"), "{kept}");
    }
}
