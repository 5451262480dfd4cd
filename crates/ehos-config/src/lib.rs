//! Lands in the next commits.
