//! The forms on a domain's page, one for every operation.

use maud::{Markup, html};

use crate::domain::{DomainPage, Sedf};
use crate::form;

/// Reasons of a shutdown: the word that is sent and the label. The first is chosen until the user chooses.
const REASONS: [(&str, &str); 4] =
    [("poweroff", "Power off"), ("halt", "Halt"), ("reboot", "Reboot"), ("crash", "Crash")];

impl DomainPage {
    /// Every operation that can succeed: nothing that needs an id on a domain without one, and nothing that
    /// domain 0 always refuses.
    pub(crate) fn operations(&self) -> Markup {
        let on_host = self.id.is_some();
        let may_stop = on_host && !self.privileged;
        html! {
            h2 { "Operations" }
            @if may_stop {
                (self.pause())
                (self.shutdown())
            }
            @if on_host { (self.wait_for_devices()) }
            (self.rename())
            @if on_host {
                (self.sedf())
                p { a href={ (self.href) "?op=vcpuinfo" } { "Show VCPU information" } }
            }
            @if may_stop { (self.destroy()) }
        }
    }

    fn pause(&self) -> Markup {
        form::post(
            &self.href,
            &html! {
                (form::button("unpause", "Unpause"))
                (form::button("pause", "Pause"))
            },
        )
    }

    fn shutdown(&self) -> Markup {
        form::post(
            &self.href,
            &html! {
                fieldset {
                    legend { "Ask the guest to shut down" }
                    @for (index, (reason, label)) in REASONS.into_iter().enumerate() {
                        label {
                            input type="radio" name="reason" value=(reason) checked[index == 0];
                            " " (label)
                        }
                    }
                }
                (form::button("shutdown", "Shut down"))
            },
        )
    }

    fn wait_for_devices(&self) -> Markup {
        form::post(
            &self.href,
            &html! {
                p { "Answers when every device is connected, or names the one that is not." }
                (form::button("wait_for_devices", "Wait for devices"))
            },
        )
    }

    fn rename(&self) -> Markup {
        form::post(
            &self.href,
            &html! {
                (form::text("New name", "name"))
                (form::button("rename", "Rename"))
            },
        )
    }

    /// Two forms: one sets, one asks. Asking must not demand that the inputs be filled in.
    fn sedf(&self) -> Markup {
        let now = self.sedf;
        let nanoseconds =
            |label: &str, name: &str, value: fn(Sedf) -> u64| form::number(label, name, now.map(value));
        let extratime = now.is_some_and(|sedf| sedf.extratime);
        html! {
            (form::post(&self.href, &html! {
                fieldset {
                    legend { "SEDF scheduling" }
                    (nanoseconds("Period (ns)", "period", |sedf| sedf.period_ns))
                    (nanoseconds("Slice (ns)", "slice", |sedf| sedf.slice_ns))
                    (nanoseconds("Latency (ns)", "latency", |sedf| sedf.latency_ns))
                    // A choice, since an unchecked box sends nothing, and the operation wants all five.
                    label {
                        "Extra time "
                        select name="extratime" {
                            option value="0" selected[!extratime] { "no" }
                            option value="1" selected[extratime] { "yes" }
                        }
                    }
                    (form::number("Weight (0 for none)", "weight", now.map(|sedf| u64::from(sedf.weight))))
                }
                (form::button("cpu_sedf_set", "Set SEDF parameters"))
            }))
            (form::post(&self.href, &form::button("cpu_sedf_get", "Show SEDF parameters")))
        }
    }

    fn destroy(&self) -> Markup {
        form::post(
            &self.href,
            &html! {
                p { "Stops the domain at once. What the guest has not written to disk is lost." }
                (form::danger_button("destroy", "Destroy"))
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::Sedf;
    use crate::domain::tests::page;
    use crate::testing::{assert_form, forms, ops};

    #[test]
    fn a_domain_on_the_host_has_a_form_for_every_operation() {
        let text = page("pv1", Some(1)).render();
        let href = "/xend/domain/pv1";
        let forms = forms(&text);
        assert_eq!(forms.len(), 7);
        assert_form(forms[0], href, &["unpause", "pause"], &[]);
        assert_form(forms[1], href, &["shutdown"], &["reason", "reason", "reason", "reason"]);
        assert_form(forms[2], href, &["wait_for_devices"], &[]);
        assert_form(forms[3], href, &["rename"], &["name"]);
        assert_form(
            forms[4],
            href,
            &["cpu_sedf_set"],
            &["period", "slice", "latency", "extratime", "weight"],
        );
        assert_form(forms[5], href, &["cpu_sedf_get"], &[]);
        assert_form(forms[6], href, &["destroy"], &[]);
        assert!(text.contains(r#"<a href="/xend/domain/pv1?op=vcpuinfo">"#), "{text}");
    }

    #[test]
    fn power_off_is_the_reason_unless_another_is_chosen() {
        let text = page("pv1", Some(1)).render();
        assert!(text.contains(r#"value="poweroff" checked>"#), "{text}");
        assert_eq!(text.matches(" checked").count(), 1);
    }

    #[test]
    fn domain_0_has_no_form_that_it_refuses() {
        assert_eq!(
            ops(&page("Domain-0", Some(0)).render()),
            ["wait_for_devices", "rename", "cpu_sedf_set", "cpu_sedf_get"]
        );
    }

    #[test]
    fn a_domain_without_an_id_has_no_form_that_needs_one() {
        let text = page("web2", None).render();
        assert_eq!(ops(&text), ["rename"]);
        assert!(!text.contains("vcpuinfo"), "{text}");
    }

    #[test]
    fn the_sedf_form_starts_with_what_is_set() {
        let mut page = page("pv1", Some(1));
        assert!(page.render().contains(r#"name="period" min="0""#));
        page.sedf = Some(Sedf {
            period_ns: 20_000_000,
            slice_ns: 15_000_000,
            latency_ns: 0,
            extratime: true,
            weight: 7,
        });
        let text = page.render();
        for input in [
            r#"name="period" value="20000000""#,
            r#"name="slice" value="15000000""#,
            r#"name="latency" value="0""#,
            r#"name="weight" value="7""#,
            r#"<option value="1" selected>"#,
        ] {
            assert!(text.contains(input), "{input} in {text}");
        }
    }
}
