//! Where the files of EHOS are looked for.
//!
//! Deliberately looks at none of them.

use std::path::{Path, PathBuf};

/// Lists the folders in which a file of EHOS is looked for when no path is given, in this order; the first hit wins.
///
/// All folders named `etc` come before those named `share`, so that an altered copy wins over the shipped one. Beside
/// the fixed ones there are those of the prefix that `program` is installed under.
#[must_use]
pub fn folders(program: Option<&Path>) -> Vec<PathBuf> {
    let prefix = program.and_then(Path::parent).and_then(Path::parent);
    let beside = |folder: &str| prefix.map(|prefix| prefix.join(folder));
    let fixed = |folders: [&str; 4]| folders.map(|folder| Some(PathBuf::from(folder)));
    fixed(["/etc/ehos", "/usr/local/etc/ehos", "etc", "etc/ehos"])
        .into_iter()
        .chain([beside("etc/ehos"), beside("etc")])
        .chain(fixed(["/usr/share/ehos", "/usr/local/share/ehos", "share", "share/ehos"]))
        .chain([beside("share/ehos"), beside("share"), Some(PathBuf::from("."))])
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etc_comes_before_share_and_the_current_folder_last() {
        let all = folders(Some(Path::new("/opt/ehos/bin/ehosd")));
        let rank = |folder: &str| all.iter().position(|each| each == Path::new(folder)).unwrap();
        for (before, after) in [
            ("/etc/ehos", "/usr/local/etc/ehos"),
            ("/usr/local/etc/ehos", "etc"),
            ("etc", "etc/ehos"),
            ("/opt/ehos/etc", "/usr/share/ehos"),
            ("etc/ehos", "/usr/share/ehos"),
            ("/usr/share/ehos", "/usr/local/share/ehos"),
            ("/usr/local/share/ehos", "share"),
            ("share", "share/ehos"),
            ("share/ehos", "."),
            ("/opt/ehos/share", "."),
        ] {
            assert!(rank(before) < rank(after), "{before} before {after}");
        }
    }
}
