//! The tables of a manifest that only its root file may have, and those in them; see `super::tables`.

use serde_json::{Value as Json, json};

use super::reader::{Definitions, Key, Keys, Located, Raw, Reader, Section, Value, describe, keys};
use super::source::Span;
use super::values::{Seconds, Text};
use super::words::Backend;
use crate::access::Right;

keys! {
    /// The store of the record of runs and deployments.
    StateKeys, state, "`[state]`", json!({}) => {
        /// `sqlite`: a file on this machine. `dynamodb`: a table in AWS.
        backend: Backend, "backend", default "sqlite";
        /// The file of the sqlite backend, relative to the root file.
        path: Text<'i>, "path", default ".katkit/state.db";
        /// How long the sqlite backend waits while another process has the file locked.
        patience: Seconds, "patience", default "10s";
        /// The table of the dynamodb backend.
        table: Text<'i>, "table";
        /// The table's region; default: from the environment.
        region: Text<'i>, "region";
        /// An endpoint to use instead of AWS's.
        endpoint: Text<'i>, "endpoint";
    }

    /// The store of commit packs, logs and artifacts.
    BlobsKeys, blobs, "`[blobs]`", json!({}) => {
        /// A directory, relative to the root file, or `s3://bucket/prefix`.
        url: Text<'i>, "url", default ".katkit/blobs";
        /// The bucket's region; default: from the environment.
        region: Text<'i>, "region";
        /// An endpoint to use instead of AWS's.
        endpoint: Text<'i>, "endpoint";
    }

    /// The directory for data that can be rebuilt, such as repository mirrors.
    CacheKeys, cache, "`[cache]`", json!({}) => {
        /// A directory, relative to the root file; default: `katkit` in the user's cache directory.
        path: Text<'i>, "path";
    }

    /// The identities of one of the people.
    PersonKeys, person, "an entry of people", json!({}) => {
        /// Addresses in commits.
        emails: Vec<Located<Text<'i>>>, "emails";
        /// The name at GitHub, which is also in the addresses that GitHub gives to those who keep theirs private.
        github: Text<'i>, "github";
        /// ARNs of callers of AWS: of a user, or of a session of a role.
        aws: Vec<Located<Text<'i>>>, "aws";
        /// Subjects of OIDC tokens.
        oidc: Vec<Located<Text<'i>>>, "oidc";
    }

    /// Who belongs to which group, and who may do what.
    AccessKeys, access, "`[access]`", json!({}) => {
        /// The people in each group.
        groups: Section<'i, Vec<Located<Text<'i>>>>, "groups";
        /// The rights that each role has: `request`, `promote`, `approve`, `rollback`, `freeze`, `break-glass`.
        roles: Section<'i, Vec<Right>>, "roles";
        /// Who has which role. Without this key, everyone may do everything; with it, only what is granted.
        grants: Vec<Located<GrantKeys<'i>>>, "grants";
    }

    /// A role that people and groups have.
    GrantKeys, grant, "a grant", json!({}) => {
        /// The role, of `[access.roles]`.
        role: Text<'i>, "role", required;
        /// Who has it: groups of `[access.groups]` and people; `"*"` is everyone.
        to: Vec<Located<Text<'i>>>, "to", required;
        /// The tenants and links that it is for, or patterns of them. Default: all.
        on: Vec<Located<Text<'i>>>, "on";
    }

    /// What signs checkpoints of the record, and attestations.
    AuditKeys, audit, "`[audit]`", json!({}) => {
        /// The name of the log of checkpoints and of its key: a URL without scheme that belongs to you, such as
        /// `katkit.example.com/prod`.
        origin: Text<'i>, "origin", required;
        /// Where the private key is: `env:NAME` or `file:PATH`. Ed25519, in PEM. Only `katkit audit checkpoint`,
        /// `katkit audit key` and `katkit attest` read it.
        signing_key: Text<'i>, "signing-key", required;
    }
}
