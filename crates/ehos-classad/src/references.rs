//! Says which attributes an expression looks at.
//!
//! Deliberately follows what it finds in the own ad, since an attribute there may look at the other side; names that
//! are only made at run time, by `eval`, stay unseen.

use std::collections::BTreeSet;

use crate::expr::{Base, Kind};
use crate::{Ad, Expr, Name};

/// The attributes that an expression looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// Attributes of the own ad.
    pub internal: BTreeSet<Name>,
    /// Names without prefix, or with `MY.`, that the own ad does not have: HTCondor looks those without prefix up in
    /// the other ad.
    pub external: BTreeSet<Name>,
    /// Names with `TARGET.`, of the other ad.
    pub target: BTreeSet<Name>,
}

/// Names that every ad knows without having them.
const SPECIAL: [&str; 6] = ["my", "self", "parent", "root", "toplevel", "currenttime"];

impl Expr {
    /// Gives the attributes that this expression looks at when `my` is its own ad, attributes of attributes included.
    pub fn references(&self, my: &Ad) -> References {
        let mut found = References::default();
        let mut seen = BTreeSet::new();
        // Not recursive, since attributes that lead to others can be deeper than any one expression.
        let mut open = vec![(self.clone(), Vec::new())];
        while let Some((expr, nested)) = open.pop() {
            let mut below = |expr: &Expr, nested: &Vec<Ad>| open.push((expr.clone(), nested.clone()));
            match expr.kind() {
                Kind::Attribute(base, name) => {
                    let next = found.note(base, name, my, &nested);
                    if let Some((expr, nested)) = next
                        && seen.insert(expr.identity())
                    {
                        below(&expr, &nested);
                    }
                    if let Base::Of(expr) = base
                        && side(expr).is_none()
                    {
                        below(expr, &nested);
                    }
                }
                Kind::Ad(ad) => {
                    let mut inside = nested;
                    inside.push(ad.clone());
                    ad.iter().for_each(|(_, expr)| below(expr, &inside));
                }
                other => other.children().for_each(|child| below(child, &nested)),
            }
        }
        found
    }
}

enum Prefix {
    My,
    Target,
}

/// Tells `MY` and `TARGET` from expressions.
fn side(base: &Expr) -> Option<Prefix> {
    let Kind::Attribute(Base::Anywhere, name) = base.kind() else { return None };
    let is = |other: &str| name.as_str().eq_ignore_ascii_case(other);
    if is("my") || is("self") {
        Some(Prefix::My)
    } else if is("target") || is("other") {
        Some(Prefix::Target)
    } else {
        None
    }
}

impl References {
    /// Notes one reference, and gives what it leads to and which nested ads are around that.
    fn note(&mut self, base: &Base, name: &Name, my: &Ad, nested: &[Ad]) -> Option<(Expr, Vec<Ad>)> {
        match base {
            Base::Of(expr) => match side(expr)? {
                Prefix::Target => {
                    self.target.insert(name.clone());
                    None
                }
                Prefix::My => self.note_in(name, my, nested),
            },
            Base::Root => self.note_in(name, my, &[]),
            Base::Anywhere => self.note_in(name, my, nested),
        }
    }

    fn note_in(&mut self, name: &Name, my: &Ad, nested: &[Ad]) -> Option<(Expr, Vec<Ad>)> {
        for (level, ad) in nested.iter().enumerate().rev() {
            if let Some(expr) = ad.get(name.as_str()) {
                return Some((expr.clone(), nested.get(..=level).unwrap_or_default().to_vec()));
            }
        }
        if let Some(expr) = my.get(name.as_str()) {
            self.internal.insert(name.clone());
            return Some((expr.clone(), Vec::new()));
        }
        if !SPECIAL.iter().any(|special| special.eq_ignore_ascii_case(name.as_str())) {
            self.external.insert(name.clone());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_requirements_look_at() {
        let my: Ad = "[ RequestMemory = Base * 2; Base = 512; Loop = Loop; Inner = [ a = Arch; b = a ] ]"
            .parse()
            .unwrap();
        // name, expression, internal, external, target
        let rows: &[(&str, &str, &str, &str, &str)] = &[
            ("prefix", "TARGET.Memory >= RequestMemory", "Base,RequestMemory", "", "Memory"),
            ("no prefix", "OpSys == \"LINUX\"", "", "OpSys", ""),
            ("my", "MY.base > MY.Nope", "base", "Nope", ""),
            ("itself", "Loop", "Loop", "", ""),
            ("nested", "Inner.b", "Inner", "Arch", ""),
            ("in calls and lists", "member(A, {B, CurrentTime})", "", "A,B", ""),
            ("default", "TARGET.Gpus ?: other.Cpus", "", "", "Cpus,Gpus"),
        ];
        for (name, expr, internal, external, target) in rows {
            let found = expr.parse::<Expr>().unwrap().references(&my);
            let list = |names: &BTreeSet<Name>| {
                let mut names: Vec<&str> = names.iter().map(Name::as_str).collect();
                names.sort_unstable();
                names.join(",")
            };
            let found = (list(&found.internal), list(&found.external), list(&found.target));
            assert_eq!(found, ((*internal).into(), (*external).into(), (*target).into()), "{name}");
        }
    }
}
