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
  { start = "2026-12-20 00:00", end = 2027-01-02T08:00:00, zone = "Europe/Berlin", rollback = false },
]
allow = [
  { days = ["mon-thu", "sat"], from = "09:00", to = 17:00:00, zone = "America/New_York" },
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
    assert_snapshot!(freezes.chain(windows).collect::<Vec<_>>().join("\n"), @"");
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
  { days = ["firday"], from = "9:00", to = "25:00", zone = "UTC" },
  { zone = "UTC" },
  { from = "09:00", to = "10:00" },
]"#,
    );
    assert_snapshot!(files.complaints(), @"");
}

#[test]
fn an_unknown_zone_gets_a_suggestion() {
    let zone = |name: &str| {
        policy(&format!("allow = [{{ from = '09:00', to = '17:00', zone = '{name}' }}]")).complaints()
    };
    assert_snapshot!(zone("Berlin"), @"");
    assert_snapshot!(zone("Europe/Berln"), @"");
    assert_snapshot!(zone("+01:00"), @"");
}

#[test]
fn a_policy_that_never_allows_a_deployment_is_refused() {
    assert_snapshot!(policy("allow = []").complaints(), @"");
    let frozen = "allow = [{ days = ['sat'], from = '09:00', to = '17:00', zone = 'UTC' }]\n\
                  freeze = [{ start = 'fri 16:00', end = 'mon 08:00', zone = 'Europe/Berlin' }]";
    assert_snapshot!(policy(frozen).complaints(), @"");
    // A dated window is over some day, which is no mistake.
    let dated = "allow = [{ start = '2020-01-01 00:00', end = '2020-02-01 00:00', zone = 'UTC' }]";
    assert_eq!(policy(dated).complaints(), "");
}

#[test]
fn an_unknown_policy_gets_a_suggestion() {
    let files = Files::new(
        "version = 1\n[policies.production]\n[tenants.prod]\npolicy = 'prodcution'\n[tenants.dev]\npolicy = 'x'\n",
    );
    assert_snapshot!(files.complaints(), @"");
}
