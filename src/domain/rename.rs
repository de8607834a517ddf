//! Former names of a link: where the older parts of its journal are, and which marks and blobs belong to it.

use serde::{Deserialize, Serialize};

use super::{AttemptNumber, Generation, Head, LinkId, PhaseName, RunId, Token};

/// A former name of a link, and the part of its journal recorded under it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormerName {
    /// The name.
    pub link: LinkId,
    /// The last event of the link under this name.
    pub last: Generation,
    /// The first event under the next name.
    pub moved: Generation,
    /// The record under this name later became another link's: it holds a part of the journal, but is not a name of
    /// this link.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub parted: bool,
}

impl FormerName {
    /// The names that belong to the link.
    pub fn names(formerly: &[Self]) -> impl Iterator<Item = &LinkId> {
        formerly.iter().filter(|former| !former.parted).map(|former| &former.link)
    }

    /// The link's name at the time of an attempt. The attempt's blobs are stored under that name, and its token is
    /// derived from it.
    pub fn of_attempt<'a>(
        formerly: &'a [Self],
        now: &'a LinkId,
        (run, phase): (&RunId, &PhaseName),
        (number, token): (AttemptNumber, &Token),
    ) -> &'a LinkId {
        let made = |name: &&LinkId| Token::of_attempt(name, run, phase, number) == *token;
        std::iter::once(now).chain(formerly.iter().rev().map(|former| &former.link)).find(made).unwrap_or(now)
    }
}

impl Head {
    /// Whether it holds no history that a rename would overwrite: nothing ran, was deployed, verified or quarantined.
    pub fn is_blank(&self) -> bool {
        let Self {
            generation: _,
            chain: _,
            deployed,
            verified,
            live_clock: _,
            upgrades: _,
            deploying,
            run,
            quarantined,
            promoted,
            tests,
            forgotten: _,
            formerly: _,
            moved_to: _,
            pruned: _,
        } = self;
        deployed.is_none()
            && verified.is_empty()
            && deploying.is_none()
            && run.is_none()
            && quarantined.is_empty()
            && promoted.is_none()
            && tests.is_none()
    }

    /// The link's former names, oldest first.
    pub fn former_names(&self) -> Vec<LinkId> {
        FormerName::names(&self.formerly).cloned().collect()
    }

    /// Where the journal continues after a gap at `generation`: after a cut, or after a rename, which leaves a gap if
    /// the new name had events of its own.
    pub fn goes_on_after(&self, generation: Generation) -> Option<Generation> {
        let cut = self.cut().map(|cut| Generation(cut.through.0 + 1)).filter(|first| *first > generation);
        cut.or_else(|| self.formerly.iter().map(|former| former.moved).find(|moved| *moved > generation))
    }

    /// Whether `name` is a former name of the link.
    pub fn was_called(&self, name: &LinkId) -> bool {
        FormerName::names(&self.formerly).any(|former| former == name)
    }

    /// The SHA-256 of the head's JSON: 64 hex digits. Rename events identify the moved record by it.
    pub fn digest(&self) -> String {
        use sha2::{Digest, Sha256};
        let text = serde_json::to_vec(self).unwrap_or_default();
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_found_under_the_links_name_at_its_time() {
        let [first, second, now]: [LinkId; 3] = ["a/x", "b/x", "c/x"].map(|name| name.parse().unwrap());
        let former = |link: &LinkId, last| FormerName {
            link: link.clone(),
            last: Generation(last),
            moved: Generation(last + 1),
            parted: false,
        };
        let formerly = [former(&first, 4), former(&second, 9)];
        let (run, phase) = (RunId("3-abc".to_owned()), PhaseName::new("build").unwrap());
        for (name, found) in [(&first, &first), (&second, &second), (&now, &now)] {
            let token = Token::of_attempt(name, &run, &phase, AttemptNumber(2));
            let attempt = (AttemptNumber(2), &token);
            assert_eq!(FormerName::of_attempt(&formerly, &now, (&run, &phase), attempt), found);
        }
        let unknown = Token("t".to_owned());
        assert_eq!(
            FormerName::of_attempt(&formerly, &now, (&run, &phase), (AttemptNumber(1), &unknown)),
            &now
        );
    }
}
