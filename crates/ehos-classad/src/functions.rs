//! The functions of the language, by name.
//!
//! Deliberately all that HTCondor registers; a function that is not here evaluates to `error`, as it does there.

mod arguments;
mod lists;
mod numbers;
mod patterns;
mod scopes;
mod string_lists;
mod strings;
mod times;
mod types;
mod versions;

use std::sync::Arc;

use crate::eval::Evaluator;
use crate::scope::Scope;
use crate::{Expr, Value};

/// A function: it evaluates of its arguments what it wants.
pub(crate) type Builtin = fn(&mut Evaluator<'_>, &Args<'_>) -> Value;

/// The arguments of a call, and where it stands.
pub(crate) struct Args<'a> {
    pub(crate) exprs: &'a [Expr],
    pub(crate) scope: Option<&'a Arc<Scope>>,
}

impl Args<'_> {
    pub(crate) fn len(&self) -> usize {
        self.exprs.len()
    }

    /// Evaluates one; one that is missing is an error.
    pub(crate) fn get(&self, evaluator: &mut Evaluator<'_>, index: usize) -> Value {
        self.exprs.get(index).map_or(Value::Error, |expr| evaluator.eval(expr, self.scope))
    }

    /// Evaluates all, if there are as many as one of `counts`.
    pub(crate) fn all(
        &self,
        evaluator: &mut Evaluator<'_>,
        counts: std::ops::RangeInclusive<usize>,
    ) -> Option<Vec<Value>> {
        counts
            .contains(&self.len())
            .then(|| (0..self.len()).map(|index| self.get(evaluator, index)).collect())
    }

    /// Evaluates the only one.
    pub(crate) fn only(&self, evaluator: &mut Evaluator<'_>) -> Option<Value> {
        if self.len() == 1 { Some(self.get(evaluator, 0)) } else { None }
    }
}

/// Finds a function by its name, in any case.
pub(crate) fn find(name: &str) -> Option<Builtin> {
    let compare =
        |(other, _): &(&str, Builtin)| other.bytes().cmp(name.bytes().map(|byte| byte.to_ascii_lowercase()));
    FUNCTIONS.binary_search_by(compare).ok().and_then(|at| FUNCTIONS.get(at)).map(|(_, function)| *function)
}

/// Gives the names of all functions, in small letters, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|(name, _)| *name)
}

/// Sorted by name.
static FUNCTIONS: [(&str, Builtin); 94] = [
    ("abstime", times::abs_time),
    ("allcompare", lists::all_compare),
    ("anycompare", lists::any_compare),
    ("argstolist", arguments::args_to_list),
    ("avg", lists::avg),
    ("bool", types::bool),
    ("ceil", numbers::ceiling),
    ("ceiling", numbers::ceiling),
    ("countmatches", scopes::count_matches),
    ("currenttime", times::current_time),
    ("daytime", times::day_time),
    ("debug", scopes::debug),
    ("envv1tov2", arguments::env_v1_to_v2),
    ("eval", scopes::eval),
    ("evalineachcontext", scopes::eval_in_each_context),
    ("floor", numbers::floor),
    ("formattime", times::format),
    ("getdayofmonth", times::day_of_month),
    ("getdayofweek", times::day_of_week),
    ("getdayofyear", times::day_of_year),
    ("getdays", times::days),
    ("gethours", times::hours),
    ("getminutes", times::minutes),
    ("getmonth", times::month),
    ("getseconds", times::seconds),
    ("getyear", times::year),
    ("identicalmember", lists::identical_member),
    ("ifthenelse", scopes::if_then_else),
    ("int", types::int),
    ("interval", times::interval),
    ("isabstime", types::is_abs_time),
    ("isboolean", types::is_boolean),
    ("isclassad", types::is_ad),
    ("iserror", types::is_error),
    ("isinteger", types::is_integer),
    ("islist", types::is_list),
    ("isreal", types::is_real),
    ("isreltime", types::is_rel_time),
    ("isstring", types::is_string),
    ("isundefined", types::is_undefined),
    ("join", strings::join),
    ("listtoargs", arguments::list_to_args),
    ("max", lists::max),
    ("member", lists::member),
    ("mergeenvironment", arguments::merge_environment),
    ("min", lists::min),
    ("pow", numbers::pow),
    ("quantize", numbers::quantize),
    ("random", numbers::random),
    ("real", types::real),
    ("regexp", patterns::regexp),
    ("regexpmember", patterns::regexp_member),
    ("regexps", patterns::regexps),
    ("reltime", times::rel_time),
    ("replace", patterns::replace),
    ("replaceall", patterns::replace_all),
    ("round", numbers::round),
    ("size", types::size),
    ("split", strings::split),
    ("splitslotname", strings::split_slot_name),
    ("splittime", times::split_time),
    ("splitusername", strings::split_user_name),
    ("strcat", strings::strcat),
    ("strcmp", strings::strcmp),
    ("stricmp", strings::stricmp),
    ("string", types::string),
    ("stringlist_regexpmember", patterns::string_list_regexp_member),
    ("stringlistavg", string_lists::avg),
    ("stringlistimember", string_lists::imember),
    ("stringlistisubsetmatch", string_lists::isubset),
    ("stringlistmax", string_lists::max),
    ("stringlistmember", string_lists::member),
    ("stringlistmin", string_lists::min),
    ("stringlistsintersect", string_lists::intersect),
    ("stringlistsize", string_lists::size),
    ("stringlistsubsetmatch", string_lists::subset),
    ("stringlistsum", string_lists::sum),
    ("substr", strings::substr),
    ("sum", lists::sum),
    ("time", times::time),
    ("timezoneoffset", times::time_zone_offset),
    ("tolower", strings::to_lower),
    ("toupper", strings::to_upper),
    ("unparse", scopes::unparse),
    ("unresolved", scopes::unresolved),
    ("userhome", scopes::user_home),
    ("usermap", scopes::user_map),
    ("version_in_range", versions::in_range),
    ("versioncmp", versions::cmp),
    ("versioneq", versions::eq),
    ("versionge", versions::ge),
    ("versiongt", versions::gt),
    ("versionle", versions::le),
    ("versionlt", versions::lt),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(FUNCTIONS.is_sorted_by(|one, two| one.0 < two.0));
        assert!(find("StringListIMember").is_some() && find("nope").is_none());
    }
}
