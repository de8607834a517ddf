//! What the edits change and what they leave alone, on realistic descriptions.

use insta::assert_snapshot;
use proptest::prelude::*;

use crate::domain::{CommitSha, Images};

use super::*;

/// Has a byte-order mark, Windows line endings, tabs, comments, and `<hubtag>` in positions without meaning.
const TYPICAL: &str = "\u{feff}{\r\n\t// <hubtag> is the commit\r\n\t\"Roles\": [{\r\n\t\t\"Name\": \"web\",\r\n\
    \t\t\"DockerImage\": \"acme/anyservice:web_<hubtag>\", /* <hubtag> */\r\n\t\t\"ExtraConfig\": \"\\\"TAG=<hubtag>\\\"\",\r\n\
    \t\t\"LBConfigurations\": [{ \"Name\": \"tcp|80\", \"DockerImage\": \"acme/no:<hubtag>\" }],\r\n\t}, {\r\n\
    \t\t\"Name\": \"db\",\r\n\t\t\"DockerImage\": \"redis:latest\",\r\n\t}, { 'Name': 'job', 'DockerImage': 'acme/job:<hubtag>' }],\r\n\
    \t\"DockerImage\": \"acme/top:<hubtag>\"\r\n}";

fn sha(digit: &str) -> CommitSha {
    CommitSha::new(digit.repeat(40)).unwrap()
}

fn role(image: &str) -> String {
    format!(r#"{{ "Roles": [{{ "Name": "web", "DockerImage": "{image}" }}] }}"#)
}

fn parse(text: &str) -> ServiceDescription {
    ServiceDescription::parse(text).unwrap()
}

fn mistake(text: &str) -> String {
    ServiceDescription::parse(text).unwrap_err().to_string()
}

#[test]
fn roles_are_listed_in_file_order() {
    let description = parse(TYPICAL);
    let roles: Vec<_> = description
        .roles()
        .iter()
        .map(|role| (role.name.as_str(), role.image.as_str(), role.is_tagged()))
        .collect();
    assert_eq!(
        roles,
        [
            ("web", "acme/anyservice:web_<hubtag>", true),
            ("db", "redis:latest", false),
            ("job", "acme/job:<hubtag>", true),
        ]
    );
}

#[test]
fn a_deployment_changes_only_the_bytes_of_tags() {
    let sha = sha("3");
    let retagged = parse(TYPICAL).retag(&sha);
    let expected = TYPICAL
        .replace("anyservice:web_<hubtag>", &format!("anyservice:web_{sha}"))
        .replace("acme/job:<hubtag>", &format!("acme/job:{sha}"));
    assert_eq!(retagged.text, expected);
    assert_eq!(retagged.text.matches("<hubtag>").count(), 5);
    assert_eq!(
        retagged.images,
        [
            ("web".to_owned(), format!("acme/anyservice:web_{sha}")),
            ("job".to_owned(), format!("acme/job:{sha}"))
        ]
    );
}

#[test]
fn a_tag_written_with_escapes_is_replaced_and_other_escapes_stay() {
    let written = r"acme\/web:\u0077_\u003chubtag\u003E-\u{0}x".replace(r"\u{0}", "<hubtag>");
    let retagged = parse(&role(&written)).retag(&sha("4"));
    let fours = "4".repeat(40);
    assert_eq!(retagged.text, role(&format!(r"acme\/web:\u0077_{fours}-{fours}x")));
    assert_eq!(retagged.images[0].1, format!("acme/web:w_{fours}-{fours}x"));
    let half = parse(&role(r"acme/web:<hub\u0074ag>")).retag(&sha("4"));
    assert_eq!(half.text, role(&format!("acme/web:{fours}")));
}

#[test]
fn an_invalid_description_gets_an_error_with_a_position() {
    assert_snapshot!(mistake("[]"), @"the file holds a list, not a service description (line 1, column 1)");
    assert_snapshot!(mistake("{}"), @"the service description has no `Roles` (line 1, column 1)");
    assert_snapshot!(mistake(r#"{"Roles": {}}"#), @"`Roles` is an object, not a list (line 1, column 11)");
    assert_snapshot!(mistake(r#"{"Roles": []}"#), @"`Roles` is empty: there is no service to deploy (line 1, column 11)");
    assert_snapshot!(mistake(r#"{"Roles": [1]}"#), @"a role is an object, not 1 (line 1, column 12)");
    assert_snapshot!(mistake(r#"{"Roles": [{}]}"#), @"a role has no `Name` (line 1, column 12)");
    assert_snapshot!(mistake(r#"{"Roles": [{"Name": 1}]}"#), @"`Name` of a role is 1, not the name of a service (line 1, column 21)");
    assert_snapshot!(mistake(r#"{"Roles": [{"Name": "web", "Dockerimage": "a:1"}]}"#), @"role `web` has no `DockerImage` (line 1, column 12)");
    assert_snapshot!(mistake(r#"{"Roles": [{"Name": "web", "DockerImage": 1}]}"#), @"`DockerImage` of role `web` is 1, not an image (line 1, column 43)");
    assert_snapshot!(mistake(r#"{"Roles": [{"Name": "web", "DockerImage": "a:1", "DockerImage": "a:2"}]}"#), @"`DockerImage` is given twice (line 1, column 50)");
    assert_snapshot!(mistake("{\"Roles\": [{\"Name\": \"web\", \"DockerImage\": \"a:1\"},\n {\"Name\": \"web\", \"DockerImage\": \"b:1\"}]}"), @"two roles are named `web` (line 2, column 2)");
    assert_snapshot!(mistake(&role("acme<hubtag>/web")), @"the image `acme<hubtag>/web` of role `web` has no tag (line 1, column 45)");
    assert_snapshot!(mistake(&role("acme/web:<HubTag>")), @"the image `acme/web:<HubTag>` of role `web` contains `<` or `>` (line 1, column 45)");
    assert_snapshot!(mistake(&role("acme/web:\\n<hubtag>")), @r"the image `acme/web:\n<hubtag>` of role `web` contains whitespace or a control character (line 1, column 45)");
    assert_snapshot!(mistake("exports.roles = {}"), @"`exports.roles = {}` is code, not data (line 1, column 1)");
    assert!(ServiceDescription::from_bytes(b"{\xff").unwrap_err().to_string().contains("UTF-8"));
    assert!(mistake(&" ".repeat(1 << 21)).contains("the limit is"));
}

#[test]
fn a_role_that_is_not_deployed_may_have_any_image_or_none() {
    for beside in [
        r#""DockerImage": "redis""#,
        r#""DockerImage": "host:5000/acme/db""#,
        r#""DockerImage": "a b""#,
        r#""DockerImage": """#,
        r#""DockerImage": null"#,
        r#""Replicas": 1"#,
    ] {
        let text = format!(
            r#"{{ "Roles": [{{ "Name": "db", {beside} }}, {{ "Name": "web", "DockerImage": "acme/web:<hubtag>" }}] }}"#
        );
        let sha = sha("5");
        let retagged = parse(&text).retag(&sha);
        assert_eq!(retagged.text, text.replace("<hubtag>", sha.as_str()), "{beside}");
        assert_eq!(retagged.images, [("web".to_owned(), format!("acme/web:{sha}"))], "{beside}");
        let wanted = Images::from_iter([("web".to_owned(), "acme/web:new".to_owned())]);
        let edited = Rebased::Edited(text.replace("<hubtag>", "new"));
        assert_eq!(with_images(&text, &wanted).unwrap(), edited, "{beside}");
    }
}

#[test]
fn a_live_role_without_an_image_cannot_be_the_base() {
    let live = r#"{ "Roles": [{ "Name": "web" }] }"#;
    let wanted = Images::from_iter([("web".to_owned(), "acme/web:new".to_owned())]);
    assert_eq!(with_images(live, &wanted).unwrap(), Rebased::Missing(vec!["web".to_owned()]));
}

#[test]
fn a_hubtag_outside_of_role_images_is_reported() {
    let kept = |text: &str| parse(text).kept_tags().map(|kept| kept.to_string());
    assert_snapshot!(kept(TYPICAL).unwrap(), @"`<hubtag>` is left as is in `Roles[0].ExtraConfig` (line 6, column 18), `Roles[0].LBConfigurations[0].DockerImage` (line 7, column 59), `DockerImage` (line 12, column 17); a deployment replaces it only in the `DockerImage` of a role");
    let many = r#"{ "Roles": [{ "Name": "web", "DockerImage": "a:<hubtag>", "X": ["<hubtag>", "<hubtag>", "-<hubtag>-", "<hubtag>", "<hubtag>"] }] }"#;
    assert!(
        kept(many).unwrap().contains("`Roles[0].X[2]` (line 1, column 89) and 2 more;"),
        "{:?}",
        kept(many)
    );
    assert_eq!(kept(&role("acme/web:<hubtag>")), None);
}

#[test]
fn the_live_description_is_the_base_and_only_its_images_change() {
    let live =
        TYPICAL.replace("<hubtag>", "old").replace("\"Name\": \"web\"", "\"Name\": \"web\", \"Replicas\": 7");
    let wanted = Images::from_iter([("web".to_owned(), "acme/anyservice:web_new".to_owned())]);
    let expected = live.replace("web_old", "web_new");
    assert_eq!(with_images(&live, &wanted).unwrap(), Rebased::Edited(expected));
}

#[test]
fn a_live_description_without_the_role_cannot_be_the_base() {
    let wanted = ["web", "new", "other"].map(|name| (name.to_owned(), "a:1".to_owned()));
    let missing = with_images(TYPICAL, &Images::from_iter(wanted)).unwrap();
    assert_eq!(missing, Rebased::Missing(vec!["new".to_owned(), "other".to_owned()]));
}

#[test]
fn a_live_image_need_not_meet_the_rules_for_repositories() {
    let live = role("acme/web");
    assert_eq!(images(&live).unwrap().get("web").unwrap(), "acme/web");
    let wanted = Images::from_iter([("web".to_owned(), "acme/web:1".to_owned())]);
    assert_eq!(with_images(&live, &wanted).unwrap(), Rebased::Edited(role("acme/web:1")));
}

/// Descriptions in every style that a file can have: the images of the roles, and the text that contains them.
fn descriptions() -> impl Strategy<Value = (Vec<String>, String)> {
    let image = prop_oneof![
        "[a-z]{1,6}(/[a-z]{1,6})?:([a-z_]{0,4}<hubtag>[a-z.-]{0,4}){1,2}",
        "[a-z]{1,6}:[a-z0-9]{1,8}",
        "host:5000/[a-z]{1,4}:<hubtag>",
    ];
    let around = prop::sample::select(vec!["", " ", "\r\n\t", "/* <hubtag> */", "// \"<hubtag>\"\n"]);
    let style = (any::<bool>(), prop::collection::vec(0..4_u8, 0..40));
    let role = (image, around.clone(), style, around);
    (any::<bool>(), prop::collection::vec(role, 1..5)).prop_map(|(mark, roles)| {
        let mut text = if mark { "\u{feff}{Roles:[" } else { "{\"Roles\": [" }.to_owned();
        let mut images = Vec::new();
        for (at, (image, before, (single, escapes), after)) in roles.into_iter().enumerate() {
            let quote = if single { '\'' } else { '"' };
            let mut escapes = escapes.into_iter();
            let written: String = image
                .chars()
                .map(|c| match escapes.next() {
                    Some(0) => format!("\\u{:04x}", u32::from(c)),
                    Some(1) if c == '/' => "\\/".to_owned(),
                    _ => c.to_string(),
                })
                .collect();
            text.push_str(&format!(
                "{before}{{ \"Name\": \"r{at}\",{after} \"DockerImage\":{before}{quote}{written}{quote}{after}, \"Tags\": ['<hubtag>'] }},"
            ));
            images.push(image);
        }
        text.push_str("]}");
        (images, text)
    })
}

proptest! {
    #[test]
    fn retag_changes_only_the_bytes_of_tags((images, text) in descriptions()) {
        let description = parse(&text);
        let sha = sha("5");
        let retagged = description.retag(&sha);
        // Outside of the tags in the images, both texts are the same byte for byte.
        let (mut old, mut new) = (0, 0);
        let after = parse(&retagged.text);
        for ((before, after), image) in description.roles().iter().zip(after.roles()).zip(&images) {
            prop_assert_eq!(&before.image, image);
            prop_assert_eq!(&after.image, &image.replace(HUBTAG, sha.as_str()));
            prop_assert_eq!(&text[old..before.span.start], &retagged.text[new..after.span.start]);
            if !before.is_tagged() {
                prop_assert_eq!(&text[before.span.clone()], &retagged.text[after.span.clone()]);
            }
            (old, new) = (before.span.end, after.span.end);
        }
        prop_assert_eq!(&text[old..], &retagged.text[new..]);
        for (name, image) in &retagged.images {
            let template = &description.role(name).unwrap().image;
            prop_assert_eq!(sha_in(template, image), Some(sha.clone()));
        }
    }

    #[test]
    fn retagging_twice_changes_nothing((_, text) in descriptions()) {
        let once = parse(&text).retag(&sha("6")).text;
        let again = parse(&once).retag(&sha("7"));
        prop_assert_eq!(again.text, once);
        prop_assert!(again.images.is_empty());
    }

    #[test]
    fn setting_the_images_that_a_description_has_changes_nothing((_, text) in descriptions()) {
        let own = images(&text).unwrap();
        prop_assert_eq!(with_images(&text, &own).unwrap(), Rebased::Edited(text));
    }

    #[test]
    fn an_image_that_was_set_is_read_back_unchanged((_, text) in descriptions(), image in r#"(\PC|["'\\\n\x7f]){0,12}"#) {
        let wanted = Images::from_iter([("r0".to_owned(), image.clone())]);
        let Rebased::Edited(edited) = with_images(&text, &wanted).unwrap() else { panic!() };
        let found = images(&edited).unwrap();
        prop_assert_eq!(found.get("r0"), Some(&image));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = ServiceDescription::from_bytes(&bytes);
    }

    #[test]
    fn no_image_makes_the_reader_or_the_edit_panic(image in r#"(\PC|\\u[0-9a-f]{4}|\\[nt/"\\]|<hubtag>|:|@|/){0,8}"#) {
        if let Ok(description) = ServiceDescription::parse(&role(&image)) {
            let retagged = description.retag(&sha("8"));
            let own = images(&retagged.text).unwrap();
            prop_assert_eq!(own.get("web").unwrap(), &description.roles()[0].image.replace(HUBTAG, &"8".repeat(40)));
        }
    }
}
