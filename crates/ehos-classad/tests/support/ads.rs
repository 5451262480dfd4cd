//! The two ads that expressions are evaluated in, and the time.

use ehos_classad::Ad;

/// When the oracle's clock stands.
pub(crate) const NOW: i64 = 1_700_000_000;

/// The two ads that expressions are evaluated in.
pub(crate) fn ads() -> (Ad, Ad) {
    let read = |text: &str| Ad::parse_old(text).unwrap_or_default();
    (read(include_str!("../corpus/my.ad")), read(include_str!("../corpus/target.ad")))
}
