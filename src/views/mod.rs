//! What people and programs see: one view per command, in text, JSON and Markdown.
