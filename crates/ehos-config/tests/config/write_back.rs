//! What is written back, to the letter. `EHOS_UPDATE=1` writes anew what is told of refusals.

use std::fmt::Write as _;
use std::path::Path;

use ehos_config::{Edit, WriteBackError, Written, write_back};
use secrecy::SecretString;

use crate::files::Files;

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn image(text: &str) -> Edit {
    Edit::cloud("bergen", "image", text)
}

fn password(text: &str) -> Edit {
    Edit::condor("password", SecretString::from(text))
}

struct Row {
    name: &'static str,
    edits: Vec<Edit>,
    before: &'static str,
    after: &'static str,
}

/// Writes back and gives the text afterwards.
fn written(before: &str, edits: &[Edit]) -> Result<(String, Vec<Written>), WriteBackError> {
    let files = Files::new();
    let path = files.write("ehos.yaml", before);
    let written = write_back(std::slice::from_ref(&path), edits)?;
    let backup = files.folder.path().join("ehos.yaml.backup");
    if written.iter().any(|written| written.backup.is_some()) {
        assert_eq!(std::fs::read_to_string(&backup).unwrap(), before, "the backup is the old file");
    }
    Ok((std::fs::read_to_string(&path).unwrap(), written))
}

fn check(rows: Vec<Row>) {
    let mut wrong = String::new();
    for Row { name, edits, before, after } in rows {
        let found = written(before, &edits).map_or_else(|error| error.to_string(), |(found, _)| found);
        if found != after {
            let _ = writeln!(wrong, "== {name}\n{before}\n-- gave\n{found}\n-- not\n{after}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn row(name: &'static str, edits: Vec<Edit>, before: &'static str, after: &'static str) -> Row {
    Row { name, edits, before, after }
}

#[test]
fn a_value_is_written_in_its_place() {
    check(vec![
        row(
            "a word for nothing",
            vec![image("gold")],
            "clouds:\n  bergen:\n    image: None\n    x: 1\n",
            "clouds:\n  bergen:\n    image: gold\n    x: 1\n",
        ),
        row(
            "a comment behind it stays",
            vec![image("gold")],
            "clouds:\n  bergen:\n    image: None   # the image\n    a: b          # so\n",
            "clouds:\n  bergen:\n    image: gold   # the image\n    a: b          # so\n",
        ),
        row(
            "a placeholder",
            vec![image("gold")],
            "clouds:\n  bergen:\n    image: <IMAGE ID>\n",
            "clouds:\n  bergen:\n    image: gold\n",
        ),
        row(
            "an id like a number",
            vec![image("123e4567")],
            "clouds:\n  bergen:\n    image: old\n",
            "clouds:\n  bergen:\n    image: '123e4567'\n",
        ),
        row(
            "single quotes",
            vec![image("it's")],
            "clouds:\n  bergen:\n    image: 'None'\n",
            "clouds:\n  bergen:\n    image: 'it''s'\n",
        ),
        row(
            "double quotes",
            vec![image("a\\b")],
            "clouds:\n  bergen:\n    image: \"None\"\n",
            "clouds:\n  bergen:\n    image: \"a\\\\b\"\n",
        ),
        row(
            "quotes over two lines",
            vec![image("gold")],
            "clouds:\n  bergen:\n    image: \"GOLD\n      CentOS\" # x\n",
            "clouds:\n  bergen:\n    image: \"gold\" # x\n",
        ),
        row(
            "a value on the next line",
            vec![image("gold")],
            "clouds:\n  bergen:\n    image:  # where\n      None\n    x: 1\n",
            "clouds:\n  bergen:\n    image:  # where\n      gold\n    x: 1\n",
        ),
        row(
            "a literal with its comment",
            vec![image("gold")],
            "clouds:\n  bergen:\n    image: |-  # where\n      None\n\n    x: 1\n",
            "clouds:\n  bergen:\n    image: gold  # where\n\n    x: 1\n",
        ),
        row(
            "a folded text at the end",
            vec![image("gold")],
            "clouds:\n  bergen:\n    image: >\n      GOLD\n      CentOS\n",
            "clouds:\n  bergen:\n    image: gold\n",
        ),
    ]);
}

#[test]
fn names_and_line_ends_stay_what_they_are() {
    check(vec![
        row(
            "a space before the colon",
            vec![image("gold")],
            "clouds:\n  bergen:\n    image : None\n",
            "clouds:\n  bergen:\n    image : gold\n",
        ),
        row(
            "keys in quotes",
            vec![image("gold")],
            "\"clouds\":\n  'bergen':\n    \"image\": None\n",
            "\"clouds\":\n  'bergen':\n    \"image\": gold\n",
        ),
        row(
            "tabs between key and value",
            vec![image("gold")],
            "clouds:\n  bergen:\n    image:\tNone\t# x\n",
            "clouds:\n  bergen:\n    image:\tgold\t# x\n",
        ),
        row(
            "line ends of Windows",
            vec![image("gold"), Edit::condor("host_ip", "192.0.2.10")],
            "clouds:\r\n  bergen:\r\n    image: None\r\n    x: 1\r\ncondor:\r\n  password: x\r\n",
            "clouds:\r\n  bergen:\r\n    image: gold\r\n    x: 1\r\ncondor:\r\n  password: x\r\n  host_ip: 192.0.2.10\r\n",
        ),
        row(
            "a byte order mark",
            vec![image("gold")],
            "\u{feff}clouds:\n  bergen:\n    image: None\n",
            "\u{feff}clouds:\n  bergen:\n    image: gold\n",
        ),
        row(
            "letters of more than one byte before it",
            vec![Edit::cloud("blåbær", "image", "größe")],
            "# æøå 🦀\nclouds:\n  blåbær: {username: Åse, image: 'None'} # ÆØÅ\n",
            "# æøå 🦀\nclouds:\n  blåbær: {username: Åse, image: 'größe'} # ÆØÅ\n",
        ),
        row(
            "the only cloud of the first Python EHOS",
            vec![Edit::cloud("default", "image", "gold")],
            "cloud:\n  username: a\n  image: None\n",
            "cloud:\n  username: a\n  image: gold\n",
        ),
        row(
            "an old name of a key",
            vec![Edit::ehos("image", "6f1c0a3e-8a51-4b39-9c41-3a2d1f0b7e55")],
            "ehos:\n  base_image_id: None # base\n",
            "ehos:\n  base_image_id: 6f1c0a3e-8a51-4b39-9c41-3a2d1f0b7e55 # base\n",
        ),
        row(
            "of an old and a new name, the one that is read",
            vec![Edit::ehos("image", "gold")],
            "ehos:\n  image_id: a\n  image: b\n",
            "ehos:\n  image_id: a\n  image: gold\n",
        ),
        row(
            "other names of keys and sections",
            vec![
                Edit::ehos("network", "net"),
                Edit::ehos("security_groups", "s"),
                Edit::daemon("master_cloud", "m"),
            ],
            "ehos:\n  networks: None\n  security_group: None\ndaemon:\n  master_cloud: None\n",
            "ehos:\n  networks: net\n  security_group: s\ndaemon:\n  master_cloud: m\n",
        ),
        row(
            "a tag that fits stays",
            vec![image("gold")],
            "clouds:\n  bergen:\n    image: !!str None\n",
            "clouds:\n  bergen:\n    image: !!str gold\n",
        ),
        row(
            "an anchor that nobody uses stays",
            vec![image("gold")],
            "clouds:\n  bergen:\n    image: &img None\n",
            "clouds:\n  bergen:\n    image: &img gold\n",
        ),
    ]);
}

#[test]
fn a_missing_value_is_written_behind_its_key() {
    check(vec![
        row(
            "nothing at all",
            vec![image("gold")],
            "clouds:\n  bergen:\n    image:\n    x: 1\n",
            "clouds:\n  bergen:\n    image: gold\n    x: 1\n",
        ),
        row(
            "a space",
            vec![image("gold")],
            "clouds:\n  bergen:\n    image: \n    x: 1\n",
            "clouds:\n  bergen:\n    image: gold\n    x: 1\n",
        ),
        row(
            "a comment",
            vec![image("gold")],
            "clouds:\n  bergen:\n    image:   # here\n    x: 1\n",
            "clouds:\n  bergen:\n    image: gold   # here\n    x: 1\n",
        ),
        row(
            "the end of the file",
            vec![image("gold")],
            "clouds:\n  bergen:\n    image:",
            "clouds:\n  bergen:\n    image: gold",
        ),
        row(
            "line ends of Windows",
            vec![image("gold")],
            "clouds:\r\n  bergen:\r\n    image:\r\n    x: 1\r\n",
            "clouds:\r\n  bergen:\r\n    image: gold\r\n    x: 1\r\n",
        ),
        row(
            "an anchor",
            vec![image("gold")],
            "clouds:\n  bergen:\n    image: &a\n    x: 1\n",
            "clouds:\n  bergen:\n    image: &a gold\n    x: 1\n",
        ),
        row(
            "braces, then a comma",
            vec![image("gold")],
            "clouds: {bergen: {image:, x: 1}}\n",
            "clouds: {bergen: {image: gold, x: 1}}\n",
        ),
        row(
            "braces, then their end",
            vec![image("gold")],
            "clouds: {bergen: {x: 1, image: }}\n",
            "clouds: {bergen: {x: 1, image: gold}}\n",
        ),
        row(
            "braces, without a colon",
            vec![image("gold")],
            "clouds: {bergen: {image, x: 1}}\n",
            "clouds: {bergen: {image: gold, x: 1}}\n",
        ),
        row(
            "braces, a key in quotes",
            vec![image("gold")],
            "clouds: {bergen: {\"image\":}}\n",
            "clouds: {bergen: {\"image\": gold}}\n",
        ),
    ]);
}

#[test]
fn a_missing_key_is_added_to_its_section() {
    check(vec![
        row(
            "at the end of the section",
            vec![image("gold")],
            "clouds:\n  bergen:\n    x: 1  # one\n    # image: old\n\n  oslo:\n    x: 2\n",
            "clouds:\n  bergen:\n    x: 1  # one\n    image: gold\n    # image: old\n\n  oslo:\n    x: 2\n",
        ),
        row(
            "at the end of a file without a line end",
            vec![password("secret")],
            "condor:\n    host_ip: 192.0.2.1",
            "condor:\n    host_ip: 192.0.2.1\n    password: secret",
        ),
        row(
            "behind a text of several lines",
            vec![image("gold")],
            "clouds:\n  bergen:\n    x: |\n      one\n      # two\n\n# end\n",
            "clouds:\n  bergen:\n    x: |\n      one\n      # two\n    image: gold\n\n# end\n",
        ),
        row(
            "behind a list",
            vec![Edit::ehos("key", "k")],
            "ehos:\n  flavors:\n  - a\n  - b\ncondor: {}\n",
            "ehos:\n  flavors:\n  - a\n  - b\n  key: k\ncondor: {}\n",
        ),
        row(
            "behind a key without a value",
            vec![Edit::ehos("key", "k")],
            "ehos:\n  flavors:\ncondor: {}\n",
            "ehos:\n  flavors:\n  key: k\ncondor: {}\n",
        ),
    ]);
}

#[test]
fn a_missing_key_is_added_within_braces() {
    check(vec![
        row(
            "in braces",
            vec![image("gold")],
            "clouds:\n  bergen: {auth_url: 'x', y: 1} # c\n",
            "clouds:\n  bergen: {auth_url: 'x', y: 1, image: gold} # c\n",
        ),
        row(
            "in empty braces",
            vec![image("gold")],
            "clouds: {bergen: { }}\n",
            "clouds: {bergen: {image: gold}}\n",
        ),
        row(
            "in braces with a last comma",
            vec![image("gold")],
            "clouds: {bergen: {x: 1,}}\n",
            "clouds: {bergen: {x: 1, image: gold,}}\n",
        ),
        row(
            "in braces over several lines",
            vec![image("gold")],
            "clouds:\n  bergen: {\n    x: 1,\n    y: 2   # two\n    # end\n  }\n",
            "clouds:\n  bergen: {\n    x: 1,\n    y: 2,   # two\n    image: gold\n    # end\n  }\n",
        ),
        row(
            "in braces over several lines with a last comma",
            vec![image("gold")],
            "clouds:\n  bergen: {\n    x: 1,\n    y: 2,   # two\n  }\n",
            "clouds:\n  bergen: {\n    x: 1,\n    y: 2,   # two\n    image: gold,\n  }\n",
        ),
        row(
            "in braces that end on the last line",
            vec![image("gold")],
            "clouds:\n  bergen: {x: 1,\n           y: 2}\n",
            "clouds:\n  bergen: {x: 1,\n           y: 2, image: gold}\n",
        ),
        row(
            "in braces that hold a key alone",
            vec![image("gold")],
            "clouds: {bergen: {x}}\n",
            "clouds: {bergen: {x, image: gold}}\n",
        ),
        row(
            "in empty braces with a comment",
            vec![image("gold")],
            "clouds: {bergen: { # so\n }}\n",
            "clouds: {bergen: {image: gold # so\n }}\n",
        ),
    ]);
}

#[test]
fn a_missing_key_is_added_to_a_section_of_nothing() {
    check(vec![
        row(
            "in a section of nothing",
            vec![password("a")],
            "ehos: {}\ncondor:   # pool\nx: 1\n",
            "ehos: {}\ncondor:   # pool\n  password: a\nx: 1\n",
        ),
        row(
            "in a section of None",
            vec![password("a")],
            "condor: None # pool\nx: 1\n",
            "condor: {password: a} # pool\nx: 1\n",
        ),
        row(
            "in a section of nothing at the end",
            vec![password("a")],
            "ehos:\n    key: x\ncondor:",
            "ehos:\n    key: x\ncondor:\n    password: a",
        ),
        row(
            "in a cloud of nothing",
            vec![image("gold")],
            "clouds:\n  bergen:\n  oslo:\n",
            "clouds:\n  bergen:\n    image: gold\n  oslo:\n",
        ),
        row(
            "in a cloud of nothing in braces",
            vec![image("gold")],
            "clouds: {bergen: , oslo: {}}\n",
            "clouds: {bergen: {image: gold}, oslo: {}}\n",
        ),
        row(
            "in a cloud's own section",
            vec![Edit::cloud_ehos("bergen", "key", "k")],
            "clouds:\n  bergen:\n    ehos: {flavor: x}\n",
            "clouds:\n  bergen:\n    ehos: {flavor: x, key: k}\n",
        ),
        row(
            "in a cloud without a section of its own",
            vec![Edit::cloud_ehos("bergen", "key", "k"), Edit::cloud_ehos("bergen", "network", "net")],
            "clouds:\n  bergen:\n    x: 1\n",
            "clouds:\n  bergen:\n    x: 1\n    ehos: {key: k, network: net}\n",
        ),
    ]);
}

#[test]
fn a_missing_section_is_added_to_the_file() {
    check(vec![
        row(
            "at its end, indented as the file is",
            vec![password("a"), Edit::condor("host_ip", "192.0.2.1")],
            "ehos:\n    key: x\n    # end\n",
            "ehos:\n    key: x\n    # end\ncondor:\n    password: a\n    host_ip: 192.0.2.1\n",
        ),
        row(
            "after a line without end",
            vec![password("a")],
            "ehos: {}",
            "ehos: {}\ncondor:\n  password: a\n",
        ),
        row(
            "line ends of Windows",
            vec![password("a")],
            "ehos: {}\r\n",
            "ehos: {}\r\ncondor:\r\n  password: a\r\n",
        ),
        row(
            "before the end of the document",
            vec![password("a")],
            "---\nehos: {}\n...\n",
            "---\nehos: {}\ncondor:\n  password: a\n...\n",
        ),
        row("in braces", vec![password("a")], "{ehos: {}}\n", "{ehos: {}, condor: {password: a}}\n"),
        row(
            "JSON",
            vec![password("a")],
            "{\n  \"ehos\": {}\n}\n",
            "{\n  \"ehos\": {},\n  condor: {password: a}\n}\n",
        ),
    ]);
}

#[test]
fn lists_give_way_to_texts_and_lists() {
    let groups = |new: &[&str]| vec![Edit::ehos("security_groups", texts(new))];
    let group = || vec![Edit::ehos("security_groups", "ehos")];
    check(vec![
        row(
            "a text to a list",
            groups(&["a", "1"]),
            "ehos:\n  security_groups: x # c\n",
            "ehos:\n  security_groups: [a, '1'] # c\n",
        ),
        row(
            "brackets to a text",
            group(),
            "ehos:\n  security_groups: [a, b] # c\n",
            "ehos:\n  security_groups: ehos # c\n",
        ),
        row(
            "brackets to brackets",
            groups(&["c", "d e"]),
            "ehos: {security_groups: [a, b,], key: k}\n",
            "ehos: {security_groups: [c, d e], key: k}\n",
        ),
        row(
            "no list",
            groups(&["c"]),
            "ehos: {security_groups: [], key: k}\n",
            "ehos: {security_groups: [c], key: k}\n",
        ),
        row(
            "brackets over several lines with comments",
            group(),
            "ehos:\n  security_groups: [  # which\n    a,  # one\n    b\n  ]  # end\n  key: k\n",
            "ehos:\n  security_groups: ehos  # which\n    # one\n  # end\n  key: k\n",
        ),
        row(
            "one text with a comma is not two",
            groups(&["a, b"]),
            "ehos: {security_groups: [a, b]}\n",
            "ehos: {security_groups: ['a, b']}\n",
        ),
        row(
            "lines to a text",
            group(),
            "ehos:\n  security_groups:\n    - a\n    - b\n  key: k\n",
            "ehos:\n  security_groups: ehos\n  key: k\n",
        ),
        row(
            "lines without indentation",
            group(),
            "ehos:\n  security_groups:\n  - a\n  - b\n\n  key: k\n",
            "ehos:\n  security_groups: ehos\n\n  key: k\n",
        ),
        row(
            "lines with comments to a text",
            group(),
            "ehos:\n  security_groups: # which\n    # all\n    - a # one\n    - b # two\n  # end\n  key: k\n",
            "ehos:\n  security_groups: ehos # which\n    # all\n    # one\n    # two\n  # end\n  key: k\n",
        ),
        row(
            "a new key",
            groups(&["a", "b"]),
            "ehos:\n  key: k\n",
            "ehos:\n  key: k\n  security_groups: [a, b]\n",
        ),
        row(
            "lines to as many lines",
            groups(&["c", "d"]),
            "ehos:\n  security_groups:  # which\n    - a # one\n    - 'b'\n  key: k\n",
            "ehos:\n  security_groups:  # which\n    - c # one\n    - 'd'\n  key: k\n",
        ),
        row(
            "lines to more lines",
            groups(&["a", "c", "d"]),
            "ehos:\n  security_groups:\n  - a # one\n  key: k\n",
            "ehos:\n  security_groups:\n  - a # one\n  - c\n  - d\n  key: k\n",
        ),
        row(
            "lines to fewer lines",
            groups(&["c"]),
            "ehos:\r\n  security_groups:\r\n    - a # one\r\n    - b # two\r\n    - x\r\n  key: k\r\n",
            "ehos:\r\n  security_groups:\r\n    - c # one\r\n    # two\r\n  key: k\r\n",
        ),
    ]);
}

#[test]
fn what_others_share_stays_theirs() {
    check(vec![
        row(
            "an alias for the value",
            vec![image("gold")],
            "x: &i None\nclouds:\n  bergen: {image: *i , y: 1}\n",
            "x: &i None\nclouds:\n  bergen: {image: gold , y: 1}\n",
        ),
        row(
            "a value that comes through a merge",
            vec![image("gold")],
            "base: &b\n  image: None\nclouds:\n  bergen:\n    <<: *b\n    x: 1 # one\n  oslo:\n    <<: *b\n",
            "base: &b\n  image: None\nclouds:\n  bergen:\n    <<: *b\n    x: 1 # one\n    image: gold\n  oslo:\n    <<: *b\n",
        ),
        row(
            "a mapping that is nothing but a merge",
            vec![image("gold")],
            "base: &b\n  image: None\nclouds:\n  bergen:\n    <<: *b # base\n  oslo: {<<: *b}\n",
            "base: &b\n  image: None\nclouds:\n  bergen:\n    <<: *b # base\n    image: gold\n  oslo: {<<: *b}\n",
        ),
        row(
            "an alias for the cloud",
            vec![image("gold")],
            "base: &b\n  image: None\n  x: 1\nclouds:\n  bergen: *b # c\n  oslo: *b\n",
            "base: &b\n  image: None\n  x: 1\nclouds:\n  bergen: {<<: *b, image: gold} # c\n  oslo: *b\n",
        ),
        row(
            "a cloud that another takes its values from",
            vec![image("gold")],
            "clouds:\n  bergen: &b\n    image: None\n    x: 1\n  oslo:\n    <<: *b\n    x: 2\n",
            "clouds:\n  bergen: &b\n    image: gold\n    x: 1\n  oslo:\n    <<: *b\n    x: 2\n    image: None\n",
        ),
        row(
            "a common section that a cloud takes as its own",
            vec![Edit::ehos("key", "k")],
            "clouds:\n  bergen: {ehos: &e {key: None, network: n}}\n  oslo: {ehos: {<<: *e}}\nehos: *e\n",
            "clouds:\n  bergen: {ehos: &e {key: None, network: n}}\n  oslo: {ehos: {<<: *e}}\nehos: {<<: *e, key: k}\n",
        ),
        row(
            "a common section that clouds share",
            vec![Edit::ehos("key", "k")],
            "ehos: &e\n  network: n\nclouds:\n  bergen:\n    ehos: *e\n  oslo: {ehos: {<<: *e}}\n",
            "ehos: &e\n  network: n\n  key: k\nclouds:\n  bergen:\n    ehos: {<<: *e, key: None}\n  oslo: {ehos: {<<: *e, key: None}}\n",
        ),
        row(
            "a value that another takes by an alias",
            vec![Edit::cloud("bergen", "image", "gold")],
            "clouds:\n  bergen:\n    image: &i old\n  oslo:\n    image: *i # same\n",
            "clouds:\n  bergen:\n    image: &i gold\n  oslo:\n    image: old # same\n",
        ),
    ]);
}

#[test]
fn unusual_files_are_understood_or_left_alone() {
    check(vec![
        row(
            "a key behind a question mark",
            vec![image("gold")],
            "clouds:\n  bergen:\n    ? image\n    : None\n",
            "clouds:\n  bergen:\n    ? image\n    : gold\n",
        ),
        row(
            "an anchor on a list of lines",
            vec![Edit::ehos("security_groups", "g")],
            "ehos:\n  security_groups: &g\n    - a\n  key: k\n",
            "ehos:\n  security_groups: &g g\n  key: k\n",
        ),
        row(
            "an anchor on a list that another cloud uses",
            vec![Edit::cloud_ehos("bergen", "network", "net")],
            "clouds:\n  bergen:\n    ehos:\n      network: &n # ours\n        - 'a'\n        - b\n  oslo: {ehos: {network: *n }}\n",
            "clouds:\n  bergen:\n    ehos:\n      network: &n net # ours\n  oslo: {ehos: {network: [a, b] }}\n",
        ),
        row(
            "a hash within quotes is no comment",
            vec![Edit::ehos("security_groups", "g")],
            "ehos:\n  security_groups:\n    - 'a # b'\n    - \"c # d\" # e\n  key: k\n",
            "ehos:\n  security_groups: g\n    # e\n  key: k\n",
        ),
        row(
            "line ends of old Macs",
            vec![password("a"), image("gold")],
            "clouds:\r  bergen:\r    image:\r    x: 1\r",
            "clouds:\r  bergen:\r    image: gold\r    x: 1\rcondor:\r  password: a\r",
        ),
        row(
            "everything on the left margin that may be",
            vec![Edit::ehos("security_groups", texts(&["x", "z"])), Edit::ehos("key", "k")],
            "ehos:\n security_groups:\n - a\n",
            "ehos:\n security_groups:\n - x\n - z\n key: k\n",
        ),
        row(
            "a value that is there already",
            vec![image("gold")],
            "clouds:\n  bergen:\n    image:    \"gold\"\n",
            "clouds:\n  bergen:\n    image:    \"gold\"\n",
        ),
        row(
            "JSON",
            vec![image("gold"), Edit::ehos("network", texts(&["a", "b"]))],
            "{\"clouds\":{\"bergen\":{\"image\":null,\"x\":1}},\"ehos\":{\"network\":\"None\"}}",
            "{\"clouds\":{\"bergen\":{\"image\":gold,\"x\":1}},\"ehos\":{\"network\":[a, b]}}",
        ),
    ]);
}

#[test]
fn what_cannot_be_written_says_why_and_what_to_do() {
    let told = |edit: Edit, text: &str| {
        let files = Files::new();
        let path = files.write("ehos.yaml", text);
        let error = write_back(std::slice::from_ref(&path), &[edit]).unwrap_err().to_string();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "the file is as it was");
        assert_eq!(std::fs::read_dir(files.folder.path()).unwrap().count(), 1, "and nothing is beside it");
        error.replace(&format!("{}/", files.folder.path().display()), "")
    };
    let mut all = String::new();
    for (name, edit, text) in [
        ("no such key", Edit::ehos("imgae", "x"), "ehos: {}\n"),
        ("a key that takes no text", Edit::daemon("nodes_max", "x"), "ehos: {}\n"),
        ("a list for one text", Edit::ehos("key", texts(&["a"])), "ehos: {}\n"),
        ("no list at all", Edit::ehos("network", texts(&[])), "ehos: {}\n"),
        ("a word for nothing", Edit::ehos("key", "none"), "ehos: {}\n"),
        ("two lines", Edit::ehos("key", "a\nb"), "ehos: {}\n"),
        ("a blank behind it", Edit::ehos("key", "a "), "ehos: {}\n"),
        ("a secret in the open", Edit::ehos("key", SecretString::from("hunter2")), "ehos: {}\n"),
        ("no such cloud", image("x"), "clouds:\n  bergem:\n    image: None\n"),
        ("no YAML", image("x"), "clouds:\n  bergen: [\n    password: hunter2\n"),
        ("the same key twice", image("x"), "clouds:\n  bergen: {image: a, image: b}\n"),
        ("a mapping for a value", image("x"), "clouds:\n  bergen:\n    image: {a: b}\n"),
        ("a text for a section", password("x"), "condor: hunter2\n"),
        ("a tag that does not fit", image("x"), "clouds:\n  bergen:\n    image: !!null None\n"),
        ("all clouds behind an alias", image("x"), "x: &c {bergen: {image: None}}\nclouds: *c\n"),
        (
            "a section that is merged",
            Edit::cloud_ehos("bergen", "key", "k"),
            "x: &c {ehos: {network: n}}\nclouds:\n  bergen:\n    <<: *c\n",
        ),
        ("an alias as a key", password("x"), "x: &p password\ncondor:\n  *p :\n"),
        ("a list whose anchor is used", Edit::ehos("network", "x"), "ehos:\n  network: &n\n    - a\nx: *n\n"),
    ] {
        let _ = writeln!(all, "== {name}\n{}", told(edit, text));
    }
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/write_back_refused.txt");
    if std::env::var_os("EHOS_UPDATE").is_some() {
        std::fs::write(&expected, &all).unwrap();
    }
    assert_eq!(all, std::fs::read_to_string(&expected).unwrap_or_default());
    assert!(!all.contains("hunter2"), "no secret is shown");
}
