//! `[policies]`: windows, zones and the tenants that use them.

use insta::assert_snapshot;

use super::Files;

/// A manifest with a policy `production`, which the tenant `prod` uses.
fn policy(keys: &str) -> Files {
    Files::new(format!("version = 1\n[policies.production]\n{keys}\n[tenants.prod]\npolicy = 'production'\n"))
}

#[test]
fn freezes_and_windows_are_weekly_or_dated() {
    let files = policy(
        r#"freeze = [
  { start = "fri 16:00", end = "mon 08:00", zone = "Europe/Berlin", why = "weekend" },
  { start = "2026-12-20 00:00", end = "2027-01-02T08:00", zone = "Europe/Berlin", rollback = false },
]
allow = [
  { days = ["mon-thu", "sat"], from = "09:00", to = "17:00", zone = "America/New_York" },
  { from = "22:00", to = "24:00", zone = "UTC" },
]"#,
    );
    let loaded = files.load();
    let policy = loaded.manifest.policies.values().next().unwrap();
    let freezes = policy.freezes.iter().map(|freeze| {
        let why = freeze.why.clone().unwrap_or_default();
        format!(
            "freeze {} [{why}]{}",
            freeze.window,
            if freeze.holds_rollbacks { " rollbacks too" } else { "" }
        )
    });
    let windows = policy.allow.iter().map(|window| format!("allow {window}"));
    assert_snapshot!(freezes.chain(windows).collect::<Vec<_>>().join("\n"), @"
    freeze fri 16:00 to mon 08:00 Europe/Berlin [weekend]
    freeze 2026-12-20 00:00 to 2027-01-02 08:00 Europe/Berlin [] rollbacks too
    allow mon-thu,sat 09:00-17:00 America/New_York
    allow mon-sun 22:00-24:00 UTC
    ");
    let prod = loaded.manifest.links().next();
    assert!(prod.is_none());
    let tenant = loaded.manifest.tenants.values().next().unwrap();
    assert_eq!(tenant.policy.as_ref().map(|name| name.as_str()), Some("production"));
}

#[test]
fn mistakes_in_windows_are_reported_together() {
    let files = policy(
        r#"freeze = [
  { start = "friday 16", end = "mon 08:00", zone = "Europe/Berlin" },
  { start = "fri 16:00", end = "2026-12-20 00:00", zone = "Europe/Berlin" },
  { start = "2026-12-20 00:00", end = "2026-12-01 00:00", zone = "UTC" },
  { start = "2026-12-20T00:00:00Z", end = "2026-12-21 00:00", zone = "UTC" },
  { start = "2026-12-20", end = "2026-12-21 00:00", zone = "UTC" },
  { days = ["fri"], start = "fri 16:00", zone = "UTC" },
  { days = ["fri"], from = "16:00", zone = "UTC" },
  { start = "fri 16:00", zone = "UTC" },
  { days = ["fri"], from = "16:00", to = "16:00", zone = "UTC" },
  { days = ["fryday"], from = "9:00", to = "25:00", zone = "UTC" },
  { days = [], from = "09:00", to = "10:00", zone = "UTC" },
  { days = ["fri", 5], from = 900, to = "10:00", zone = "UTC" },
  { days = ["Fri"], from = "09:00", to = 10:00:00, zone = "UTC" },
  { start = "2026-12-20 00:00:30", end = 2026-12-21T00:00:00, zone = "UTC" },
  { zone = "UTC" },
  { from = "09:00", to = "10:00" },
]"#,
    );
    assert_snapshot!(files.complaints(), @r#"
    katkit.toml:4: not a valid start or end
        write a day of every week, `"fri 16:00"`, or a date, `"2026-12-20 00:00"`
    katkit.toml:5: `start` and `end` of different kinds
        write both as days of every week, or both as dates
    katkit.toml:6: a window that is never in force: it ends before it starts
    katkit.toml:7: a time with an offset
        write a day of every week, `"fri 16:00"`, or a date, `"2026-12-20 00:00"`
    katkit.toml:8: not a valid start or end
        write a day of every week, `"fri 16:00"`, or a date, `"2026-12-20 00:00"`
    katkit.toml:9: two kinds of windows in one
        a window has either `days`, `from` and `to`, or `start` and `end`
    katkit.toml:10: missing key `to`
        a window has either `days`, `from` and `to`, or `start` and `end`
    katkit.toml:11: missing key `end`
        a window has either `days`, `from` and `to`, or `start` and `end`
    katkit.toml:12: a window that is never in force: it ends when it starts
    katkit.toml:13: `fryday` is not a day, did you mean `friday`?
        write a day or a span of days: `"mon"`, `"mon-thu"`
    katkit.toml:13: not a time of day
        write hours and minutes, from `"00:00"` to `"24:00"`
    katkit.toml:13: not a time of day
        write hours and minutes, from `"00:00"` to `"24:00"`
    katkit.toml:14: a window without days
        leave `days` out for every day
    katkit.toml:15: expected a string, found an integer
        put it in quotes: `"5"`
    katkit.toml:15: expected a string, found an integer
        put it in quotes: `"900"`
    katkit.toml:16: `Fri` is not a day, did you mean `fri`?
        write a day or a span of days: `"mon"`, `"mon-thu"`
    katkit.toml:16: expected a string, found a date
        put it in quotes: `"10:00:00"`
    katkit.toml:17: not a valid start or end
        write a day of every week, `"fri 16:00"`, or a date, `"2026-12-20 00:00"`
    katkit.toml:17: expected a string, found a date
        put it in quotes: `"2026-12-21T00:00:00"`
    katkit.toml:18: missing key `from`
        a window has either `days`, `from` and `to`, or `start` and `end`
    katkit.toml:19: missing key `zone`
    "#);
}

#[test]
fn an_unknown_zone_gets_a_suggestion() {
    let zone = |name: &str| {
        policy(&format!("allow = [{{ from = '09:00', to = '17:00', zone = '{name}' }}]")).complaints()
    };
    assert_snapshot!(zone("Berlin"), @"
    katkit.toml:3: unknown time zone `Berlin`, did you mean `Europe/Berlin`?
        write its name in the IANA database, such as `Europe/Berlin` or `UTC`
    ");
    assert_snapshot!(zone("Europe/Berln"), @"
    katkit.toml:3: unknown time zone `Europe/Berln`, did you mean `Europe/Berlin`?
        write its name in the IANA database, such as `Europe/Berlin` or `UTC`
    ");
    assert_snapshot!(zone("+01:00"), @"
    katkit.toml:3: unknown time zone `+01:00`
        write its name in the IANA database, such as `Europe/Berlin` or `UTC`
    ");
}

#[test]
fn a_policy_that_never_allows_a_deployment_is_refused() {
    assert_snapshot!(policy("allow = []").complaints(), @"
    katkit.toml:3: `allow` lists no windows
        leave `allow` out to allow deployments at any time; a `freeze` stops them
    ");
    let frozen = "allow = [{ days = ['sat'], from = '09:00', to = '17:00', zone = 'UTC' }]\n\
                  freeze = [{ start = 'fri 16:00', end = 'mon 08:00', zone = 'Europe/Berlin' }]";
    assert_snapshot!(policy(frozen).complaints(), @"
    katkit.toml:2: the policy `production` never allows a deployment
        leave a time of the week that no `freeze` covers and, if there is `allow`, one of its windows does
    ");
    // A dated window is over some day, which is no mistake.
    let dated = "allow = [{ start = '2020-01-01 00:00', end = '2020-02-01 00:00', zone = 'UTC' }]";
    policy(dated).load();
    policy("freeze = []").load();
}

#[test]
fn an_unknown_policy_gets_a_suggestion() {
    let files = Files::new(
        "version = 1\n[policies.production]\n[tenants.prod]\npolicy = 'prodcution'\n[tenants.dev]\npolicy = 'x'\n",
    );
    assert_snapshot!(files.complaints(), @"
    katkit.toml:4: there is no policy `prodcution`, did you mean `production`?
    katkit.toml:6: there is no policy `x`
        there is only `production`
    ");
}

#[test]
fn a_train_needs_a_soak() {
    assert_snapshot!(policy("train = true").complaints(), @r#"
    katkit.toml:3: `train` without `soak`
        say how long a commit soaks, like `soak = "2h"`
    "#);
    let loaded = policy("soak = '90m'\ntrain = true").load();
    let policy = loaded.manifest.policies.values().next().unwrap();
    assert_eq!(policy.soak.as_ref().map(|soak| (soak.time.as_secs(), soak.train)), Some((5400, true)));
}

#[test]
fn the_hours_of_a_soak_are_a_calendar_of_any_file() {
    let root =
        "version = 1\ninclude = ['hours.toml']\n[policies.production]\nsoak = '8h'\nsoak-hours = 'working'\n";
    let hours = "[calendars.working]\ndays = ['mon-fri']\nfrom = '09:00'\nto = '17:00'\nzone = 'UTC'\n";
    let files = Files::new(root).with("hours.toml", hours);
    let loaded = files.load();
    let soak = loaded.manifest.policies.values().next().unwrap().soak.as_ref().unwrap();
    assert_eq!(soak.hours.as_ref().unwrap().to_string(), "mon-fri 09:00-17:00 UTC");
}

#[test]
fn mistakes_in_calendars_are_reported() {
    assert_snapshot!(policy("soak-hours = 'working'").complaints(), @r#"
    katkit.toml:3: `soak-hours` without `soak`
        say how long a commit soaks, like `soak = "8h"`
    "#);
    let working = |hours: &str| {
        policy(&format!("soak = '8h'\nsoak-hours = 'worknig'\n[calendars.working]\n{hours}")).complaints()
    };
    assert_snapshot!(working("from = '09:00'\nto = '17:00'\nzone = 'UTC'"), @"katkit.toml:4: there is no calendar `worknig`, did you mean `working`?");
    assert_snapshot!(policy("soak = '8h'\nsoak-hours = 'working'").complaints(), @"
    katkit.toml:4: there is no calendar `working`
        no calendar is defined
    ");
    let mistaken = |hours: &str| {
        policy(&format!("soak = '8h'\nsoak-hours = 'working'\n[calendars.working]\n{hours}")).complaints()
    };
    assert_snapshot!(mistaken("days = []\nfrom = '09:00'\nto = '17:00'\nzone = 'UTC'"), @"
    katkit.toml:6: a window without days
        leave `days` out for every day
    ");
    assert_snapshot!(mistaken("from = '9:00'\nto = '17:00'\nzone = 'UTC'"), @r#"
    katkit.toml:6: not a time of day
        write hours and minutes, from `"00:00"` to `"24:00"`
    "#);
    assert_snapshot!(mistaken("from = '09:00'\nzone = 'UTC'"), @"katkit.toml:5: missing key `to`");
    assert_snapshot!(mistaken("from = '09:00'\nto = '09:00'\nzone = 'UTC'"), @r#"
    katkit.toml:5: the calendar `working` has no hours
        for every hour of a day, write `from = "00:00"` and `to = "24:00"`
    "#);
    assert_snapshot!(mistaken("days = ['sun']\nfrom = '09:00'\nto = '09:10'\nzone = 'UTC'"), @"
    katkit.toml:3: the calendar `working` has too few hours for this soak
        a commit must be able to soak within half a year
    ");
    assert_snapshot!(mistaken("from = '9'\nzone = 'Berlin'\nstart = 'mon 08:00'"), @r#"
    katkit.toml:5: missing key `to`
    katkit.toml:6: not a time of day
        write hours and minutes, from `"00:00"` to `"24:00"`
    katkit.toml:7: unknown time zone `Berlin`, did you mean `Europe/Berlin`?
        write its name in the IANA database, such as `Europe/Berlin` or `UTC`
    katkit.toml:8: unknown key `start`
        the keys of a calendar are `days`, `from`, `to` and `zone`
    "#);
    let soak = "soak = '400 d'\nsoak-hours = 'working hours'\n[calendars.'working hours']";
    assert_snapshot!(policy(&format!("{soak}\nfrom = '09:00'\nto = '17:00'\nzone = 'UTC'")).complaints(), @"
    katkit.toml:3: `400 d` is not a duration
        a duration looks like `90s`, `20m` or `1h30m`
    katkit.toml:5: `working hours` contains ' '; use letters, digits, `-`, `_` and `.`, starting with a letter or digit
    ");
}
