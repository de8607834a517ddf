//! Workflows as repositories keep them: `katkitconfig.js`.
