//! Tells whether two ads want each other.
//!
//! Deliberately as HTCondor's `symmetricMatch`: an ad without `Requirements` matches nothing.

use crate::{Ad, Context};

/// Tells whether the `Requirements` of `my` accept `target`; `undefined`, `error` and their lack do not.
pub fn matches(my: &Ad, target: &Ad, context: &Context) -> bool {
    let Some(requirements) = my.get("Requirements") else { return false };
    let context = context.clone().my(my).target(target);
    context.evaluate(requirements).as_condition() == Some(true)
}

/// Tells whether the `Requirements` of each accept the other.
pub fn symmetric_match(one: &Ad, two: &Ad, context: &Context) -> bool {
    matches(one, two, context) && matches(two, one, context)
}
