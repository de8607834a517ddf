//! Reads the manifest.

mod model;

pub use model::{
    BlobsConfig, FleetConfig, FleetKind, Link, Manifest, PlatformConfig, Repo, SecretRef, StateConfig,
    Tenant, Want,
};
