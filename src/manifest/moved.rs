//! `moved`: renamed links and tenants. Their records continue under the new names.

use crate::domain::NameError;

use super::diagnostic::{Diagnostic, Report};
use super::model::Manifest;
use super::moves::{Moved, Moves, Name};
use super::reader::{Located, Reader};
use super::source::Span;
use super::suggest::{did_you_mean, nearest};
use super::tables::MovedKeys;

/// The positions of the two names of an entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntrySpans {
    from: Span,
    to: Span,
}

/// Reads the entries of one file.
pub(super) fn read(
    entries: Option<Located<Vec<MovedKeys<'_>>>>,
    reader: &Reader<'_>,
    into: &mut (Moves, Vec<EntrySpans>),
) {
    for MovedKeys { from, to } in entries.into_iter().flat_map(|entries| entries.value) {
        let (Some(from), Some(to)) = (from, to) else { continue };
        let place = EntrySpans { from: from.span, to: to.span };
        let (Some(from), Some(to)) = (name(from, reader), name(to, reader)) else { continue };
        if matches!(from, Name::Tenant(_)) != matches!(to, Name::Tenant(_)) {
            let message = "a tenant cannot become a link, nor a link a tenant";
            let item = Diagnostic::error(place.to, message).label(to.to_string());
            let help = "name two tenants, or two links like `tenant/link`";
            reader.report.add(item.related(place.from, from.to_string()).help(help));
            continue;
        }
        into.0.0.push(Moved { from, to });
        into.1.push(place);
    }
}

fn name(text: Located<&str>, reader: &Reader<'_>) -> Option<Name> {
    let parsed = match text.value.contains('/') {
        true => text.value.parse().map(Name::Link),
        false => text.value.parse().map(Name::Tenant),
    };
    parsed.map_err(|error: NameError| reader.error(text.span, error.to_string(), "not a tenant or link")).ok()
}

/// Reports entries that contradict each other or the rest of the manifest.
pub(super) fn check(manifest: &Manifest, places: &[EntrySpans], report: &Report) {
    let entries = &manifest.moved.0;
    for (at, (Moved { from, to }, place)) in entries.iter().zip(places).enumerate() {
        let earlier = || entries[..at].iter().zip(places);
        if let Some((_, first)) = earlier().find(|(other, _)| other.from == *from) {
            let item = Diagnostic::error(place.from, format!("{from} is moved twice"));
            report.add(item.label("the second").related(first.from, "the first"));
            continue;
        }
        if let Some((other, first)) = earlier().find(|(other, _)| other.to == *to) {
            let item = Diagnostic::error(place.to, format!("two entries move to {to}"));
            let item = item.label(from.to_string()).related(first.to, other.from.to_string());
            report.add(item.help("a name has one history; remove one of the entries"));
            continue;
        }
        let Ok(end) = manifest.moved.end(from) else {
            let item = Diagnostic::error(place.from, format!("{from} is moved in a cycle"));
            report.add(
                item.label("leads back here")
                    .help("`moved` leads to the current name, so it must not form a cycle"),
            );
            continue;
        };
        if manifest.has(from) {
            let item = Diagnostic::error(place.from, format!("{from} is moved but still in the manifest"));
            report.add(
                item.label("still there")
                    .help(format!("remove this entry, or remove {from} from the manifest")),
            );
        }
        if !manifest.has(&end) {
            let guess = manifest.similar(&end);
            let guess = did_you_mean(guess.as_deref());
            let item = Diagnostic::error(place.to, format!("{end} is not in the manifest{guess}"));
            report.absent(item.label("not defined"));
        }
    }
}

impl Manifest {
    fn has(&self, name: &Name) -> bool {
        match name {
            Name::Tenant(tenant) => self.tenants.contains_key(tenant),
            Name::Link(link) => self.link(link).is_some(),
        }
    }

    fn similar(&self, name: &Name) -> Option<String> {
        let names: Vec<String> = match name {
            Name::Tenant(_) => self.tenants.keys().map(ToString::to_string).collect(),
            Name::Link(_) => self.links().map(|(id, _, _)| id.to_string()).collect(),
        };
        let word = match name {
            Name::Tenant(tenant) => tenant.to_string(),
            Name::Link(link) => link.to_string(),
        };
        nearest(&word, names.iter().map(String::as_str)).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::domain::LinkId;
    use crate::manifest::{Diagnostics, one_file};

    fn text(moved: &str) -> String {
        format!(
            "version = 1\nmoved = [{moved}]\n[repos.app]\nurl = \"https://git.example/app.git\"\n\
             [workflows.w]\nphases = [{{ name = \"build\", order = 0 }}]\n\
             [tenants.prod.links]\nshop = {{ repo = \"app\", workflow = \"w\", branch = \"main\" }}\n\
             web = {{ repo = \"app\", workflow = \"w\", branch = \"main\" }}\n"
        )
    }

    fn entry(from: &str, to: &str) -> String {
        format!("{{ from = \"{from}\", to = \"{to}\" }}")
    }

    fn refused(moved: &str) -> Vec<String> {
        let Diagnostics { items, .. } = one_file::load_text(&text(moved)).unwrap_err();
        items.into_iter().map(|item| item.message).collect()
    }

    fn target(moved: &str, id: &str) -> Option<String> {
        let moves = one_file::loaded(&text(moved)).manifest.moved;
        moves.target(&id.parse().unwrap()).map(|to| to.to_string())
    }

    #[test]
    fn a_link_is_followed_to_the_end_of_a_chain() {
        let chain = [entry("a", "b"), entry("b/old", "b/shop"), entry("b", "prod")].join(", ");
        assert_eq!(target(&chain, "a/shop").as_deref(), Some("prod/shop"));
        // An entry for a link wins over one for its tenant.
        assert_eq!(target(&chain, "a/old").as_deref(), Some("prod/shop"));
        assert_eq!(target(&chain, "b/web").as_deref(), Some("prod/web"));
        assert_eq!(target(&chain, "prod/shop"), None);
        assert_eq!(target(&chain, "c/shop"), None);
    }

    #[test]
    fn contradictory_entries_are_refused() {
        for (entries, message) in [
            (vec![("a/x", "prod/shop"), ("b/x", "prod/shop")], "two entries move to the link `prod/shop`"),
            (vec![("a/x", "prod/shop"), ("a/x", "prod/web")], "the link `a/x` is moved twice"),
            (vec![("a", "prd")], "the tenant `prd` is not in the manifest, did you mean `prod`?"),
            (
                vec![("a/x", "prod/shpo")],
                "the link `prod/shpo` is not in the manifest, did you mean `prod/shop`?",
            ),
            (vec![("prod/shop", "prod/web")], "the link `prod/shop` is moved but still in the manifest"),
            (vec![("a", "prod/shop")], "a tenant cannot become a link, nor a link a tenant"),
            (vec![("a b", "prod")], "`a b` contains ' '; use letters"),
            (vec![("a", "a")], "the tenant `a` is moved in a cycle"),
        ] {
            let entries: Vec<_> = entries.into_iter().map(|(from, to)| entry(from, to)).collect();
            let refused = refused(&entries.join(", "));
            assert!(refused.iter().any(|text| text.starts_with(message)), "{message}: {refused:?}");
        }
        let misspelled = refused("{ form = \"a\", to = \"prod\" }");
        assert_eq!(misspelled, ["unknown key `form`, did you mean `from`?"]);
        // A cycle of links and tenants together.
        let cycle = [entry("a", "b"), entry("b/x", "a/x")].join(", ");
        assert!(refused(&cycle).contains(&"the link `b/x` is moved in a cycle".to_owned()));
    }

    fn name() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::sample::select(vec!["a", "b", "c", "prod"]).prop_map(str::to_owned),
            (prop::sample::select(vec!["a", "b", "c", "prod"]), prop::sample::select(vec!["x", "shop"]))
                .prop_map(|(tenant, link)| format!("{tenant}/{link}")),
        ]
    }

    proptest! {
        /// Accepted entries lead every name to a last name, which no entry renames again.
        #[test]
        fn accepted_entries_have_no_cycle(
            entries in prop::collection::vec((name(), name()), 0..5),
            id in "(a|b|c|prod)/(x|shop)",
        ) {
            let moved: Vec<_> = entries.iter().map(|(from, to)| entry(from, to)).collect();
            if let Ok(loaded) = one_file::load_text(&text(&moved.join(", "))) {
                let moves = loaded.manifest.moved;
                let id: LinkId = id.parse().unwrap();
                if let Some(end) = moves.target(&id) {
                    prop_assert_eq!(moves.target(&end), None);
                }
            }
        }
    }
}
