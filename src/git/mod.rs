//! Repositories: what a commit holds, and how it gets into a phase.
