//! Builders for the tables beside the code.
