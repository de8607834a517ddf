//! Checks lifecycle rules that katkit did not create: what they do to blobs.

use aws_sdk_s3::types::{ExpirationStatus, LifecycleRule};

/// Minimum days to keep any blob: that long, someone may want to know why a phase failed.
const LEAST: i32 = 7;

/// What is wrong with the rules for objects below a prefix, and what to do about it.
pub fn otherwise(rules: &[LifecycleRule], below: &str) -> Option<(String, String)> {
    let enabled = || rules.iter().filter(|rule| *rule.status() == ExpirationStatus::Enabled);
    if let Some(how) = enabled().find_map(|rule| too_soon(rule, below)) {
        return Some((how, "exclude the blobs: they include logs and artifacts".to_owned()));
    }
    let covering = || enabled().filter(|rule| covers(rule, below));
    let aborts = covering().any(|rule| rule.abort_incomplete_multipart_upload().is_some());
    let expires = covering().any(|rule| rule.expiration().is_some_and(|it| it.days().is_some()));
    let how = match (aborts, expires) {
        (true, true) => return None,
        (false, true) => "no rule removes incomplete uploads",
        (true, false) => "no rule removes old objects",
        (false, false) => "no rule removes old objects or incomplete uploads",
    };
    let hint = "`katkit bootstrap --print` shows the rule; add it to the existing ones";
    Some((how.to_owned(), hint.to_owned()))
}

/// The problem with a rule that may remove blobs before anyone has read them.
fn too_soon(rule: &LifecycleRule, below: &str) -> Option<String> {
    let expiration = rule.expiration().filter(|_| touches(rule, below))?;
    let name = match (rule.id(), meant(rule).prefix) {
        (Some(id), _) => format!("the rule `{id}`"),
        (None, "") => "a rule for the whole bucket".to_owned(),
        (None, prefix) => format!("a rule for `{prefix}`"),
    };
    match (expiration.date(), expiration.days()) {
        (Some(_), _) => Some(format!("{name} removes all blobs after a fixed date")),
        (None, Some(1)) => Some(format!("{name} removes blobs 1 day after they are stored")),
        (None, Some(days)) if days < LEAST => {
            Some(format!("{name} removes blobs {days} days after they are stored"))
        }
        (None, _) => None,
    }
}

/// Whether a rule applies to everything below a prefix.
fn covers(rule: &LifecycleRule, below: &str) -> bool {
    let Meant { prefix, tagged, sized } = meant(rule);
    !tagged && !sized && below.starts_with(prefix)
}

/// Whether a rule may apply to something below a prefix. Ignores commit packs, which are rebuilt when needed.
fn touches(rule: &LifecycleRule, below: &str) -> bool {
    // Blobs have no tags.
    let Meant { prefix, tagged, sized: _ } = meant(rule);
    !tagged
        && !prefix.starts_with(&format!("{below}commits/"))
        && (below.starts_with(prefix) || prefix.starts_with(below))
}

/// The objects a rule applies to.
struct Meant<'a> {
    prefix: &'a str,
    tagged: bool,
    sized: bool,
}

#[allow(
    deprecated,
    reason = "AWS returns old rules unchanged: those from before filters existed have only a prefix"
)]
fn meant(rule: &LifecycleRule) -> Meant<'_> {
    let Some(filter) = rule.filter() else {
        return Meant { prefix: rule.prefix().unwrap_or_default(), tagged: false, sized: false };
    };
    let sizes = [filter.object_size_greater_than(), filter.object_size_less_than()];
    match filter.and() {
        None => Meant {
            prefix: filter.prefix().unwrap_or_default(),
            tagged: filter.tag().is_some(),
            sized: sizes.iter().any(Option::is_some),
        },
        Some(and) => Meant {
            prefix: and.prefix().unwrap_or_default(),
            tagged: !and.tags().is_empty(),
            sized: and.object_size_greater_than().is_some() || and.object_size_less_than().is_some(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::types::{
        AbortIncompleteMultipartUpload, LifecycleExpiration, LifecycleRuleAndOperator, LifecycleRuleFilter,
        Tag,
    };

    /// Parses `prefix expires-after-days aborts-after-days`, with 0 for never. A leading `off` disables the rule.
    fn rule(text: &str) -> LifecycleRule {
        let (status, text) = match text.strip_prefix("off ") {
            Some(text) => (ExpirationStatus::Disabled, text),
            None => (ExpirationStatus::Enabled, text),
        };
        let parts: Vec<&str> = text.split(' ').collect();
        let [days, aborts] = [parts[1], parts[2]].map(|number| number.parse::<i32>().unwrap());
        let filter = LifecycleRuleFilter::builder().prefix(parts[0]).build();
        let mut rule = LifecycleRule::builder().status(status).filter(filter);
        if days > 0 {
            rule = rule.expiration(LifecycleExpiration::builder().days(days).build());
        }
        if aborts > 0 {
            let abort = AbortIncompleteMultipartUpload::builder().days_after_initiation(aborts);
            rule = rule.abort_incomplete_multipart_upload(abort.build());
        }
        rule.build().unwrap()
    }

    fn said(rules: &[&str]) -> String {
        let rules: Vec<_> = rules.iter().map(|text| rule(text)).collect();
        otherwise(&rules, "kat/").map(|(how, _)| how).unwrap_or_default()
    }

    #[test]
    fn rules_that_cover_the_blobs_need_no_change() {
        for rules in [&["kat/ 365 7"][..], &[" 30 1"], &[" 0 7", "kat/ 90 0"], &["kat/ 365 7", "other/ 1 1"]]
        {
            assert_eq!(said(rules), "", "{rules:?}");
        }
    }

    #[test]
    fn missing_rules_are_reported() {
        let neither = "no rule removes old objects or incomplete uploads";
        assert_eq!(said(&["other/ 365 7"]), neither);
        assert_eq!(said(&["off  365 7"]), neither);
        assert_eq!(said(&["kat/sub/ 365 7"]), neither);
        assert_eq!(said(&[" 0 7"]), "no rule removes old objects");
        assert_eq!(said(&["kat/ 90 0"]), "no rule removes incomplete uploads");
    }

    #[test]
    fn rules_that_remove_blobs_too_soon_are_reported() {
        assert_eq!(said(&[" 1 7"]), "a rule for the whole bucket removes blobs 1 day after they are stored");
        assert_eq!(
            said(&["kat/ 365 7", "kat/dev/ 3 0"]),
            "a rule for `kat/dev/` removes blobs 3 days after they are stored"
        );
        assert_eq!(said(&["kat/ 365 7", "off kat/ 3 0"]), "");
        assert_eq!(said(&["kat/ 365 7", "kat/commits/ 3 0"]), "", "expired packs are rebuilt");
    }

    /// A rule that expires objects matching a filter.
    fn expiring(filter: LifecycleRuleFilter, expiration: LifecycleExpiration) -> LifecycleRule {
        let rule = LifecycleRule::builder().status(ExpirationStatus::Enabled).filter(filter);
        rule.id("mine").expiration(expiration).build().unwrap()
    }

    fn days(days: i32) -> LifecycleExpiration {
        LifecycleExpiration::builder().days(days).build()
    }

    #[test]
    fn a_rule_for_tagged_objects_applies_to_no_blob() {
        let tag = || Tag::builder().key("kind").value("tmp").build().unwrap();
        let and = LifecycleRuleAndOperator::builder().prefix("kat/").tags(tag()).build();
        for filter in [LifecycleRuleFilter::builder().tag(tag()), LifecycleRuleFilter::builder().and(and)] {
            let tagged = expiring(filter.build(), days(1));
            assert_eq!(otherwise(&[tagged.clone(), rule(" 365 7")], "kat/"), None);
            assert!(otherwise(&[tagged, rule(" 0 7")], "kat/").is_some());
        }
    }

    #[test]
    fn a_rule_for_objects_of_some_size_applies_to_some_blobs() {
        let and = LifecycleRuleAndOperator::builder().prefix("kat/").object_size_greater_than(0).build();
        let builder = LifecycleRuleFilter::builder;
        for filter in [builder().object_size_greater_than(0), builder().and(and)] {
            let filter = filter.build();
            let (how, _) = otherwise(&[expiring(filter.clone(), days(1)), rule(" 365 7")], "kat/").unwrap();
            assert_eq!(how, "the rule `mine` removes blobs 1 day after they are stored");
            let (how, _) = otherwise(&[expiring(filter, days(90)), rule(" 0 7")], "kat/").unwrap();
            assert_eq!(how, "no rule removes old objects");
        }
    }

    #[test]
    fn only_an_expiration_in_days_counts_as_one() {
        let everything = || LifecycleRuleFilter::builder().prefix("").build();
        let markers = LifecycleExpiration::builder().expired_object_delete_marker(true).build();
        let (how, _) = otherwise(&[expiring(everything(), markers), rule(" 0 7")], "kat/").unwrap();
        assert_eq!(how, "no rule removes old objects");
        let date = aws_sdk_s3::primitives::DateTime::from_secs(1_700_000_000);
        let dated = LifecycleExpiration::builder().date(date).build();
        let (how, _) = otherwise(&[expiring(everything(), dated), rule(" 365 7")], "kat/").unwrap();
        assert_eq!(how, "the rule `mine` removes all blobs after a fixed date");
    }
}
