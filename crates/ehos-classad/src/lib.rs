//! The ClassAd language of HTCondor: parser, printer and evaluator, with the semantics of HTCondor 25.
//!
//! Deliberately without clock, chance, files or threads of its own: [`Context`] brings time and chance, and nothing
//! an expression says can panic, overflow the stack or run longer than its budget of steps.
//!
//! ```
//! use ehos_classad::{Ad, Context, Expr, Value, symmetric_match};
//!
//! let job: Ad = "RequestCpus = 4\nRequirements = TARGET.Arch == \"X86_64\" && Cpus >= RequestCpus".parse()?;
//! let slot: Ad = "[ Arch = \"X86_64\"; Cpus = 8; Requirements = TARGET.RequestCpus < 9 ]".parse()?;
//! let context = Context::new(1_700_000_000).my(&job).target(&slot);
//!
//! assert!(symmetric_match(&job, &slot, &context));
//! let expr: Expr = "Cpus / RequestCpus".parse()?;
//! assert_eq!(context.evaluate(&expr), Value::Int(2));
//! # Ok::<(), ehos_classad::ParseError>(())
//! ```

mod ad;
mod context;
mod error;
mod eval;
mod expr;
mod functions;
mod lexer;
mod matching;
mod name;
mod number;
mod operators;
mod parser;
mod partial;
mod print;
mod references;
mod scope;
mod time;
mod value;

pub use ad::Ad;
pub use context::Context;
pub use error::{ParseError, Problem};
pub use expr::{BinaryOp, Expr, UnaryOp};
pub use functions::names as function_names;
pub use matching::{matches, symmetric_match};
pub use name::Name;
pub use references::References;
pub use scope::{AdValue, ListValue};
pub use value::{AbsTime, Value};
