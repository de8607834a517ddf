//! What the rules of a bucket do to blobs, where a person wrote them.

use aws_sdk_s3::types::{ExpirationStatus, LifecycleRule};

/// How many days everything should stay at least: for so long somebody may want to know why a phase failed.
const LEAST: i32 = 7;

/// What the rules do not do, or do and should not, to what lies below a prefix; and what to do about it.
pub fn otherwise(rules: &[LifecycleRule], below: &str) -> Option<(String, String)> {
    let enabled: Vec<_> = rules.iter().filter(|rule| *rule.status() == ExpirationStatus::Enabled).collect();
    let days = |rule: &&&LifecycleRule| rule.expiration().and_then(|it| it.days());
    let soonest = enabled.iter().filter(|rule| touches(rule, below)).filter_map(|rule| days(&rule)).min();
    if let Some(days) = soonest.filter(|days| *days < LEAST) {
        let how = format!("a rule removes what is stored after {days} {}", plural(days));
        return Some((how, "logs and artifacts are gone then; leave blobs out of it".to_owned()));
    }
    let covering = || enabled.iter().filter(|rule| covers(rule, below));
    let aborts = covering().any(|rule| rule.abort_incomplete_multipart_upload().is_some());
    let expires = covering().any(|rule| rule.expiration().is_some());
    let how = match (aborts, expires) {
        (true, true) => return None,
        (false, true) => "no rule removes the parts of uploads that never ended",
        (true, false) => "no rule removes what is old",
        (false, false) => "no rule removes what is old, or the parts of uploads that never ended",
    };
    let hint = "`katkit bootstrap --print` shows the rule; add it to those that are there";
    Some((how.to_owned(), hint.to_owned()))
}

fn plural(days: i32) -> &'static str {
    if days == 1 { "day" } else { "days" }
}

/// Whether a rule is for everything below a prefix.
fn covers(rule: &LifecycleRule, below: &str) -> bool {
    prefix(rule).is_some_and(|prefix| below.starts_with(prefix))
}

/// Whether a rule is for something below a prefix, as far as its own prefix tells.
fn touches(rule: &LifecycleRule, below: &str) -> bool {
    prefix(rule).is_some_and(|prefix| below.starts_with(prefix) || prefix.starts_with(below))
}

/// The prefix of a rule that is for everything below it; `None` of one that is for objects with certain tags or of a
/// certain size. The field beside the filter is how rules were written before there were filters.
#[allow(deprecated, reason = "AWS returns rules as they were written")]
fn prefix(rule: &LifecycleRule) -> Option<&str> {
    match rule.filter() {
        None => Some(rule.prefix().unwrap_or_default()),
        Some(filter) => {
            let more = filter.tag().is_some()
                || filter.and().is_some()
                || filter.object_size_greater_than().is_some()
                || filter.object_size_less_than().is_some();
            (!more).then(|| filter.prefix().unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::types::{AbortIncompleteMultipartUpload, LifecycleExpiration, LifecycleRuleFilter, Tag};

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
        assert_eq!(said(&[" 1 7"]), "a rule removes what is stored after 1 day");
        assert_eq!(said(&["kat/ 365 7", "kat/dev/ 3 0"]), "a rule removes what is stored after 3 days");
        assert_eq!(said(&["kat/ 365 7", "off kat/ 3 0"]), "");
    }

    #[test]
    fn a_rule_for_some_objects_is_not_one_for_all() {
        let tag = Tag::builder().key("kind").value("tmp").build().unwrap();
        let filter = LifecycleRuleFilter::builder().tag(tag).build();
        let expiration = LifecycleExpiration::builder().days(1).build();
        let tagged = LifecycleRule::builder().status(ExpirationStatus::Enabled).filter(filter);
        let tagged = tagged.expiration(expiration).build().unwrap();
        assert_eq!(otherwise(&[tagged, rule(" 365 7")], "kat/"), None);
    }
}
