//! Changes of clocks: which instants a window covers on such a day.

use std::fmt::Write as _;

use insta::assert_snapshot;
use jiff::ToSpan as _;
use jiff::civil::Date;

use super::*;

/// For both days on which a zone changes its clocks in 2026: the spans of windows around the change, in UTC. A third
/// span, on the day before, is as long as its times say.
fn around(zone_name: &str, changes: &[&str], times: &[&str]) -> String {
    let mut shown = String::new();
    for change in changes {
        let day: Date = change.parse().unwrap();
        let noon_before =
            day.yesterday().unwrap().at(12, 0, 0, 0).to_zoned(zone(zone_name).rules().clone()).unwrap();
        for times in times {
            let window = daily(&format!("mon-sun {times}"), zone_name);
            let span = |reading| {
                let Some(span) = window.next(noon_before.timestamp(), reading) else {
                    return "never".to_owned();
                };
                if span.start.to_zoned(zone(zone_name).rules().clone()).date() > day + 1.day() {
                    return "not that day".to_owned();
                }
                let (start, end) = (span.start.to_string(), span.end.to_string());
                format!(
                    "{}-{} {}",
                    &start[5..16],
                    &end[11..16],
                    span.end.duration_since(span.start).as_mins()
                )
            };
            let (longest, shortest) = (span(Reading::Longest), span(Reading::Shortest));
            writeln!(shown, "{change} {times}  freeze {longest}  allow {shortest}").unwrap();
        }
    }
    shown
}

#[test]
fn berlin_skips_and_repeats_an_hour() {
    assert_snapshot!(around("Europe/Berlin", &["2026-03-29", "2026-10-25"], &["01:00-02:30", "02:30-04:00", "01:00-04:00", "02:15-02:45"]), @"
    2026-03-29 01:00-02:30  freeze 03-29T00:00-01:30 90  allow 03-29T00:00-00:30 30
    2026-03-29 02:30-04:00  freeze 03-29T00:30-02:00 90  allow 03-29T01:30-02:00 30
    2026-03-29 01:00-04:00  freeze 03-29T00:00-02:00 120  allow 03-29T00:00-02:00 120
    2026-03-29 02:15-02:45  freeze 03-29T00:15-01:45 90  allow 03-30T00:15-00:45 30
    2026-10-25 01:00-02:30  freeze 10-24T23:00-01:30 150  allow 10-24T23:00-00:30 90
    2026-10-25 02:30-04:00  freeze 10-25T00:30-03:00 150  allow 10-25T01:30-03:00 90
    2026-10-25 01:00-04:00  freeze 10-24T23:00-03:00 240  allow 10-24T23:00-03:00 240
    2026-10-25 02:15-02:45  freeze 10-25T00:15-01:45 90  allow 10-26T01:15-01:45 30
    ");
}

#[test]
fn new_york_skips_and_repeats_an_hour() {
    assert_snapshot!(around("America/New_York", &["2026-03-08", "2026-11-01"], &["01:30-02:30", "00:30-01:30", "01:00-04:00"]), @"
    2026-03-08 01:30-02:30  freeze 03-08T06:30-07:30 60  allow 03-09T05:30-06:30 60
    2026-03-08 00:30-01:30  freeze 03-08T05:30-06:30 60  allow 03-08T05:30-06:30 60
    2026-03-08 01:00-04:00  freeze 03-08T06:00-08:00 120  allow 03-08T06:00-08:00 120
    2026-11-01 01:30-02:30  freeze 11-01T05:30-07:30 120  allow 11-01T06:30-07:30 60
    2026-11-01 00:30-01:30  freeze 11-01T04:30-06:30 120  allow 11-01T04:30-05:30 60
    2026-11-01 01:00-04:00  freeze 11-01T05:00-09:00 240  allow 11-01T06:00-09:00 180
    ");
}

#[test]
fn lord_howe_skips_and_repeats_half_an_hour() {
    assert_snapshot!(around("Australia/Lord_Howe", &["2026-04-05", "2026-10-04"], &["01:45-02:15", "01:00-03:00", "02:05-02:25"]), @"
    2026-04-05 01:45-02:15  freeze 04-04T14:45-15:45 60  allow 04-04T15:15-15:45 30
    2026-04-05 01:00-03:00  freeze 04-04T14:00-16:30 150  allow 04-04T14:00-16:30 150
    2026-04-05 02:05-02:25  freeze 04-04T15:35-15:55 20  allow 04-04T15:35-15:55 20
    2026-10-04 01:45-02:15  freeze 10-03T15:15-15:45 30  allow 10-04T14:45-15:15 30
    2026-10-04 01:00-03:00  freeze 10-03T14:30-16:00 90  allow 10-03T14:30-16:00 90
    2026-10-04 02:05-02:25  freeze 10-03T15:05-15:55 50  allow 10-04T15:05-15:25 20
    ");
}

#[test]
fn casablanca_changes_for_ramadan() {
    assert_snapshot!(around("Africa/Casablanca", &["2026-02-15", "2026-03-22"], &["02:30-03:30", "01:00-04:00"]), @"
    2026-02-15 02:30-03:30  freeze 02-15T01:30-03:30 120  allow 02-15T02:30-03:30 60
    2026-02-15 01:00-04:00  freeze 02-15T00:00-04:00 240  allow 02-15T00:00-04:00 240
    2026-03-22 02:30-03:30  freeze 03-22T01:30-02:30 60  allow 03-23T01:30-02:30 60
    2026-03-22 01:00-04:00  freeze 03-22T01:00-03:00 120  allow 03-22T01:00-03:00 120
    ");
}

#[test]
fn santiago_changes_at_midnight() {
    assert_snapshot!(around("America/Santiago", &["2026-04-04", "2026-09-06"], &["23:30-00:30", "00:30-01:30", "00:00-24:00"]), @"
    2026-04-04 23:30-00:30  freeze 04-04T02:30-03:30 60  allow 04-04T02:30-03:30 60
    2026-04-04 00:30-01:30  freeze 04-04T03:30-04:30 60  allow 04-04T03:30-04:30 60
    2026-04-04 00:00-24:00  freeze 04-04T03:00-04:00 1500  allow 04-04T03:00-04:00 1500
    2026-09-06 23:30-00:30  freeze 09-06T03:30-04:30 60  allow 09-07T02:30-03:30 60
    2026-09-06 00:30-01:30  freeze 09-06T03:30-04:30 60  allow 09-07T03:30-04:30 60
    2026-09-06 00:00-24:00  freeze 09-06T03:00-03:00 1440  allow 09-06T04:00-03:00 1380
    ");
}

#[test]
fn a_zone_without_changes_has_one_reading() {
    assert_snapshot!(around("Asia/Kolkata", &["2026-03-29"], &["02:00-03:00", "22:00-02:00"]), @"
    2026-03-29 02:00-03:00  freeze 03-28T20:30-21:30 60  allow 03-28T20:30-21:30 60
    2026-03-29 22:00-02:00  freeze 03-28T16:30-20:30 240  allow 03-28T16:30-20:30 240
    ");
}
