//! Service descriptions: what is deployed, and the one edit that a deployment makes.
