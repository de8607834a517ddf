//! What the rules of a bucket do to blobs, where a person wrote them.

use aws_sdk_s3::types::{ExpirationStatus, LifecycleRule};

/// How many days everything should stay at least: for so long somebody may want to know why a phase failed.
const LEAST: i32 = 7;

/// What the rules do not do, or do and should not, to what lies below a prefix; and what to do about it.
pub fn otherwise(rules: &[LifecycleRule], below: &str) -> Option<(String, String)> {
    let enabled = || rules.iter().filter(|rule| *rule.status() == ExpirationStatus::Enabled);
    if let Some(how) = enabled().find_map(|rule| too_soon(rule, below)) {
        return Some((how, "leave the blobs out of it: logs and artifacts are among them".to_owned()));
    }
    let covering = || enabled().filter(|rule| covers(rule, below));
    let aborts = covering().any(|rule| rule.abort_incomplete_multipart_upload().is_some());
    let expires = covering().any(|rule| rule.expiration().is_some_and(|it| it.days().is_some()));
    let how = match (aborts, expires) {
        (true, true) => return None,
        (false, true) => "no rule removes the parts of uploads that never ended",
        (true, false) => "no rule removes what is old",
        (false, false) => "no rule removes what is old, or the parts of uploads that never ended",
    };
    let hint = "`katkit bootstrap --print` shows the rule; add it to those that are there";
    Some((how.to_owned(), hint.to_owned()))
}

/// What is wrong with a rule that removes blobs before anyone may have read them.
fn too_soon(rule: &LifecycleRule, below: &str) -> Option<String> {
    let expiration = rule.expiration().filter(|_| touches(rule, below))?;
    let name = match (rule.id(), meant(rule).prefix) {
        (Some(id), _) => format!("the rule `{id}`"),
        (None, "") => "a rule for the whole bucket".to_owned(),
        (None, prefix) => format!("a rule for `{prefix}`"),
    };
    match (expiration.date(), expiration.days()) {
        (Some(_), _) => Some(format!("{name} removes all blobs there are, from a date on")),
        (None, Some(1)) => Some(format!("{name} removes blobs 1 day after they are stored")),
        (None, Some(days)) if days < LEAST => {
            Some(format!("{name} removes blobs {days} days after they are stored"))
        }
        (None, _) => None,
    }
}

/// Whether a rule is for everything below a prefix.
fn covers(rule: &LifecycleRule, below: &str) -> bool {
    let Meant { prefix, tagged, sized } = meant(rule);
    !tagged && !sized && below.starts_with(prefix)
}

/// Whether a rule may be for something below a prefix. Packed commits are not meant: those that are gone are made again.
fn touches(rule: &LifecycleRule, below: &str) -> bool {
    // No blob has a tag.
    let Meant { prefix, tagged, sized: _ } = meant(rule);
    !tagged
        && !prefix.starts_with(&format!("{below}commits/"))
        && (below.starts_with(prefix) || prefix.starts_with(below))
}

/// For which objects a rule is.
struct Meant<'a> {
    prefix: &'a str,
    tagged: bool,
    sized: bool,
}

#[allow(
    deprecated,
    reason = "AWS returns rules as they were written: before there were filters, with a prefix alone"
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

    /// A rule of the form `prefix expires-after-days aborts-after-days`, with 0 for never; off where it begins with `off`.
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
    fn rules_that_do_what_ours_does_are_left_alone() {
        for rules in [&["kat/ 365 7"][..], &[" 30 1"], &[" 0 7", "kat/ 90 0"], &["kat/ 365 7", "other/ 1 1"]]
        {
            assert_eq!(said(rules), "", "{rules:?}");
        }
    }

    #[test]
    fn what_they_do_not_do_is_said() {
        let neither = "no rule removes what is old, or the parts of uploads that never ended";
        assert_eq!(said(&["other/ 365 7"]), neither);
        assert_eq!(said(&["off  365 7"]), neither);
        assert_eq!(said(&["kat/sub/ 365 7"]), neither);
        assert_eq!(said(&[" 0 7"]), "no rule removes what is old");
        assert_eq!(said(&["kat/ 90 0"]), "no rule removes the parts of uploads that never ended");
    }

    #[test]
    fn what_is_removed_too_soon_is_said() {
        assert_eq!(said(&[" 1 7"]), "a rule for the whole bucket removes blobs 1 day after they are stored");
        assert_eq!(
            said(&["kat/ 365 7", "kat/dev/ 3 0"]),
            "a rule for `kat/dev/` removes blobs 3 days after they are stored"
        );
        assert_eq!(said(&["kat/ 365 7", "off kat/ 3 0"]), "");
        assert_eq!(said(&["kat/ 365 7", "kat/commits/ 3 0"]), "", "what is gone there is made again");
    }

    /// A rule that expires what a filter names.
    fn expiring(filter: LifecycleRuleFilter, expiration: LifecycleExpiration) -> LifecycleRule {
        let rule = LifecycleRule::builder().status(ExpirationStatus::Enabled).filter(filter);
        rule.id("mine").expiration(expiration).build().unwrap()
    }

    fn days(days: i32) -> LifecycleExpiration {
        LifecycleExpiration::builder().days(days).build()
    }

    #[test]
    fn a_rule_for_objects_with_a_tag_is_for_no_blob() {
        let tag = || Tag::builder().key("kind").value("tmp").build().unwrap();
        let and = LifecycleRuleAndOperator::builder().prefix("kat/").tags(tag()).build();
        for filter in [LifecycleRuleFilter::builder().tag(tag()), LifecycleRuleFilter::builder().and(and)] {
            let tagged = expiring(filter.build(), days(1));
            assert_eq!(otherwise(&[tagged.clone(), rule(" 365 7")], "kat/"), None);
            assert!(otherwise(&[tagged, rule(" 0 7")], "kat/").is_some());
        }
    }

    #[test]
    fn a_rule_for_objects_of_a_size_is_for_some_blobs() {
        let and = LifecycleRuleAndOperator::builder().prefix("kat/").object_size_greater_than(0).build();
        let builder = LifecycleRuleFilter::builder;
        for filter in [builder().object_size_greater_than(0), builder().and(and)] {
            let filter = filter.build();
            let (how, _) = otherwise(&[expiring(filter.clone(), days(1)), rule(" 365 7")], "kat/").unwrap();
            assert_eq!(how, "the rule `mine` removes blobs 1 day after they are stored");
            let (how, _) = otherwise(&[expiring(filter, days(90)), rule(" 0 7")], "kat/").unwrap();
            assert_eq!(how, "no rule removes what is old");
        }
    }

    #[test]
    fn what_is_no_number_of_days_is_not_taken_for_one() {
        let everything = || LifecycleRuleFilter::builder().prefix("").build();
        let markers = LifecycleExpiration::builder().expired_object_delete_marker(true).build();
        let (how, _) = otherwise(&[expiring(everything(), markers), rule(" 0 7")], "kat/").unwrap();
        assert_eq!(how, "no rule removes what is old");
        let date = aws_sdk_s3::primitives::DateTime::from_secs(1_700_000_000);
        let dated = LifecycleExpiration::builder().date(date).build();
        let (how, _) = otherwise(&[expiring(everything(), dated), rule(" 365 7")], "kat/").unwrap();
        assert_eq!(how, "the rule `mine` removes all blobs there are, from a date on");
    }
}
