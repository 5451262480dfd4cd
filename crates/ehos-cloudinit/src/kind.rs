//! Says which servers there are templates for, and which tags each may use.
//!
//! Deliberately knows no values: those are the facts'.

use std::fmt;

/// What a template is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The server that an image is made of; it is told nothing, so that its image holds no secret.
    Base,
    /// An execute node.
    Execute,
    /// The pool's master; it makes its secrets itself.
    Master,
}

impl Kind {
    /// The name of its template.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Base => "base.yaml",
            Self::Execute => "execute.yaml",
            Self::Master => "master.yaml",
        }
    }

    /// The tags it may use, in the order they are listed in messages.
    pub(crate) const fn tags(self) -> &'static [&'static str] {
        match self {
            Self::Base => &[],
            Self::Execute => &[
                "pool",
                "node",
                "cloud",
                "flavor",
                "gpus",
                "host_ip",
                "uid_domain",
                "trust_domain",
                "token",
                "password",
                "update_interval",
            ],
            Self::Master => &["pool", "node", "uid_domain", "trust_domain"],
        }
    }

    /// Sets of tags of which one each must be used: nothing else can say who the server is, where its pool is and why
    /// it is let in.
    pub(crate) const fn required(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Base => &[],
            Self::Execute => &[&["node"], &["host_ip"], &["token", "password"]],
            Self::Master => &[&["node"], &["uid_domain"]],
        }
    }

    /// What the rest of EHOS relies on; the image may bring it instead, so its absence is no error.
    pub(crate) const fn wanted(self) -> &'static [(&'static str, &'static str)] {
        const MARK: (&str, &str) =
            ("The EHOS vm is up after", "without it nobody sees when the server is ready");
        const HOSTS: (&str, &str) = (
            "manage_etc_hosts",
            "without it condor_master may wait minutes for the server's own name to resolve",
        );
        match self {
            Self::Base => &[MARK, ("EHOS image:", "without it nobody sees whether the image is good")],
            Self::Execute => &[
                MARK,
                HOSTS,
                ("MAXJOBRETIREMENTTIME", "without it HTCondor kills running jobs when a node is drained"),
                ("EhosNode", "without it a startd is not known as the node that was bought"),
            ],
            Self::Master => &[
                MARK,
                HOSTS,
                ("ehos-master", "without it there is neither a signing key nor a token for ehosd"),
                ("EVENT_LOG", "without it ehosd hears late of new jobs"),
            ],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Base => "a base server",
            Self::Execute => "an execute node",
            Self::Master => "a master",
        })
    }
}
