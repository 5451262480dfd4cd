//! `cargo xtask install`: puts programs, templates, the configuration's example and the unit where a system keeps them.
//! It never touches what is the administrator's: an `ehos.yaml` that is there and any template in `etc` stay as they are.

mod place;

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};

use crate::workspace;
use place::{Content, File, Verdict};

/// Where everything goes.
#[derive(Args)]
pub(crate) struct Options {
    /// Programs go to PREFIX/bin, templates to PREFIX/share/ehos, the configuration to PREFIX/etc/ehos (with /usr: to
    /// /etc/ehos).
    #[arg(long, default_value = "/usr/local")]
    prefix: PathBuf,
    /// Puts all of it below this folder, for a package; the paths in the unit stay those of the prefix.
    #[arg(long, value_name = "DIR")]
    destdir: Option<PathBuf>,
    /// What is built.
    #[arg(long, value_enum, default_value_t = Profile::Release)]
    profile: Profile,
    /// Builds nothing and takes the programs from this folder.
    #[arg(long, value_name = "DIR", conflicts_with = "profile")]
    programs: Option<PathBuf>,
    /// Builds and writes nothing, and says what would be done.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Profile {
    Release,
    Debug,
}

/// The folders of a prefix.
struct Layout {
    bin: PathBuf,
    share: PathBuf,
    etc: PathBuf,
    units: PathBuf,
}

impl Layout {
    fn new(prefix: &Path) -> Layout {
        // The configuration of what is in /usr is in /etc, on every system.
        let etc = if prefix == Path::new("/usr") { PathBuf::from("/etc") } else { prefix.join("etc") };
        Layout {
            bin: prefix.join("bin"),
            share: prefix.join("share/ehos"),
            etc: etc.join("ehos"),
            units: prefix.join("lib/systemd/system"),
        }
    }

    fn config(&self) -> PathBuf {
        self.etc.join("ehos.yaml")
    }

    fn unit(&self) -> PathBuf {
        self.units.join("ehos.service")
    }
}

/// Builds, installs, and says what it did and what to do next.
///
/// # Errors
/// When the build fails or a file cannot be written.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let prefix = &options.prefix;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.+".contains(c);
    ensure!(
        prefix.is_absolute() && prefix.to_str().is_some_and(|path| path.chars().all(plain)),
        "--prefix {}: give an absolute path of letters, digits and any of / - _ . +, since it goes into a unit",
        prefix.display()
    );
    let programs = programs(&workspace::metadata()?);
    let built = match &options.programs {
        Some(folder) => folder.clone(),
        None => build(&programs, options)?,
    };
    let layout = Layout::new(prefix);
    let files = files(&layout, &programs, &built)?;
    let mut rows = Vec::new();
    for file in &files {
        let to = options.destdir.as_deref().map_or_else(|| file.to.clone(), |dir| below(dir, &file.to));
        let verdict = file.put(&to, options.dry_run)?;
        rows.push((verdict.word(options.dry_run), file.mode, to.clone()));
        if file.to == layout.config() && verdict == Verdict::New && !options.dry_run {
            give_to_ehos(&to, options.destdir.is_some())?;
        }
    }
    for line in table(&rows) {
        println!("{line}");
    }
    if options.destdir.is_none() {
        println!("\nnext, as root:");
        for line in next(&layout, user("ehos").is_some()) {
            println!("    {line}");
        }
    }
    Ok(true)
}

/// The names of the programs: whatever the packages in `crates` build.
fn programs(metadata: &serde_json::Value) -> Vec<String> {
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    let ours = |package: &serde_json::Value| {
        let manifest = package["manifest_path"].as_str().map(Path::new);
        manifest.and_then(|path| path.ancestors().nth(2)).is_some_and(|folder| folder.ends_with("crates"))
    };
    let mut names: Vec<String> = list(&metadata["packages"])
        .iter()
        .filter(|package| ours(package))
        .flat_map(|package| list(&package["targets"]))
        .filter(|target| list(&target["kind"]).iter().any(|kind| kind == "bin"))
        .filter_map(|target| target["name"].as_str().map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// Builds the programs and gives the folder that they are in.
fn build(programs: &[String], options: &Options) -> Result<PathBuf> {
    let (name, folder) = match options.profile {
        Profile::Release => ("release", "release"),
        Profile::Debug => ("dev", "debug"),
    };
    let mut args = vec!["build", "--quiet", "--locked", "--profile", name];
    args.extend(programs.iter().flat_map(|program| ["--bin", program]));
    let mut cargo = workspace::command("cargo", args);
    println!("{}\n", crate::step::shown(&cargo));
    if !options.dry_run {
        ensure!(cargo.status().context("cannot start cargo")?.success(), "the build failed");
    }
    Ok(workspace::target_directory()?.join(folder))
}

/// All that is installed, in the order in which it is told.
fn files(layout: &Layout, programs: &[String], built: &Path) -> Result<Vec<File>> {
    let root = workspace::root();
    let copy = |from: PathBuf, to: PathBuf, mode| File { to, content: Content::Of(from), mode, keep: false };
    let mut files: Vec<File> =
        programs.iter().map(|program| copy(built.join(program), layout.bin.join(program), 0o755)).collect();
    for template in templates(&root.join("share"))? {
        let to = layout.share.join(template.strip_prefix(root.join("share"))?);
        files.push(copy(template, to, 0o644));
    }
    let example = root.join("etc/ehos.yaml.example");
    files.push(copy(example.clone(), layout.etc.join("ehos.yaml.example"), 0o644));
    // Passwords will stand in it.
    files.push(File { keep: true, ..copy(example, layout.config(), 0o600) });
    let unit =
        std::fs::read_to_string(root.join("share/ehos.service")).context("cannot read share/ehos.service")?;
    let unit = Content::Text(unit_for(&unit, layout)?);
    files.push(File { to: layout.unit(), content: unit, mode: 0o644, keep: false });
    Ok(files)
}

/// Finds the templates in a folder and the folders in it, sorted; a release has no git to ask.
fn templates(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(templates(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Writes the paths of the layout into the unit.
fn unit_for(unit: &str, layout: &Layout) -> Result<String> {
    let shipped = "ExecStart=/usr/local/bin/ehosd /usr/local/etc/ehos/ehos.yaml\n";
    ensure!(unit.matches(shipped).count() == 1, "share/ehos.service has no line {shipped}");
    let here = format!("ExecStart={} {}\n", layout.bin.join("ehosd").display(), layout.config().display());
    Ok(unit.replace(shipped, &here))
}

/// Gives the configuration to the user who must read it, where there is one and we may.
fn give_to_ehos(config: &Path, package: bool) -> Result<()> {
    let root = std::fs::metadata("/proc/self").is_ok_and(|data| data.uid() == 0);
    let Some((uid, gid)) = user("ehos").filter(|_| root && !package) else { return Ok(()) };
    chown(config, Some(uid), Some(gid)).with_context(|| format!("cannot give {} to ehos", config.display()))
}

/// The numbers of a user and his group.
fn user(name: &str) -> Option<(u32, u32)> {
    let line = workspace::output(&mut workspace::command("getent", ["passwd", name])).ok()?;
    let mut fields = line.trim().split(':').skip(2).map(str::parse);
    Some((fields.next()?.ok()?, fields.next()?.ok()?))
}

/// What is left to do by hand.
fn next(layout: &Layout, has_user: bool) -> Vec<String> {
    let (ehosd, config) = (layout.bin.join("ehosd"), layout.config());
    let (ehosd, config) = (ehosd.display(), config.display());
    let mut lines = Vec::new();
    if !has_user {
        lines.push(
            "useradd --system --user-group --home-dir /var/lib/ehos --shell /usr/sbin/nologin ehos"
                .to_owned(),
        );
    }
    lines.push("install -d -o ehos -g ehos -m 700 /var/lib/ehos".to_owned());
    lines.push(format!("chown ehos: {config}    # then fill in your cloud"));
    lines.push(format!("runuser -u ehos -- {ehosd} --check --online {config}"));
    let standard = ["/usr/local/lib/systemd/system", "/usr/lib/systemd/system"];
    if !standard.iter().any(|folder| layout.units == Path::new(folder)) {
        lines.push(format!(
            "systemctl link {}    # systemd does not look there by itself",
            layout.unit().display()
        ));
    }
    lines.push("systemctl daemon-reload".to_owned());
    lines.push("systemctl enable --now ehos    # where it runs already: systemctl restart ehos".to_owned());
    lines.push("# What HTCondor must allow, and the rest: docs/running.md".to_owned());
    lines
}

/// Puts an absolute path below a folder.
fn below(folder: &Path, path: &Path) -> PathBuf {
    folder.join(path.strip_prefix("/").unwrap_or(path))
}

fn table(rows: &[(&str, u32, PathBuf)]) -> Vec<String> {
    let width = rows.iter().map(|(word, ..)| word.len()).max().unwrap_or_default();
    rows.iter().map(|(word, mode, to)| format!("{word:width$}  {mode:04o}  {}", to.display())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_of_the_prefix_stand_in_the_unit() {
        let unit = "[Service]\nExecStart=/usr/local/bin/ehosd /usr/local/etc/ehos/ehos.yaml\nUser=ehos\n";
        for (prefix, line) in [
            ("/usr/local", "/usr/local/bin/ehosd /usr/local/etc/ehos/ehos.yaml"),
            ("/usr", "/usr/bin/ehosd /etc/ehos/ehos.yaml"),
            ("/opt/ehos", "/opt/ehos/bin/ehosd /opt/ehos/etc/ehos/ehos.yaml"),
        ] {
            let written = unit_for(unit, &Layout::new(Path::new(prefix))).unwrap();
            assert_eq!(written, format!("[Service]\nExecStart={line}\nUser=ehos\n"));
        }
        assert!(unit_for("[Service]\n", &Layout::new(Path::new("/usr"))).is_err(), "nothing to put them in");
    }

    #[test]
    fn what_is_left_to_do_depends_on_what_is_there() {
        for (row, prefix, has_user, useradd, link) in [
            ("a new machine", "/usr/local", false, true, false),
            ("once more", "/usr/local", true, false, false),
            ("a package", "/usr", true, false, false),
            ("where systemd does not look", "/opt/ehos", true, false, true),
        ] {
            let lines = next(&Layout::new(Path::new(prefix)), has_user).join("\n");
            assert_eq!(lines.contains("useradd"), useradd, "{row}: {lines}");
            assert_eq!(lines.contains("systemctl link"), link, "{row}: {lines}");
        }
    }

    #[test]
    fn programs_are_what_the_crates_build_and_not_the_developers_own() {
        let package = |folder: &str, kind: &str, name: &str| {
            serde_json::json!({
                "manifest_path": format!("/w/{folder}/Cargo.toml"),
                "targets": [{"kind": [kind], "name": name}, {"kind": ["test"], "name": "cli"}],
            })
        };
        let metadata = serde_json::json!({"packages": [
            package("crates/ehosd", "bin", "ehosd"),
            package("crates/ehos-model", "lib", "ehos-model"),
            package("crates/ehos_sleep_jobs", "bin", "ehos_sleep_jobs"),
            package("xtask", "bin", "xtask"),
        ]});
        assert_eq!(programs(&metadata), ["ehos_sleep_jobs", "ehosd"]);
    }
}
